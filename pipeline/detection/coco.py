"""Detections that another program made: COCO results, a COCO dataset, or WALT's JSON.

A frame finds its detections by its image's file name, by its frame_id where the file names none, or by its time (WALT).
What is left out is counted and told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from models.labels.coco import (
    CocoNames,
    CocoObject,
    Objects,
    check_inside,
    integer,
    number_pairs,
    postgres_array,
    read_objects,
    records,
    score_of,
)
from pipeline.core.account import Account
from pipeline.core.instances import Instance
from pipeline.detection.registry import Backend, Inputs
from readers.json_file import read_json


@dataclass(frozen=True)
class CocoSettings(CocoNames):
    """The file and how its contents are read."""

    file: str = field(default="", metadata={"help": "path of the JSON file", "file": True})
    images: str = field(
        default="",
        metadata={
            "help": "COCO dataset JSON with the `images` (and `categories`) of a results file; may be empty",
            "file": True,
        },
    )
    walt_labels: str = field(
        default="1:vehicle,2:person", metadata={"help": "what WALT's label_id means, number:category"}
    )
    time_tolerance_s: float = field(
        default=0.05, metadata={"help": "WALT: largest distance between a detection's time and its frame's, seconds"}
    )


class CocoDetector:
    """Detector that looks frames up in a file."""

    def __init__(self, settings: CocoSettings, frames: pa.Table, ignore: np.ndarray | None = None) -> None:
        self.settings, self.ignore = settings, ignore
        for key in ("file", "images"):
            _check_file(getattr(settings, key), key)
        content = read_json(Path(settings.file))
        if isinstance(content, list) and content and isinstance(content[0], dict) and "label_id" in content[0]:
            self.found = _walt(content, settings, frames)
        else:
            self.found = read_objects(content, settings, frames, settings.file, settings.images)

    def __call__(self, image_bgr: np.ndarray, bucket: str, frame_id: int) -> list[Instance]:
        """Instances of a frame, in the file's order."""
        size_hw = image_bgr.shape[0], image_bgr.shape[1]
        found = [one.instance(size_hw, self.settings.scale, self.ignore) for one in self.found.get(frame_id, [])]
        return [instance for instance in found if instance is not None]


def _check_file(file: str, key: str) -> None:
    if not Path(file).is_file() and (file or key == "file"):
        raise ValueError(f"detector coco: {key} {file!r}: no such file; set `{key}` to a JSON of detections")


def _walt(content: list, settings: CocoSettings, frames: pa.Table) -> Objects:
    """Detections by frame_id of WALT's list: bbox "{x,y,w,h,score}", segmentation "{x1,y1,...}", label_id and time."""
    labels = number_pairs(settings.walt_labels, "walt_labels")
    rows = records(content, f"{settings.file}: expected a list of detections")
    frame_ids = _frames_at([str(row.get("time")) for row in rows], frames, settings)
    account = Account(settings.file, "detections", len(rows))
    found = Objects(account)
    for number, (row, frame) in enumerate(zip(rows, frame_ids, strict=True)):
        where = f"{settings.file}: detection {number}"
        label = integer(row.get("label_id"), f"{where}: label_id")
        category = labels.get(label)
        if category is None:
            account.leave_out(f"of label_id {label}, which walt_labels does not list")
            continue
        if frame is None:
            account.leave_out(f"farther than time_tolerance_s, {settings.time_tolerance_s:g} s, from every frame")
            continue
        box = postgres_array(row.get("bbox"), f"{where}: bbox")
        if len(box) < 5:
            raise ValueError(f"{where}: bbox: expected {{x,y,w,h,score}}, got {row.get('bbox')!r}")
        polygon = postgres_array(row.get("segmentation"), f"{where}: segmentation")
        found.setdefault(frame, []).append(CocoObject(category, score_of(box[4], where), [polygon], where))
    if account.read and not account.used:
        raise ValueError(f"{settings.file}: none of its {account.read} detections can be used: {account.why()}")
    check_inside(found, frames, settings.scale, settings.file)
    return found


def _frames_at(times: list[str], frames: pa.Table, settings: CocoSettings) -> list[int | None]:
    """The frame nearest to each time, None where it is farther than the tolerance; a time without a zone is UTC."""
    if "timestamp" not in frames.column_names:
        raise ValueError(f"{settings.file}: WALT's form finds frames by their time, which single pictures do not have; "
                         "run a camera's job with it, or give detections in COCO's form")  # fmt: skip
    try:
        asked = pd.to_datetime(pd.Series(times), utc=True, format="mixed").to_numpy("datetime64[us]").astype(np.int64)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{settings.file}: a time that cannot be read: {error}") from None
    stamps = frames["timestamp"].cast(pa.int64()).to_numpy()
    order = np.argsort(stamps, kind="stable")
    stamps, ids = stamps[order], frames["frame_id"].to_numpy()[order]
    right = (
        np.clip(np.searchsorted(stamps, asked), 1, max(len(stamps) - 1, 1))
        if len(stamps) > 1
        else np.zeros(len(asked), int)
    )
    left = np.maximum(right - 1, 0)
    nearest = np.where(np.abs(asked - stamps[left]) <= np.abs(asked - stamps[right]), left, right)
    near = np.abs(asked - stamps[nearest]) <= settings.time_tolerance_s * 1e6
    return [int(ids[k]) if ok else None for k, ok in zip(nearest, near, strict=True)]


def _told(settings: CocoSettings, inputs: Inputs) -> list[str]:
    return [str(_coco_detector(settings, inputs).found.account)]


def _coco_detector(settings: CocoSettings, inputs: Inputs) -> CocoDetector:
    assert inputs.frames is not None  # needed, hence there
    return CocoDetector(settings, inputs.frames, inputs.ignore)


BACKEND = Backend("coco", _coco_detector, CocoSettings, needs=("frames",), told=_told)
