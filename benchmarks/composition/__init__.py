"""Measurements of composition."""
