"""The ways in which people say how a camera stands, one file a way; each gives a Camera and a GroundPlane."""
