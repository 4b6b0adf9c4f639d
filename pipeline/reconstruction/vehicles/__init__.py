"""Vehicles: a deformable shape fitted to keypoints and outline, one shape a track."""
