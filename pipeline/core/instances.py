"""The objects of a frame: one as a detector gives it, and many as columns, which is what every network gives.

Boxes are xywh in COCO's edge coordinates; a mask is its tight crop (h, w) bool with its top-left pixel at xy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from pipeline.core import masks
from pipeline.core.tables import CATEGORY_IDS

TWO_WHEELERS = ("motorbike", "bicycle")
RIDER = "rider"
# What the data sets that detectors are trained on call the same thing: COCO, Cityscapes, BDD100K, UA-DETRAC, KITTI.
_SAME = {
    "pedestrian": "person", "people": "person", "person_sitting": "person", "cyclist": RIDER, "motorcyclist": RIDER,
    "truck": "lorry", "motorcycle": "motorbike", "bike": "bicycle", "suv": "car", "taxi": "car", "sedan": "car",
    "pickup truck": "car", "minivan": "van", "minibus": "van",
}  # fmt: skip


def subcategory_of(class_name: str) -> str | None:
    """The subcategory of a detector's class by its name; None of a class that is no more than a category."""
    plain = class_name.strip().lower()
    known = _SAME.get(plain, plain)
    return None if known in ("", "vehicle", "others") else known


@dataclass(frozen=True)
class Instance:
    """One object in one frame; category person or vehicle, score 0 to 1, crop (h, w) bool at xy.

    subcategory: the detector's own class, None where it tells no more than the category.
    """

    category: str
    score: float
    crop: np.ndarray
    xy: tuple[int, int]
    subcategory: str | None = None

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


class Instances(Mapping[str, Any]):
    """N objects of one frame as columns, each an array or a list of N rows, named as the columns of `objects`.

    A column beyond those of the table is kept as it is.
    """

    def __init__(self, size_hw: tuple[int, int], columns: Mapping[str, Any]) -> None:
        self.size_hw = size_hw
        self.columns = {name: np.asarray(c) if _numeric(c) else list(c) for name, c in columns.items()}
        counts = {name: len(column) for name, column in self.columns.items()}
        if len(set(counts.values())) > 1:
            raise ValueError(f"instances: expected columns of one length, got {counts}")
        self.count = next(iter(counts.values()), 0)

    def __getitem__(self, name: str) -> Any:
        if name not in self.columns:
            raise KeyError(f"instances: no column {name}; there are {', '.join(self.columns) or 'none'}")
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        """Number of objects."""
        return self.count

    def rows(self, chosen: Sequence[int] | np.ndarray) -> Instances:
        """The objects of an index, or of a bool mask."""
        index = np.flatnonzero(chosen) if np.asarray(chosen).dtype == bool else np.asarray(chosen, int)
        return Instances(
            self.size_hw,
            {n: c[index] if isinstance(c, np.ndarray) else [c[i] for i in index] for n, c in self.columns.items()},
        )

    def with_columns(self, columns: Mapping[str, Any]) -> Instances:
        """These objects with more columns, or with others in the place of those of the same name."""
        return Instances(self.size_hw, {**self.columns, **columns})

    def plain(self) -> list[dict[str, Any]]:
        """One dict of plain values an object, as JSON takes them; NaN becomes None."""
        return [{name: _plain(column[i]) for name, column in self.columns.items()} for i in range(len(self))]

    @staticmethod
    def detected(size_hw: tuple[int, int], found: Sequence[Instance]) -> Instances:
        """What a detector found in a frame, with DETECTIONS' columns category, subcategory, score, bbox_xywh and
        mask_rle."""
        boxes = np.array([one.box_xywh for one in found], float).reshape(-1, 4)
        rles = [masks.encode(one.crop, one.xy, size_hw) for one in found]
        scores = np.array([one.score for one in found], float)
        named = {name: [getattr(one, name) for one in found] for name in ("category", "subcategory")}
        return Instances(size_hw, {**named, "score": scores, "bbox_xywh": boxes, "mask_rle": rles})

    @staticmethod
    def joined(parts: Sequence[Instances]) -> Instances:
        """The objects of several parts of one frame, in their order. Raises ValueError for none."""
        if not parts:
            raise ValueError("instances: expected at least one part to join, got none")
        filled = [part for part in parts if len(part)] or [parts[0]]
        first = filled[0]
        return Instances(first.size_hw, {name: _stacked([part[name] for part in filled]) for name in first.columns})


def _numeric(column: Any) -> bool:
    return isinstance(column, np.ndarray) and column.dtype != object


def _stacked(columns: Sequence[Any]) -> Any:
    if all(isinstance(column, np.ndarray) for column in columns):
        return np.concatenate(columns)
    return [row for column in columns for row in column]


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value.tolist()]
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


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
