"""Procedural vehicles with their twelve keypoints."""
