"""Heatmaps as distributions over cells: targets, and from a distribution the point, its spread and its score.

Cell coordinates: an integer is a cell's centre, x before y.
"""

from __future__ import annotations

import torch
from torch import Tensor

TARGET_SIGMA = 1.0  # cells: the blur of the targets, hence part of every predicted spread
_KERNEL_SIGMA, _STEPS = 1.5, 8


def gaussian_targets(cells: Tensor, size: int, sigma: float = TARGET_SIGMA) -> Tensor:
    """(N, K, size, size) distributions around points (N, K, 2); all zero where the point lies off the map."""
    on_map = ((cells > -0.5) & (cells < size - 0.5)).all(-1)
    axis = torch.arange(size, dtype=torch.float32, device=cells.device)
    along = torch.softmax(-((cells.nan_to_num(-99.0)[..., None] - axis) ** 2) / (2 * sigma**2), -1)  # (N, K, 2, size)
    return along[..., 1, :, None] * along[..., 0, None, :] * on_map[..., None, None]


def distributions(logits: Tensor) -> Tensor:
    """(N, K, S, S) probabilities of the cells."""
    return torch.softmax(logits.float().flatten(2), -1).view_as(logits)


def peaks(probability: Tensor) -> Tensor:
    """(N, K, 2) sub-cell mode of distributions (N, K, S, S): mean shift from the likeliest cell.

    A fixed point of the shift is a mode of the distribution smoothed by the kernel; for a Gaussian it is its centre.
    Unlike the mean over all cells it does not fall between two modes, such as the two sides of a car.
    """
    size = probability.shape[-1]
    axis = torch.arange(size, dtype=probability.dtype, device=probability.device)
    best = probability.flatten(2).argmax(-1)
    point = torch.stack([best % size, best // size], -1).to(probability.dtype)
    for _ in range(_STEPS):
        kernel = torch.exp(-((point[..., None] - axis) ** 2) / (2 * _KERNEL_SIGMA**2))  # (N, K, 2, S)
        rows = torch.einsum("nkyx,nkx->nky", probability, kernel[..., 0, :]) * kernel[..., 1, :]
        columns = torch.einsum("nkyx,nky->nkx", probability, kernel[..., 1, :]) * kernel[..., 0, :]
        mass = torch.stack([columns, rows], -2)
        point = (mass * axis).sum(-1) / mass.sum(-1).clamp_min(1e-12)
    return point


def spread(probability: Tensor, point: Tensor) -> Tensor:
    """(N, K) root mean square distance, per axis, from a point to where the keypoint may be; cells.

    The variance about the point over the whole map, less that of the target's blur.
    """
    squared = _squared_distance(probability, point)
    variance = 0.5 * (probability * squared).sum((-1, -2)) - TARGET_SIGMA**2
    return variance.clamp_min(0.05**2).sqrt()


def mass_within(probability: Tensor, point: Tensor, radius: Tensor) -> Tensor:
    """(N, K) share of the distribution within a radius (N, 1), cells, of a point; the edge is soft over a cell."""
    distance = _squared_distance(probability, point).sqrt()
    inside = torch.sigmoid(4 * (radius[..., None, None] - distance))
    return (probability * inside).sum((-1, -2)).clamp(0, 1)


def _squared_distance(probability: Tensor, point: Tensor) -> Tensor:
    axis = torch.arange(probability.shape[-1], dtype=probability.dtype, device=probability.device)
    along = (axis - point[..., None]) ** 2  # (N, K, 2, S)
    return along[..., 1, :, None] + along[..., 0, None, :]
