"""Labelled vehicles of public data sets in the project's twelve keypoints, one structure for every reader.

Keypoints are pixel centres, boxes COCO edges, and each vehicle knows the object it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.labels.keypoints import NAMES, UNKNOWN, LabelledCrop
from pipeline.core.tables import KEYPOINT_STATES

VISIBLE, SELF_OCCLUDED, OCCLUDED, TRUNCATED = range(len(KEYPOINT_STATES))


@dataclass(frozen=True)
class LabelledVehicle(LabelledCrop):
    """A labelled crop and where it is from: frame, the picture's name without camera; camera, its video; object_id,
    the same for one object in all cameras and frames of a sequence; sequence and intersection, "" where unknown.
    flag (12,): the file's own flags of visibility, 0 where unlabelled, as they stand."""

    frame: str = ""
    camera: str = ""
    object_id: int = -1
    sequence: str = ""
    intersection: str = ""
    flag: np.ndarray = field(default_factory=lambda: np.zeros(len(NAMES), np.int64))

    def __post_init__(self) -> None:
        count = len(NAMES)
        given = self.box_xywh.shape, self.xy.shape, self.state.shape, self.flag.shape
        if given != ((4,), (count, 2), (count,), (count,)):
            raise ValueError(
                f"{self.image}: expected box (4,), xy ({count}, 2), state and flag ({count},), got {given}"
            )


def objects_of(vehicles: Sequence[LabelledVehicle]) -> np.ndarray:
    """(N,) a number for each object: vehicles of one sequence with one object_id share it; those without have their
    own."""
    keys = [(v.sequence, v.object_id) if v.object_id >= 0 else ("", -1 - i) for i, v in enumerate(vehicles)]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], np.int64)


def checked_pictures(where: Path, vehicles: list[LabelledVehicle]) -> list[LabelledVehicle]:
    """The vehicles; raises ValueError in one line that names the first picture that is not there."""
    pictures = dict.fromkeys(v.image for v in vehicles)
    missing = [path for path in pictures if not path.is_file()]
    if missing:
        raise ValueError(f"{where}: {len(missing)} of {len(pictures)} labelled frames have no picture, the first is "
                         f"{missing[0]}; fetch them, or remove their labels")  # fmt: skip
    return vehicles


def checked_box(where: str, left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """Box xywh of edges; raises ValueError for one without an inside."""
    box = np.array([left, top, right - left, bottom - top], float)
    if not (np.isfinite(box).all() and (box[2:] > 0).all()):
        raise ValueError(f"{where}: expected a box left top right bottom with an inside, got "
                         f"{[left, top, right, bottom]}")  # fmt: skip
    return box


__all__ = [
    "NAMES",
    "OCCLUDED",
    "SELF_OCCLUDED",
    "TRUNCATED",
    "UNKNOWN",
    "VISIBLE",
    "LabelledVehicle",
    "checked_box",
    "checked_pictures",
    "objects_of",
]
