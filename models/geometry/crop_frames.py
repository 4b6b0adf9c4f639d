"""The one frame of a person: the crop around the box, x and y in [-1, 1] from its left and top to its right and bottom
edge. Boxes, crops, heatmaps, sampling and both graphs speak it; a couple's is the same of the union of their boxes.

Of a map of W cells along an axis, cell i's centre is at (2 i + 1) / W - 1: torch's align_corners=False. Squares (N, 3)
are left, top and side, edge px, of `models.crops.squares_of`; the crop is their middle, `aspect` as wide as high.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

ALIGN_CORNERS = False  # -1 and 1 are the outer edges of the outer cells, not their centres


def crop_corners(squares: Tensor, aspect: float) -> tuple[Tensor, Tensor]:
    """Top-left corners (..., 2) and sizes (..., 2), width before height, edge px, of squares (..., 3)."""
    left, top, side = squares.unbind(-1)
    corner = torch.stack([left + side * (1 - aspect) / 2, top], -1)
    return corner, torch.stack([side * aspect, side], -1)


def to_frame(edge_xy: Tensor, squares: Tensor, aspect: float) -> Tensor:
    """Points (N, K, 2), edge px, in the frames of squares (N, 3)."""
    corner, size = crop_corners(squares, aspect)
    return 2 * (edge_xy - corner[:, None]) / size[:, None] - 1


def from_frame(xy: Tensor, squares: Tensor, aspect: float) -> Tensor:
    """The inverse of `to_frame`."""
    corner, size = crop_corners(squares, aspect)
    return (xy + 1) / 2 * size[:, None] + corner[:, None]


def reframed(xy: Tensor, squares: Tensor, others: Tensor, aspect: float) -> Tensor:
    """Points (N, K, 2) of the frames of squares (N, 3) in those of others (N, 3); in float64, as boxes are of large
    pictures."""
    return to_frame(from_frame(xy.double(), squares.double(), aspect), others.double(), aspect).to(xy.dtype)


def frame_of_cells(cells: Tensor, size_hw: tuple[int, int], first: float = 0.5) -> Tensor:
    """Points (..., 2) of heatmap coordinates; first: how far cell 0's centre is from the crop's edge, in cells."""
    return 2 * (cells + first) / torch.tensor(size_hw[::-1], dtype=cells.dtype, device=cells.device) - 1


def cells_of_frame(xy: Tensor, size_hw: tuple[int, int], first: float = 0.5) -> Tensor:
    """The inverse of `frame_of_cells`."""
    return (xy + 1) / 2 * torch.tensor(size_hw[::-1], dtype=xy.dtype, device=xy.device) - first


def sampled(features: Tensor, xy: Tensor) -> Tensor:
    """(N, K, C) of a map (N, C, H, W), bilinear, at points (N, K, 2); beyond the map its edge goes on."""
    found = F.grid_sample(features, xy[:, :, None], padding_mode="border", align_corners=ALIGN_CORNERS)
    return found[..., 0].transpose(1, 2)
