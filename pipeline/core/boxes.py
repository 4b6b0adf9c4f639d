"""What boxes have in common. Boxes are xywh in COCO's edge coordinates, in arrays whose last axis is those 4."""

from __future__ import annotations

import numpy as np


def box_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (..., 4), 0 to 1, element by element: (P, 4) and (P, 4) give (P,).

    As numpy broadcasts: (N, 1, 4) and (M, 4) give (N, M), every one with every other.
    """
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., :2] + first[..., 2:], second[..., :2] + second[..., 2:])
    both = np.maximum(high - low, 0).prod(axis=-1)
    return both / np.maximum(first[..., 2:].prod(axis=-1) + second[..., 2:].prod(axis=-1) - both, 1e-9)


def meeting_pairs(group: np.ndarray, box_xywh: np.ndarray, gap_px: float = 0.0) -> np.ndarray:
    """(P, 2) rows i, j of one group (a frame's number) whose boxes, gap_px apart at most, meet; each pair once.

    Sorted by group and left edge, so the cost is that of the pairs that share columns, never N x N.
    """
    if not len(group):
        return np.zeros((0, 2), np.int64)
    _, number = np.unique(group, return_inverse=True)
    left, right = box_xywh[:, 0] - gap_px, box_xywh[:, 0] + box_xywh[:, 2]
    lane = float(right.max() - left.min()) + 1.0  # groups laid side by side on one line
    order = np.lexsort((left, number))
    start = number[order] * lane + (left[order] - left.min())
    end = number[order] * lane + (right[order] - left.min())
    count = np.searchsorted(start, end, side="left") - np.arange(len(order)) - 1
    count = np.maximum(count, 0)
    first = np.repeat(np.arange(len(order)), count)
    second = first + 1 + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    pairs = np.stack([order[first], order[second]], axis=1)
    top, bottom = box_xywh[:, 1], box_xywh[:, 1] + box_xywh[:, 3]
    apart = np.maximum(top[pairs[:, 0]], top[pairs[:, 1]]) - np.minimum(bottom[pairs[:, 0]], bottom[pairs[:, 1]])
    return pairs[apart < gap_px]
