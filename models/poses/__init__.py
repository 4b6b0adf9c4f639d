"""Poses of people in a street: parametric motions, recorded ones, the limits of joints, and a prior over them all."""

from models.poses.limits import joint_limits, mirror
from models.poses.mixture import PosePrior, load_prior
from models.poses.mocap import read_mocap
from models.poses.sample import sample_poses

__all__ = ["PosePrior", "joint_limits", "load_prior", "mirror", "read_mocap", "sample_poses"]
