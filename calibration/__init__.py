"""Pixels to metres and back: cameras, ground planes and the ways to obtain them."""
