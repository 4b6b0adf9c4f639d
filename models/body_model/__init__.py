"""The human body in SMPL's format: shape and pose in, surface, joints and keypoints out."""

from models.body_model.body import FREE_BODY, Body, Posed, load_body
from models.body_model.rest import global_from_theta, t_pose, theta_from_global

__all__ = ["FREE_BODY", "Body", "Posed", "global_from_theta", "load_body", "t_pose", "theta_from_global"]
