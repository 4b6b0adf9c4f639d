"""Which detections another one hides, the frame's border truncates, or a pole runs through.

Boxes are xywh in COCO's edges; nearer means a lower bottom edge; masks are run-length strings of frames of size_hw.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core import masks
from pipeline.core.boxes import box_iou, meeting_pairs
from pipeline.mining.observations import Observations


def touches_border(
    seen: Observations, size_hw: tuple[int, int], ignore: np.ndarray | None, border_px: int
) -> np.ndarray:
    """(N,) bool: the box comes within border_px of the frame's border, or the mask of an ignored pixel."""
    low, high = seen.box_xywh[:, :2], seen.box_xywh[:, :2] + seen.box_xywh[:, 2:]
    height, width = size_hw
    truncated = (low <= border_px).any(axis=1) | (high >= np.array([width, height]) - border_px).any(axis=1)
    if ignore is None or not ignore.any():
        return truncated
    wide = cv2.dilate(ignore.astype(np.uint8), np.ones((2 * border_px + 1,) * 2, np.uint8))
    # A summed-area table spares decoding the masks that are clear of it.
    total = cv2.integral(wide)
    (x0, y0), (x1, y1) = low.astype(int).T, high.astype(int).T
    near = total[y1, x1] - total[y0, x1] - total[y1, x0] + total[y0, x0] > 0
    for i in np.flatnonzero(near & ~truncated):
        crop, (x, y, w, h) = masks.decode(seen.rle[i], size_hw)
        truncated[i] = bool((wide[y : y + h, x : x + w].astype(bool) & crop).any())
    return truncated


def occluded_by_boxes(seen: Observations, delta: float) -> np.ndarray:
    """(N,) bool: WALT's test, made right: a nearer detection of the frame, whatever its score, overlaps.

    The boxes' IoU is above delta, the other's bottom edge is lower, and it covers more than delta of the width.
    """
    pairs = _behind_and_in_front(seen, 0.0)
    behind, front = seen.box_xywh[pairs[:, 0]], seen.box_xywh[pairs[:, 1]]
    right = np.minimum(behind[:, 0] + behind[:, 2], front[:, 0] + front[:, 2])
    across = (right - np.maximum(behind[:, 0], front[:, 0])) / behind[:, 2]
    hidden = np.zeros(len(seen), bool)
    hidden[pairs[(box_iou(behind, front) > delta) & (across > delta), 0]] = True
    return hidden


def occluded_by_masks(seen: Observations, size_hw: tuple[int, int], gap_px: int, fraction: float) -> np.ndarray:
    """(N,) bool: the mask of a nearer detection of the frame, whatever its score, touches more than a fraction of the
    outline: masks of one frame hardly ever overlap."""
    hidden = np.zeros(len(seen), bool)
    for i, j in _behind_and_in_front(seen, gap_px).tolist():
        if not hidden[i]:
            hidden[i] = contact(seen.rle[i], seen.rle[j], size_hw, gap_px) > fraction
    return hidden


def _behind_and_in_front(seen: Observations, gap_px: float) -> np.ndarray:
    """(P, 2) rows of two boxes that meet, the second nearer. Who is, nobody can tell within two pixels: both are."""
    pairs = meeting_pairs(seen.frame_id, seen.box_xywh, gap_px)
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    bottom = seen.box_xywh[:, 1] + seen.box_xywh[:, 3]
    return pairs[bottom[pairs[:, 1]] > bottom[pairs[:, 0]] - 2]


def contact(rle: str, other: str, size_hw: tuple[int, int], gap_px: int) -> float:
    """Fraction of the ring, gap_px wide, around a mask that another mask covers."""
    crop, (x, y, w, h) = masks.decode(rle, size_hw)
    second, (x2, y2, w2, h2) = masks.decode(other, size_hw)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * gap_px + 1,) * 2)
    around = cv2.dilate(np.pad(crop, gap_px).astype(np.uint8), kernel).astype(bool)
    there = np.zeros(around.shape, bool)
    x0, y0 = x - gap_px, y - gap_px
    left, top = max(x0, x2), max(y0, y2)
    right, bottom = min(x0 + w + 2 * gap_px, x2 + w2), min(y0 + h + 2 * gap_px, y2 + h2)
    if right > left and bottom > top:
        there[top - y0 : bottom - y0, left - x0 : right - x0] = second[top - y2 : bottom - y2, left - x2 : right - x2]
    # A mask that lies over the other's own pixels hides it as much as one beside it.
    return float((there & around).sum()) / max(int(around.sum() - crop.sum()), 1)


def behind_poles(seen: Observations, like_background: dict[int, str], size_hw: tuple[int, int]) -> np.ndarray:
    """(N,) bool: an upright strip of the empty street, a quarter of the box high, runs through the mask."""
    hidden = np.zeros(len(seen), bool)
    for i, detection_id in enumerate(seen.detection_id.tolist()):
        if detection_id in like_background:
            crop, _ = masks.decode(like_background[detection_id], size_hw)
            strip = np.ones((max(7, int(0.25 * seen.box_xywh[i, 3])), 2), np.uint8)
            hidden[i] = cv2.erode(crop.astype(np.uint8), strip, borderValue=0).any()
    return hidden
