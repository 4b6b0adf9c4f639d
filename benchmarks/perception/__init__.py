"""Measurements of perception."""
