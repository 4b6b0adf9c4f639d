"""People: a body in SMPL's format fitted to outline, keypoints, ground and motion, one shape a track."""
