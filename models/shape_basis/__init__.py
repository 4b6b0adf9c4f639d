"""Shape bases: a few coefficients give a vehicle's keypoints, its size and a mesh, all in metres."""

from models.shape_basis.basis import GROUPS, SHIPPED, WIDE_GROUPS, ShapeBasis, load_bases, save_bases

__all__ = ["GROUPS", "SHIPPED", "WIDE_GROUPS", "ShapeBasis", "load_bases", "save_bases"]
