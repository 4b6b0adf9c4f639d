"""Detections joined into tracks."""
