"""Measurements of common."""
