"""Bodies of known pose, shape and place on a street, and what a camera sees of them."""

from dataclasses import dataclass

import numpy as np
import torch

from calibration.camera import Camera, GroundPlane
from models.geometry.rotations import exp_so3, log_so3
from models.poses import sample_poses
from pipeline.reconstruction.people.ground_contact import BodyPose, Ground, about_pelvis, upright
from pipeline.reconstruction.people.solver import supports

CAMERA = Camera(np.array([[1400.0, 0, 639.5], [0, 1400, 359.5], [0, 0, 1]]), (720, 1280))
PLANE = GroundPlane.from_tilt(15, 0, 6.0)


@dataclass(frozen=True)
class Street:
    """N people: theta (N, 24, 3) and points in the camera frame, beta (N, 10), track (N,), place (N, 2) and yaw (N,) in
    the world, what is seen of them, and their vertices (N, V, 3)."""

    theta: np.ndarray
    beta: np.ndarray
    track: np.ndarray
    xy_m: np.ndarray
    yaw: np.ndarray
    support: np.ndarray
    keypoints_3d: np.ndarray
    vertices: np.ndarray

    @property
    def keypoints(self):
        return CAMERA.project(self.keypoints_3d)


def street(body, track, range_m=(12, 16), seed=0):
    """People in training poses, each track of one shape."""
    rng, track = np.random.default_rng(seed), np.asarray(track)
    count = len(track)
    theta, _ = sample_poses(rng, count)
    beta = rng.normal(0, 0.8, (track.max() + 1, 10))[track]
    yaw, far = rng.uniform(-np.pi, np.pi, count), rng.uniform(*range_m, count)
    xy = np.stack([rng.uniform(-0.25, 0.25, count) * far, far], axis=1)
    foot = CAMERA.project(PLANE.to_camera(np.column_stack([xy, np.zeros(count)])))
    tensors = (theta[:, 1:].astype(float), np.zeros((count, 2)), yaw, foot, beta)
    pose, ground = BodyPose(*map(torch.from_numpy, tensors)), Ground(CAMERA, PLANE, torch.float64)
    posed = about_pelvis(body, pose)
    lowest = posed.vertices[..., 2].amin(dim=1)
    vertices, keypoints = (ground.stood(points, lowest, pose.foot) for points in (posed.vertices, posed.keypoints))
    root = log_so3(torch.from_numpy(PLANE.R_cam_world) @ upright(pose.yaw))
    return Street(
        np.concatenate([root[:, None].numpy(), theta[:, 1:]], axis=1), beta, track, xy, yaw,
        supports(ground.project(vertices))[0].numpy(),
        ground.to_camera(keypoints).numpy(), ground.to_camera(vertices).numpy(),
    )  # fmt: skip


def guessed(scene, sigma_rad, turned_rad, seed=1):
    """theta (N, 24, 3) of a network that is so far off."""
    rng = np.random.default_rng(seed)
    theta = scene.theta + rng.normal(0, sigma_rad, scene.theta.shape)
    turn = exp_so3(torch.from_numpy(rng.normal(0, turned_rad, len(theta))[:, None] * PLANE.n))
    theta[:, 0] = log_so3(turn @ exp_so3(torch.from_numpy(scene.theta[:, 0]))).numpy()
    return theta
