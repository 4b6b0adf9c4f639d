"""Occluded keypoints in 2D and 3D from a graph over the keypoints, taught by other views of the same object."""
