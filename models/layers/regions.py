"""Regions of a picture, boxes (N, 4) xyxy: masks sampled in them and put back, and which of them tell of one object."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.core.instances import tight

_THRESHOLD = 0.5


def grown(boxes: Tensor, factor: float) -> Tensor:
    """Boxes about the same middles, their sides times a factor."""
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) * factor / 2
    return torch.cat([middle - half, middle + half], 1)


def sample_rasters(rasters: Tensor, boxes: Tensor, regions: Tensor, size: int) -> Tensor:
    """(N, C, size, size) of rasters (N, C, R, R) over boxes (N, 4), seen in regions (N, 4); zero beyond the boxes."""
    low, high = regions[:, :2], regions[:, 2:]
    step = (torch.arange(size, device=regions.device, dtype=regions.dtype) + 0.5) / size
    places = low[:, None] + step[:, None] * (high - low)[:, None]  # (N, size, 2) middles of the cells
    unit = 2 * (places - boxes[:, None, :2]) / (boxes[:, 2:] - boxes[:, :2]).clamp_min(1e-3)[:, None] - 1
    x, y = unit[:, None, :, 0].expand(-1, size, -1), unit[:, :, None, 1].expand(-1, -1, size)
    return F.grid_sample(rasters, torch.stack([x, y], -1), align_corners=False)


def paste(probability: np.ndarray, box_xyxy: np.ndarray, size_hw: tuple[int, int]) -> tuple[np.ndarray, tuple] | None:
    """The mask of a probability map (S, S) over a box, as the crop (h, w) bool that holds its pixels within a picture,
    and its place; None where no pixel is likely. Costs as much as the box is large, whatever the picture."""
    left, top = (max(int(np.floor(v)), 0) for v in box_xyxy[:2])
    right, bottom = (min(int(np.ceil(v)), n) for v, n in zip(box_xyxy[2:], size_hw[::-1], strict=True))
    if right <= left or bottom <= top:
        return None
    scale = len(probability) / np.maximum(box_xyxy[2:] - box_xyxy[:2], 1e-6)
    # Pixel centres: source = (target + 0.5 + left - x0) * scale - 0.5.
    shift = (np.array([left, top]) + 0.5 - box_xyxy[:2]) * scale - 0.5
    matrix = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    drawn = cv2.warpAffine(probability.astype(np.float32), matrix, (right - left, bottom - top), flags=flags)
    return tight(drawn >= _THRESHOLD, (left, top))


def box_overlaps(first: Tensor, second: Tensor) -> Tensor:
    """(N, M) intersection over union of boxes (N, 4) and (M, 4)."""
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    both = (high - low).clamp_min(0).prod(-1)
    one, other = ((b[:, 2:] - b[:, :2]).clamp_min(0).prod(-1) for b in (first, second))
    return both / (one[:, None] + other[None] - both).clamp_min(1e-9)


def distinct(scores: Tensor, overlap: Tensor, most: float) -> Tensor:
    """Indices, best first, of the candidates that no better one kept overlaps by more than `most`.

    scores (N,), overlap (N, N): greedy suppression, whatever the overlap is of.
    """
    order, kept = torch.argsort(scores, descending=True, stable=True), []
    same = (overlap > most)[order][:, order].cpu().numpy()
    gone = np.zeros(len(order), bool)
    for k in range(len(order)):
        if not gone[k]:
            kept.append(k)
            gone[k + 1 :] |= same[k, k + 1 :]
    return order[torch.tensor(kept, dtype=torch.int64, device=order.device)]
