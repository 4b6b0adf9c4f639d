"""The 3D branch of vehicles: shape coefficients of a group, and the pose through the differentiable PnP layer.

WALT3D section 4, equation (1). Rotations are compared by the angle between them, translations by their distance as a
fraction of the true one's length, reprojections in longer sides of the object's whole box.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from models.geometry import project, solve_pnp
from models.layers.heatmaps import means_about_peaks
from models.scenes.objects import CLASSES, GROUP_NAMES, SHAPES
from models.shape_basis import load_bases
from models.walt3d.heads import Inside, of_class
from pipeline.core.skeletons import VEHICLE_12

POINTS = len(VEHICLE_12)
_VEHICLE = CLASSES.index("vehicle")
# Errors well above these hardly count: such a pose is of other keypoints, and its derivative by them tells little.
_REPROJECTION, _POSE = 0.3, 0.5  # longer sides of the box; radians or fractions of the distance
_STARTED_BY, _SOMEWHERE_M = 8, 20.0  # keypoints that give a pose to start from; where one without it would be
_LEAST_WEIGHT = 0.02  # of a keypoint, so that a pose is always determined


class Solid(NamedTuple):
    """groups (N, 3) logits of GROUP_NAMES, shapes (N, 3, 8) of each group, weights (N, 12) of keypoints."""

    groups: Tensor
    shapes: Tensor
    weights: Tensor


@cache
def bases() -> tuple[Tensor, Tensor]:
    """Means (3, 12, 3) and components (3, 8, 12, 3) of the project's bases, metres."""
    found = [load_bases()[name] for name in GROUP_NAMES]
    return tuple(  # type: ignore[return-value]
        torch.from_numpy(np.stack([getattr(basis, name) for basis in found])).float() for name in ("mean", "components")
    )


def keypoints_of(group: Tensor, shape: Tensor) -> Tensor:
    """(N, 12, 3) metres in the vehicle's frame, of groups (N,) and shapes (N, 8)."""
    mean, components = (values.to(shape.device)[group] for values in bases())
    return mean + torch.einsum("nk,nkpc->npc", shape, components)


def to_frame(xy: Tensor, matrix: Tensor) -> Tensor:
    """Pixel-centre coordinates (N, 12, 2) in the camera's frame of keypoints in edge coordinates of a window that
    `matrix` (N, 2, 3) leads from; a mirrored window's change sides."""
    turned = torch.where((matrix[:, 0, 0] < 0)[:, None, None], xy[:, list(VEHICLE_12.flip)], xy)
    return turned @ matrix[:, :, :2].transpose(1, 2) + matrix[:, None, :, 2] - 0.5


def places(inside: Inside, labels: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
    """Keypoints (N, 17, 2), edge coordinates, and confidences (N, 17) of what is in regions (N, 4)."""
    heat = of_class(inside.heat, labels)
    cells, confidence = means_about_peaks(heat)
    return regions[:, None, :2] + (cells + 0.5) / heat.shape[-1] * (regions[:, 2:] - regions[:, :2])[
        :, None
    ], confidence


@MODELS.register_module()
class LiftHead(BaseModule):
    """Group, shape, and how far each keypoint is to be trusted, from a region's features."""

    def __init__(self, hidden: int, init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        self.layer = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, len(GROUP_NAMES) * (1 + SHAPES) + POINTS)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)

    def forward(self, features: Tensor) -> Solid:
        """Of features (N, D)."""
        count = len(GROUP_NAMES)
        out = self.out(F.relu(self.layer(features))).float()
        groups, shapes, weights = out.split([count, count * SHAPES, POINTS], 1)
        return Solid(groups, shapes.unflatten(1, (count, SHAPES)), weights.sigmoid())

    def loss(self, inside: Inside, features: Tensor, regions: Tensor, truth: dict[str, Tensor]) -> dict[str, Tensor]:
        """Equation (1)'s terms of the vehicles whose shape and pose are known, and the group's cross-entropy."""
        solid = self(features)
        zero = 0 * (solid.groups.sum() + solid.shapes.sum() + solid.weights.sum())
        known = (truth["labels"] == _VEHICLE) & (truth["group"] >= 0) & truth["R"].isfinite().all(-1).all(-1)
        rows = torch.nonzero(known & truth["K"].isfinite().all(-1).all(-1)).flatten()
        if not len(rows):
            return dict.fromkeys(("group", "shape", "kp2d", "rotation", "translation"), zero)
        group, count = truth["group"][rows], torch.arange(len(rows), device=rows.device)
        shape = solid.shapes[rows][count, group]
        few = Inside(*(value[rows] for value in inside))
        xy, confidence = places(few, truth["labels"][rows], regions[rows])
        seen = to_frame(xy[:, :POINTS], truth["to_frame"][rows])
        trusted = (solid.weights[rows] * confidence[:, :POINTS]).clamp_min(_LEAST_WEIGHT)
        trusted = torch.where((truth["to_frame"][rows, 0, 0] < 0)[:, None], trusted[:, list(VEHICLE_12.flip)], trusted)
        camera, lens, R, t = (truth[name][rows] for name in ("K", "distortion", "R", "t"))
        lens = torch.nan_to_num(lens)
        points = keypoints_of(group, shape)
        pose = solve_pnp(points, seen, trusted, camera, (R, t), distortion=lens)
        found = project(points @ pose.R.transpose(1, 2) + pose.t[:, None], camera, lens)
        wanted = to_frame(truth["keypoints"][rows, :POINTS], truth["to_frame"][rows])
        size = (truth["whole"][rows, 2:] - truth["whole"][rows, :2]).amax(1)
        size = size * truth["to_frame"][rows, 1, 1].abs()  # of the frame
        off = (found - wanted).norm(dim=-1) / size[:, None]
        valid = pose.valid[:, None] & off.isfinite()
        angle, far = rotation_angles(pose.R, R), (pose.t - t).norm(dim=-1) / t.norm(dim=-1)
        return {
            "group": F.cross_entropy(solid.groups[rows], group) + zero,
            "shape": (shape - truth["shape"][rows]).square().mean() + zero,
            "kp2d": _mean(geman_mcclure(torch.where(valid, off, 0.0), _REPROJECTION), valid) + zero,
            "rotation": _mean(geman_mcclure(angle, _POSE), pose.valid) + zero,
            "translation": _mean(geman_mcclure(far, _POSE), pose.valid) + zero,
        }


def geman_mcclure(value: Tensor, scale: float) -> Tensor:
    """Half the square of small values >= 0, half the square of the scale of large ones: Geman and McClure's loss."""
    return 0.5 * value.square() / (1 + (value / scale).square())


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    return torch.where(chosen, values, 0.0).sum() / chosen.sum().clamp_min(1)


def rotation_angles(one: Tensor, other: Tensor) -> Tensor:
    """(N,) radians between rotations (N, 3, 3): 2 asin(|A - B| / (2 sqrt 2)), whose gradient is finite at 0 but for a
    kink."""
    chord = ((one - other).square().sum((-1, -2)) + 1e-12).sqrt() / (2 * 2**0.5)
    return 2 * torch.asin(chord.clamp(max=1 - 1e-6))


def solve(
    solid: Solid, xy: Tensor, confidence: Tensor, K: np.ndarray, distortion: np.ndarray
) -> tuple[Tensor, Tensor, np.ndarray]:
    """Of N vehicles R (N, 3, 3), t (N, 3) and whether a pose was found (N,) bool, from keypoints (N, 12, 2) px of the
    camera's frame with confidences (N, 12).

    The start is OpenCV's SQPnP of the keypoints that are trusted most; where it finds none there is no pose.
    """
    group = solid.groups.argmax(1)
    shape = solid.shapes[torch.arange(len(group)), group]
    points, trusted = keypoints_of(group, shape), (solid.weights * confidence).clamp_min(_LEAST_WEIGHT)
    R, t = torch.eye(3).repeat(len(xy), 1, 1), torch.tensor([[0.0, 0, _SOMEWHERE_M]]).repeat(len(xy), 1)
    found = np.zeros(len(xy), bool)
    for k in range(len(xy)):
        best = torch.argsort(trusted[k], descending=True)[:_STARTED_BY].tolist()
        start = _start(points[k, best].double().numpy(), xy[k, best].double().numpy(), K, distortion)
        if start is not None:
            found[k], R[k], t[k] = True, torch.from_numpy(start[0]).float(), torch.from_numpy(start[1]).float()
    lens = torch.from_numpy(distortion).float()
    pose = solve_pnp(points, xy, trusted, torch.from_numpy(K).float(), (R, t), distortion=lens)
    return pose.R, pose.t, pose.valid.numpy() & found


def _start(points: np.ndarray, pixels: np.ndarray, K: np.ndarray, lens: np.ndarray) -> tuple[np.ndarray, ...] | None:
    """A pose of points (P, 3) at pixels (P, 2); None where they determine none before the camera."""
    try:
        there, turn, shift = cv2.solvePnP(points, pixels, K, lens, flags=cv2.SOLVEPNP_SQPNP)
    except cv2.error:  # points in one place
        return None
    if not there or not np.isfinite(turn).all() or not shift[2, 0] > 0:
        return None
    return cv2.Rodrigues(turn)[0], shift[:, 0]
