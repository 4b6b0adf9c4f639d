"""A detection's appearance: colours of its masked pixels, upper and lower half apart, as a unit vector.

Two vectors compare by their inner product, the Bhattacharyya coefficient of the histograms: 1 for the same colours, 0
for none in common. Upper and lower half, because shirts and trousers, or windows and doors, seldom are of one colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from pipeline.core import masks
from pipeline.core.frames import FrameReader

_BINS = (8, 4, 6)  # of hue, saturation and value
_RANGES = (180, 256, 256)  # OpenCV's
_PARTS = 2
COLOURS = _PARTS * int(np.prod(_BINS))


def colours(frame_ids: np.ndarray, rles: Sequence[str], frames: pa.Table, root: Path) -> np.ndarray:
    """(N, COLOURS) unit vectors of N masks in their FRAMES, whose files are below root.

    Zeros, which resemble nothing, for an empty mask and where the frame cannot be read.
    """
    found = np.zeros((len(rles), COLOURS))
    order = np.argsort(frame_ids, kind="stable")
    starts = np.searchsorted(frame_ids[order], np.unique(frame_ids))
    rows_of = {int(frame_ids[rows[0]]): rows for rows in np.split(order, starts[1:]) if len(rows)}
    for frame_id, image in FrameReader(frames, root).read(rows_of):
        for row in rows_of[frame_id]:
            mask, (x, y, w, h) = masks.decode(rles[row], image.shape[:2])
            found[row] = histogram(image[y : y + h, x : x + w], mask)
    return found


def histogram(crop_bgr: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(COLOURS,) unit vector of a crop (h, w, 3) uint8 where its mask (h, w) bool is; zeros for an empty mask."""
    parts = []
    if mask.any():
        hsv = cv2.cvtColor(np.ascontiguousarray(crop_bgr), cv2.COLOR_BGR2HSV).astype(int)
        hue, saturation, value = np.moveaxis(hsv * _BINS // _RANGES, 2, 0)
        code = (hue * _BINS[1] + saturation) * _BINS[2] + value
        for half in np.array_split(np.arange(len(mask)), _PARTS):
            counts = np.bincount(code[half][mask[half]], minlength=int(np.prod(_BINS)))
            parts.append(_blurred(counts.reshape(_BINS).astype(float)).ravel() / max(counts.sum(), 1))
    together = np.sqrt(np.concatenate(parts)) if parts else np.zeros(COLOURS)
    return together / max(float(np.linalg.norm(together)), 1e-9)


def _blurred(counts: np.ndarray) -> np.ndarray:
    """Counts that spill into neighbouring bins, for illumination and noise move colours a little; hue is a circle."""
    for axis, mode in enumerate(("wrap", "edge", "edge")):
        around = [(1, 1) if k == axis else (0, 0) for k in range(3)]
        padded = np.pad(counts, around, mode=mode)  # type: ignore[call-overload]
        size = counts.shape[axis]
        before, here, after = (np.take(padded, range(k, k + size), axis) for k in range(3))
        counts = 0.25 * before + 0.5 * here + 0.25 * after
    return counts
