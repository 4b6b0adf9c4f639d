"""Measurements of the project itself: its code, not its results."""
