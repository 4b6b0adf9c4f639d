"""Measurements of people."""
