"""Differentiable geometry in torch, batched: rotations, projection through a lens, and a layer that finds poses."""

from models.geometry.pnp import PnPSettings, Pose, solve_pnp
from models.geometry.projection import distort, project, project_jacobian
from models.geometry.rotations import (
    exp_so3,
    log_so3,
    matrix_to_quaternion,
    matrix_to_sixd,
    quaternion_to_matrix,
    sixd_to_matrix,
    skew,
)

__all__ = [
    "PnPSettings",
    "Pose",
    "distort",
    "exp_so3",
    "log_so3",
    "matrix_to_quaternion",
    "matrix_to_sixd",
    "project",
    "project_jacobian",
    "quaternion_to_matrix",
    "sixd_to_matrix",
    "skew",
    "solve_pnp",
]
