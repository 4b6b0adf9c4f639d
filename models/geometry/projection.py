"""Pixels of camera-frame points through OpenCV's lens, and their derivatives.

Camera frame: x right, y down, z forward, metres. An integer pixel is a pixel's centre. Lens: k1 k2 p1 p2 k3.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Points nearer than this, or behind, are taken to lie here: numbers stay finite, and callers mask by depth.
NEAREST_M = 1e-3


def distort(normal: Tensor, distortion: Tensor) -> Tensor:
    """Normalised coordinates (..., 2) behind a lens (5,) or (..., 5) that broadcasts."""
    x, y = normal.unbind(-1)
    k1, k2, p1, p2, k3 = distortion.unbind(-1)
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return torch.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ],
        dim=-1,
    )


def project(points_cam: Tensor, K: Tensor, distortion: Tensor | None = None) -> Tensor:
    """Pixels (..., P, 2) of points (..., P, 3) with K (3, 3) or (..., 3, 3) and a lens (5,) or (..., 5)."""
    normal = _normalise(points_cam)
    if distortion is not None:
        normal = distort(normal, distortion[..., None, :])
    return normal @ K[..., :2, :2].transpose(-1, -2) + K[..., None, :2, 2]


def project_jacobian(points_cam: Tensor, K: Tensor, distortion: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Pixels (..., P, 2) as `project` gives them and their derivatives (..., P, 2, 3) by the points."""
    normal, depth = _normalise(points_cam), points_cam[..., 2].clamp_min(NEAREST_M)
    zero, one = torch.zeros_like(depth), torch.ones_like(depth)
    pinhole = torch.stack([one, zero, -normal[..., 0], zero, one, -normal[..., 1]], dim=-1).unflatten(-1, (2, 3))
    pinhole = pinhole / depth[..., None, None]
    if distortion is not None:
        pinhole = _distort_jacobian(normal, distortion[..., None, :]) @ pinhole
    return project(points_cam, K, distortion), K[..., None, :2, :2] @ pinhole


def _normalise(points_cam: Tensor) -> Tensor:
    return points_cam[..., :2] / points_cam[..., 2:].clamp_min(NEAREST_M)


def _distort_jacobian(normal: Tensor, distortion: Tensor) -> Tensor:
    """Derivatives (..., 2, 2) of `distort`."""
    x, y = normal.unbind(-1)
    k1, k2, p1, p2, k3 = distortion.unbind(-1)
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    slope = 2 * (k1 + r2 * (2 * k2 + r2 * 3 * k3))
    mixed = slope * x * y + 2 * p1 * x + 2 * p2 * y
    xx = radial + slope * x * x + 2 * p1 * y + 6 * p2 * x
    yy = radial + slope * y * y + 6 * p1 * y + 2 * p2 * x
    return torch.stack([xx, mixed, mixed, yy], dim=-1).unflatten(-1, (2, 2))
