"""Which pixels of a frame its detections cover, how surely: the objects, what is beside them, where their shadows lie.

Maps are (rows, columns) uint8 of cells of CELL_PX, 0 where nothing is near, else one of LEVELS, the nearest the
largest. The levels nest: a pixel that is free at one is free at all larger ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.core import masks

CELL_PX = 4
# How far beyond a mask each level reaches, in sizes of the object (the shorter side of its box) across the picture;
# half as far up and down it, for the ground recedes. In low sun a shadow is longer than the object is high; what is too
# far costs nothing where frames abound.
REACHES = (4.0, 2.0, 1.0, 0.5, 0.0)
LEVELS = tuple(range(1, len(REACHES) + 1))
ON_IT = LEVELS[-1]
# A mask is off by so much, and the lens softens its edge.
_EDGE_PX = 5.0
_MOST_FRACTION = 0.35  # of the frame's width


def covered_levels(rles: Sequence[str], size_hw: tuple[int, int]) -> np.ndarray:
    """The map of a frame of size_hw with these masks in it."""
    rows, columns = cells_of(size_hw)
    covered = np.zeros((rows, columns), np.uint8)
    for rle in rles:
        crop, box = masks.decode(rle, size_hw)
        if crop.size:
            place, level = _reached(crop, box, (rows, columns), _MOST_FRACTION * size_hw[1])
            np.maximum(covered[place], level, out=covered[place])
    return covered


def cells_of(size_hw: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the map of a frame."""
    return -(-size_hw[0] // CELL_PX), -(-size_hw[1] // CELL_PX)


def _reached(
    crop: np.ndarray, box: tuple[int, int, int, int], cells: tuple[int, int], most_px: float
) -> tuple[tuple[slice, slice], np.ndarray]:
    """The part of the map that a mask's crop at its box reaches, and the levels there."""
    x, y, w, h = box
    reaches = [_EDGE_PX + min(reach * min(w, h), most_px) for reach in REACHES]
    pad = int(reaches[0] // CELL_PX) + 1
    left, top = max(x // CELL_PX - pad, 0), max(y // CELL_PX - pad, 0)
    right, bottom = min((x + w) // CELL_PX + 1 + pad, cells[1]), min((y + h) // CELL_PX + 1 + pad, cells[0])
    # Twice as many rows as the map has: a step up counts double.
    there = np.zeros(((bottom - top) * 2, right - left), np.uint8)
    ys, xs = np.nonzero(crop)
    there[(ys + y) * 2 // CELL_PX - 2 * top, (xs + x) // CELL_PX - left] = 1
    away = CELL_PX * cv2.distanceTransform(1 - there, cv2.DIST_L2, 3).reshape(bottom - top, 2, -1).min(axis=1)
    level = np.zeros(away.shape, np.uint8)
    for number, reach in zip(LEVELS, reaches, strict=True):
        level[away <= reach] = number
    return (slice(top, bottom), slice(left, right)), level
