"""Frames as the camera would record them, and the exact truth beside them."""
