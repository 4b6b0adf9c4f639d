"""The 3D keypoint graph network: shape and camera of a keypoint graph (Occlusion-Net, section 3.2, equation 10).

The camera looks along the crop's centre ray: x right, y down, z forward, metres; its principal point is the box's
centre. The vehicle's frame is `models.shape_basis`'s.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.geometry.rotations import matrix_to_quaternion, sixd_to_matrix
from models.layers.graph import KEYPOINTS, NODE, Pairwise, Perceptron, gathered
from models.shape_basis.basis import ShapeBasis, load_bases

GROUPS = ("car", "van")
SHAPES = 8
FOCAL = 6.0  # half boxes, at the network's output 0
_METRES = 2.6  # of half a box at the vehicle's distance, likewise
_NEAREST_M = 0.3


class Lifted(NamedTuple):
    """shape (N, 8) in standard deviations; focal (N,) in half widths of the box; quaternion (N, 4), unit, and rotation
    (N, 3, 3) of the crop's camera from the vehicle; translation (N, 3) and points (N, 12, 3), metres in the vehicle's
    frame; xy (N, 12, 2) the points' projections in the box's frame."""

    shape: Tensor
    focal: Tensor
    quaternion: Tensor
    rotation: Tensor
    translation: Tensor
    points: Tensor
    xy: Tensor


@cache
def joint_basis() -> tuple[np.ndarray, np.ndarray]:
    """Mean (12, 3) and components (8, 12, 3), each of one standard deviation, of the project's bases of GROUPS.

    The principal components of the groups' mixture in equal parts, exactly: its covariance is the mean of the groups'
    own and of their means' about the common one.
    """
    bases = [load_bases()[name] for name in GROUPS]
    mean = np.mean([basis.mean for basis in bases], axis=0)
    spread = [rows for basis in bases for rows in (*basis.components, basis.mean - mean)]
    _, scale, rows = np.linalg.svd(np.reshape(spread, (-1, 3 * KEYPOINTS)) / np.sqrt(len(bases)), full_matrices=False)
    signs = np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(1)])  # the sign of a component is arbitrary
    return mean, ((signs * scale)[:, None] * rows)[:SHAPES].reshape(-1, KEYPOINTS, 3)


@cache
def vehicles_basis() -> ShapeBasis:
    """The 3D graph's basis with neither mesh nor sizes."""
    mean, components = (_mirrored(points) for points in joint_basis())
    count = len(components)
    mesh, sizes = (np.zeros((0, 3)), np.zeros((count, 0, 3))), (np.zeros(3), np.zeros((count, 3)))
    return ShapeBasis("vehicles", mean, components, *mesh, np.zeros((0, 3), np.int32), *sizes)


def _mirrored(points: np.ndarray) -> np.ndarray:
    """Points (..., 12, 3) whose right side is the left one with y negated, to the last bit."""
    exact = points.copy()
    exact[..., 0::2, :] = points[..., 1::2, :] * (1, -1, 1)
    return exact


class LiftingGraph(nn.Module):
    """3D-KGNN: messages passed once, then all nodes together give shape, focal length, rotation and translation."""

    mean: Tensor
    components: Tensor

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        mean, components = joint_basis()
        self.register_buffer("mean", torch.from_numpy(mean).float(), persistent=False)
        self.register_buffer("components", torch.from_numpy(components).float(), persistent=False)
        self.embed = Perceptron(NODE + 2, hidden, hidden, dropout)
        self.edge, self.node = Pairwise(hidden, hidden, dropout), Perceptron(2 * hidden, hidden, hidden // 2, dropout)
        self.out = Perceptron(KEYPOINTS * (hidden // 2), 2 * hidden, SHAPES + 10, dropout)
        nn.init.normal_(self.out.second.weight, std=1e-2)

    def forward(self, nodes: Tensor, visible: Tensor, aspect: Tensor) -> Lifted:
        """Of node features (N, 12, 15), how likely each is visible (N, 12), and the boxes' width / height (N,)."""
        shaped = aspect.log()[:, None, None].expand(-1, KEYPOINTS, 1)
        own = F.relu(self.embed(torch.cat([nodes, visible[..., None], shaped], -1)))
        joined = torch.cat([own, gathered(self.edge(own))], -1)
        raw = self.out(F.relu(self.node(joined)).flatten(1)).float()
        return self.lifted(raw, aspect)

    def lifted(self, raw: Tensor, aspect: Tensor) -> Lifted:
        """Shape and camera of the network's outputs (N, 18).

        The rotation is put out as six numbers, from which the unit quaternion follows: as the vehicle turns once
        around, a quaternion ends at its negative, so no continuous network puts it out (Zhou et al., 2019).
        """
        shape, sixd = raw[:, :SHAPES], raw[:, SHAPES : SHAPES + 6]
        offset, log_focal, log_size = raw[:, -4:-2], raw[:, -2], raw[:, -1]
        # The start: upright, seen from its right side.
        start = torch.tensor([1.0, 0, 0, 0, 0, 1.0], device=raw.device)
        rotation = sixd_to_matrix(start + sixd)
        focal = FOCAL * log_focal.clamp(-3, 3).exp()
        metres = _METRES * log_size.clamp(-2, 2).exp()
        translation = torch.cat([offset, focal[:, None]], -1) * metres[:, None]
        points = self.mean + torch.einsum("nk,kpc->npc", shape, self.components)
        xy = project(points, rotation, translation, focal, aspect)
        return Lifted(shape, focal, matrix_to_quaternion(rotation), rotation, translation, points, xy)


def project(points: Tensor, rotation: Tensor, translation: Tensor, focal: Tensor, aspect: Tensor) -> Tensor:
    """Points (N, P, 2) of the box's frame; y is stretched by s = width / height, as the box's frame is."""
    seen = points @ rotation.transpose(1, 2) + translation[:, None]
    flat = focal[:, None, None] * seen[..., :2] / seen[..., 2:].clamp_min(_NEAREST_M)
    return flat * torch.stack([torch.ones_like(aspect), aspect], -1)[:, None]
