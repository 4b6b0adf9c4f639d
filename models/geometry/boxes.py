"""The frames of a crop: its box in [-1, 1], x right and y down, and the heatmap's cells, an integer at a cell's centre.

The crop is the vehicle keypoint network's, the box's longer side grown by GROWN, seen with fewer pixels; the heatmap
has a cell for every two of them and goes on beyond each edge, for points that the picture truncates.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.crops import GROWN

INPUT_PX = 96
COARSE_PX, REACH_COARSE = 4, 2  # the network's features: px of a cell, and cells beyond each edge
CELL_PX = 2
MAP_CELLS = 56
CELLS_PER_HALF = INPUT_PX / CELL_PX / GROWN / 2  # of half the box's longer side


def cells_of_box(xy: Tensor, aspect: Tensor, size: int = MAP_CELLS) -> Tensor:
    """Heatmap coordinates (N, K, 2) of points (N, K, 2) in boxes of aspect (N,) = width / height; size: cells of the
    map, which covers as much whatever it is."""
    return (size - 1) / 2 + xy * cells_per_unit(aspect, size)[:, None]


def box_of_cells(cells: Tensor, aspect: Tensor, size: int = MAP_CELLS) -> Tensor:
    """The inverse of `cells_of_box`."""
    return (cells - (size - 1) / 2) / cells_per_unit(aspect, size)[:, None]


def cells_per_unit(aspect: Tensor, size: int = MAP_CELLS) -> Tensor:
    """(N, 2) heatmap cells to a unit of the box's frame, along x and y."""
    return CELLS_PER_HALF * (size / MAP_CELLS) * torch.stack([aspect.clamp(max=1), (1 / aspect).clamp(max=1)], -1)


def to_box(edge_xy: np.ndarray, box_xywh: np.ndarray) -> np.ndarray:
    """Points (..., 2) in the frames of boxes (..., 4) from edge px."""
    return 2 * (edge_xy - box_xywh[..., :2]) / box_xywh[..., 2:] - 1


def from_box(xy: np.ndarray, box_xywh: np.ndarray) -> np.ndarray:
    """Edge px (..., 2) of points in the frames of boxes (..., 4)."""
    return (xy + 1) / 2 * box_xywh[..., 2:] + box_xywh[..., :2]


def box_matrix(box_xywh: np.ndarray) -> np.ndarray:
    """(3, 3) from homogeneous edge px to the box's frame."""
    (x, y, w, h) = box_xywh
    return np.array([[2 / w, 0, -2 * x / w - 1], [0, 2 / h, -2 * y / h - 1], [0, 0, 1.0]])
