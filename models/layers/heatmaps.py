"""Heatmaps as distributions over cells: targets and their loss, and from a distribution point, spread and score.

Cell coordinates: an integer is a cell's centre, x before y. A point is found as the mode of the distribution (`peaks`),
as the mean of the square of cells about its peak with gradients everywhere (`means_about_peaks`), or, of cells in any
arrangement, as the mean of those within a radius of the peak (`means_within`). None falls between two modes, such as
the two sides of a car, as the mean over all cells (`integral`) does.
"""

from __future__ import annotations

import torch
from torch import Tensor

TARGET_SIGMA = 1.0  # cells: the blur of the targets, hence part of every predicted spread
_KERNEL_SIGMA, _ITERATIONS = 1.5, 8


def gaussian_targets(cells: Tensor, size: int | tuple[int, int], sigma: float = TARGET_SIGMA) -> Tensor:
    """(N, K, H, W) distributions around points (N, K, 2); all zero where the point lies off the map.

    size: of square maps, else (H, W).
    """
    size_wh = (size, size) if isinstance(size, int) else size[::-1]
    on_map = ((cells > -0.5) & (cells < torch.tensor(size_wh, device=cells.device) - 0.5)).all(-1)
    x, y = (_along(cells[..., axis], side, sigma) for axis, side in enumerate(size_wh))
    return y[..., :, None] * x[..., None, :] * on_map[..., None, None]


def _along(cells: Tensor, side: int, sigma: float) -> Tensor:
    """(N, K, side) the targets' profile along one axis."""
    axis = torch.arange(side, dtype=torch.float32, device=cells.device)
    return torch.softmax(-((cells.nan_to_num(-99.0)[..., None] - axis) ** 2) / (2 * sigma**2), -1)


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean over the keypoints that have a target, of logits and targets (N, K, S, S); 0 where none has."""
    placed = target.flatten(2).sum(-1) > 0
    cross = -(target * torch.log_softmax(logits.float().flatten(2), -1).view_as(logits)).sum((-1, -2))
    return cross.sum() / placed.sum().clamp_min(1)


def distributions(logits: Tensor) -> Tensor:
    """(N, K, S, S) probabilities of the cells."""
    return torch.softmax(logits.float().flatten(2), -1).view_as(logits)


def peaks(probability: Tensor) -> Tensor:
    """(N, K, 2) sub-cell mode of distributions (N, K, S, S): mean shift from the likeliest cell.

    A fixed point of the shift is a mode of the distribution smoothed by the kernel; for a Gaussian it is its centre.
    """
    size = probability.shape[-1]
    axis = torch.arange(size, dtype=probability.dtype, device=probability.device)
    best = probability.flatten(2).argmax(-1)
    point = torch.stack([best % size, best // size], -1).to(probability.dtype)
    for _ in range(_ITERATIONS):
        kernel = torch.exp(-((point[..., None] - axis) ** 2) / (2 * _KERNEL_SIGMA**2))  # (N, K, 2, S)
        rows = torch.einsum("nkyx,nkx->nky", probability, kernel[..., 0, :]) * kernel[..., 1, :]
        columns = torch.einsum("nkyx,nky->nkx", probability, kernel[..., 1, :]) * kernel[..., 0, :]
        mass = torch.stack([columns, rows], -2)
        point = (mass * axis).sum(-1) / mass.sum(-1).clamp_min(1e-12)
    return point


def means_about_peaks(logits: Tensor, around: int = 3) -> tuple[Tensor, Tensor]:
    """Points (N, K, 2) and confidences (N, K), 0 to 1, of heatmap logits (N, K, H, W).

    The point is the mean of the distribution over the cells up to `around` from its peak along either axis, by default
    a little less than PCK@0.1 allows, and the confidence their fraction of it; both have gradients everywhere.
    """
    height, width = logits.shape[-2:]
    logits = logits.float()
    best = logits.detach().flatten(2).argmax(-1)
    offsets = torch.arange(-around, around + 1, device=logits.device)
    rows, columns = (centre[..., None] + offsets for centre in (best // width, best % width))  # (N, K, 2 around + 1)
    inside = ((rows >= 0) & (rows < height))[..., None] & ((columns >= 0) & (columns < width))[..., None, :]
    index = (rows.clamp(0, height - 1)[..., None] * width + columns.clamp(0, width - 1)[..., None, :]).flatten(2)
    local = logits.flatten(2).gather(-1, index).masked_fill(~inside.flatten(2), -torch.inf)
    # The fraction of all cells is taken in logarithms: far from the peak single cells are below float32.
    confidence = (local.logsumexp(-1) - logits.flatten(2).logsumexp(-1)).exp()
    weight = torch.softmax(local, -1).unflatten(-1, inside.shape[-2:])
    x = (weight.sum(-2) * columns).sum(-1)
    y = (weight.sum(-1) * rows).sum(-1)
    return torch.stack([x, y], -1), confidence


def integral(logits: Tensor) -> Tensor:
    """(N, K, 2) mean over all cells of the softmax of logits (N, K, H, W): OPEC-Net's equation 2."""
    probability = distributions(logits)
    x, y = (torch.arange(side, dtype=torch.float32, device=logits.device) for side in logits.shape[:-3:-1])
    # Not as a product of matrices, which autocast would round to a fraction of a cell.
    return torch.stack([(probability.sum(-2) * x).sum(-1), (probability.sum(-1) * y).sum(-1)], -1)


def means_within(probability: Tensor, cells: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """Points (N, K, 2) and confidences (N, K) of distributions (N, K, T) over cells at (T, 2).

    The point is the mean over the cells nearer than `radius` to the likeliest one, the confidence their fraction.
    """
    peak = cells[probability.argmax(-1)]
    near = probability * ((cells - peak[:, :, None]).norm(dim=-1) < radius)
    confidence = near.sum(-1)
    return near @ cells / confidence[..., None], confidence


def spread(probability: Tensor, point: Tensor) -> Tensor:
    """(N, K) root mean square distance, per axis, from a point to where the keypoint may be; cells.

    The variance about the point over the whole map, less that of the target's blur.
    """
    squared = _squared_distance(probability, point)
    variance = 0.5 * (probability * squared).sum((-1, -2)) - TARGET_SIGMA**2
    return variance.clamp_min(0.05**2).sqrt()


def mass_within(probability: Tensor, point: Tensor, radius: Tensor) -> Tensor:
    """(N, K) fraction of the distribution within a radius (N, 1), cells, of a point; the edge is soft over a cell."""
    distance = _squared_distance(probability, point).sqrt()
    inside = torch.sigmoid(4 * (radius[..., None, None] - distance))
    return (probability * inside).sum((-1, -2)).clamp(0, 1)


def _squared_distance(probability: Tensor, point: Tensor) -> Tensor:
    axis = torch.arange(probability.shape[-1], dtype=probability.dtype, device=probability.device)
    along = (axis - point[..., None]) ** 2  # (N, K, 2, S)
    return along[..., 1, :, None] + along[..., 0, None, :]
