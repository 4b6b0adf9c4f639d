"""What every detector gives for a frame: instances with a category, a score and a mask.

Boxes are xywh in COCO's edge coordinates; a mask is its tight crop (h, w) bool with its top-left pixel at xy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from pipeline.core.tables import CATEGORY_IDS


@dataclass(frozen=True)
class Instance:
    """One object in one frame; category person or vehicle, score 0 to 1, crop (h, w) bool at xy."""

    category: str
    score: float
    crop: np.ndarray
    xy: tuple[int, int]

    def __post_init__(self) -> None:
        if self.category not in CATEGORY_IDS:
            raise ValueError(f"instance category: expected one of {', '.join(CATEGORY_IDS)}, got {self.category!r}")
        if self.crop.ndim != 2 or self.crop.dtype != bool or not self.crop.size:
            raise ValueError(f"instance mask: expected (h, w) bool, got {self.crop.shape} {self.crop.dtype}")

    @property
    def box_xywh(self) -> tuple[int, int, int, int]:
        """The box of the mask."""
        height, width = self.crop.shape
        return (*self.xy, width, height)


class Detector(Protocol):
    """Finds the instances of a frame (H, W, 3) BGR uint8; the bucket names its background."""

    def __call__(self, image_bgr: np.ndarray, bucket: str, frame_id: int) -> list[Instance]: ...


@runtime_checkable
class BatchDetector(Protocol):
    """A detector that is quicker with up to `batch` frames at a time, and needs no background of them."""

    batch: int

    def many(self, images_bgr: Sequence[np.ndarray]) -> list[list[Instance]]:
        """The instances of each frame."""
        ...


def tight(mask: np.ndarray, xy: tuple[int, int] = (0, 0)) -> tuple[np.ndarray, tuple[int, int]] | None:
    """The crop of a mask (h, w) bool placed at xy that just holds its pixels, and its place; None for an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    crop = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.ascontiguousarray(crop), (xy[0] + int(columns[0]), xy[1] + int(rows[0]))
