"""Dressed, walking people."""
