"""Cutouts in metric 3D on the ground plane."""
