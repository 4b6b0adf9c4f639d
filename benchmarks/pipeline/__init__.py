"""Measurements of pipeline."""
