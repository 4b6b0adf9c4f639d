"""Shape bases: a few coefficients give a vehicle's keypoints, its size and a mesh, all in metres."""

from models.shape_basis.basis import GROUPS, KEYPOINT_NAMES, SHIPPED, ShapeBasis, load_bases, save_bases

__all__ = ["GROUPS", "KEYPOINT_NAMES", "SHIPPED", "ShapeBasis", "load_bases", "save_bases"]
