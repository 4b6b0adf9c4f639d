"""Bodies that stand on the ground: from pose, shape, heading and the pixel under the pelvis to points in the image.

World frame of the plane, metres, yaw radians from x towards y; ideal pixels, the lens undone. A body's lowest vertex
touches the ground whatever its pose, so that its range hangs on the pixel alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from calibration.camera import Camera, GroundPlane
from models.body_model import Body, Posed
from models.geometry.rotations import exp_so3
from pipeline.core.skeletons import SMPL_24

# Rays nearer to the horizon than this meet the ground nowhere useful: 1000 camera heights away.
_LEAST_SLOPE = 1e-3
_NEAREST_M = 0.1


@dataclass(frozen=True)
class BodyPose:
    """N people: body (N, 23, 3) axis-angle, lean (N, 2) about the body's left and forward axes, yaw (N,), foot (N, 2)
    the ideal pixel of the ground point under the pelvis, beta (N, 10)."""

    body: Tensor
    lean: Tensor
    yaw: Tensor
    foot: Tensor
    beta: Tensor

    def rotations(self) -> Tensor:
        """(N, 24, 3, 3) of the joints, the first turning the body into the world."""
        lean = exp_so3(torch.stack([self.lean[:, 0], torch.zeros_like(self.yaw), self.lean[:, 1]], dim=-1))
        return torch.cat([(upright(self.yaw) @ lean)[:, None], exp_so3(self.body)], dim=1)

    def double(self) -> BodyPose:
        """The same in float64."""
        return BodyPose(*(getattr(self, field.name).double() for field in fields(self)))


def upright(yaw: Tensor) -> Tensor:
    """(N, 3, 3) rotations of SMPL's frame into the world for bodies that stand turned by yaws (N,)."""
    cos, sin, zero, one = yaw.cos(), yaw.sin(), torch.zeros_like(yaw), torch.ones_like(yaw)
    # SMPL's x left, y up, z forward: at yaw 0 the world's y, z and x.
    return torch.stack([-sin, zero, cos, cos, zero, sin, zero, one, zero], dim=-1).unflatten(-1, (3, 3))


class Ground:
    """The camera above its plane, as tensors of one type."""

    def __init__(self, camera: Camera, plane: GroundPlane, dtype: torch.dtype = torch.float32) -> None:
        def tensor(array: np.ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(dtype)

        self.height = plane.d
        self.rays = tensor(plane.R_cam_world.T @ np.linalg.inv(camera.K))  # pixels to world directions
        self.K, self.R = tensor(camera.K), tensor(plane.R_cam_world)
        self.shift = tensor(-plane.d * plane.n)

    def under(self, foot: Tensor) -> Tensor:
        """World x, y (N, 2) of the ground seen at ideal pixels (N, 2): WALT3D section 3, z = -d / (n . K^-1 p)."""
        rays = torch.cat([foot, torch.ones_like(foot[:, :1])], dim=1) @ self.rays.T
        return rays[:, :2] * (self.height / (-rays[:, 2:]).clamp(min=_LEAST_SLOPE))

    def stood(self, points: Tensor, lowest: Tensor, foot: Tensor) -> Tensor:
        """World points (N, M, 3) of ones about the pelvis, of which `lowest` (N,) is the least height."""
        return points + torch.cat([self.under(foot), -lowest[:, None]], dim=1)[:, None]

    def to_camera(self, world: Tensor) -> Tensor:
        """Camera-frame points of world points (..., 3)."""
        return world @ self.R.T + self.shift

    def project(self, world: Tensor) -> Tensor:
        """Ideal pixels (..., 2) of world points (..., 3)."""
        image = self.to_camera(world) @ self.K.T
        return image[..., :2] / image[..., 2:].clamp(min=_NEAREST_M)


def about_pelvis(body: Body, pose: BodyPose) -> Posed:
    """The whole body, its pelvis at the origin, axes the world's."""
    rotations = pose.rotations()
    pelvis = body.joints_only(rotations, pose.beta)[0][:, 0]
    return body(rotations, pose.beta, -pelvis)


class BodySkin:
    """Skins a few vertices, others of each person, where whole bodies would cost thirty times as much."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.bulges = bool(body.posedirs.any())

    def at(self, pose: BodyPose, index: Tensor) -> tuple[Tensor, Tensor]:
        """Points (N, M, 3) of vertices (N, M) and keypoints (N, 17, 3), the pelvis at the origin, axes the world's."""
        rotations = pose.rotations()
        joints, keypoints = self.body.joints_only(rotations, pose.beta)
        pelvis = joints[:, :1]
        turned = self._chained(rotations)
        moved = joints - pelvis - torch.einsum("njab,njb->nja", turned, self._rest_joints(pose.beta))
        weights = self.body.weights.to(moved)[index]  # (N, M, 24)
        blend = (weights @ turned.flatten(2)).unflatten(-1, (3, 3))
        points = torch.einsum("nmab,nmb->nma", blend, self._rest_points(rotations, pose.beta, index))
        return points + weights @ moved, keypoints - pelvis

    def _rest_joints(self, beta: Tensor) -> Tensor:
        """(N, 24, 3) joints of the shaped body at rest."""
        return self.body.joints_only(torch.zeros(len(beta), len(SMPL_24), 3).to(beta), beta)[0]

    def _chained(self, rotations: Tensor) -> Tensor:
        """(N, 24, 3, 3) rotations from the body at rest into the world, of the joints' to their parents."""
        chain = [rotations[:, 0]]
        for joint, parent in enumerate(self.body.parents[1:], start=1):
            chain.append(chain[parent] @ rotations[:, joint])
        return torch.stack(chain, dim=1)

    def _rest_points(self, rotations: Tensor, beta: Tensor, index: Tensor) -> Tensor:
        """(N, M, 3) vertices of the shaped body at rest, bulging as the pose has them."""
        points = self.body.v_template.to(beta)[index]
        points = points + torch.einsum("nmck,nk->nmc", self.body.shapedirs.to(beta)[index], beta)
        if not self.bulges:
            return points
        bend = (rotations[:, 1:] - torch.eye(3).to(beta)).flatten(1)
        return points + torch.einsum("nmck,nk->nmc", self.body.posedirs.to(beta)[index], bend)
