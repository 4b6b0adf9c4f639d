"""Gathers what calibration's solvers need: control points that people click, and what the camera itself saw."""
