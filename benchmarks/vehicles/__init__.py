"""Measurements of vehicles."""
