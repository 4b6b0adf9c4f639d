"""Readers of human labels, one file a format, and the page that makes them."""
