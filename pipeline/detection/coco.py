"""Detections that another program made: COCO results, a COCO dataset, or WALT's JSON.

A frame finds its detections by its image's file name, by its frame_id where the file names none, or by its time (WALT).
The file is data of strangers: everything is checked, and no path in it is ever opened.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.core.instances import Instance, tight
from pipeline.core.tables import CATEGORY_IDS
from pipeline.detection.segmentations import postgres_array, segmentation_mask

_VEHICLES = "car,truck,bus,motorcycle,van,lorry,vehicle,minibus,taxi,train,motorbike"


@dataclass(frozen=True)
class CocoSettings:
    """The file and how its contents are read."""

    file: str = field(default="", metadata={"help": "path of the JSON file"})
    images: str = field(
        default="",
        metadata={"help": "COCO dataset JSON with the `images` (and `categories`) of a results file; may be empty"},
    )
    person_names: str = field(
        default="person,pedestrian,people", metadata={"help": "category names that are a person, comma-separated"}
    )
    vehicle_names: str = field(
        default=_VEHICLES, metadata={"help": "category names that are a vehicle, comma-separated"}
    )
    category_numbers: str = field(
        default="1:person,2:vehicle,3:vehicle,4:vehicle,6:vehicle,8:vehicle",
        metadata={"help": "what category_id means where the file names no categories, number:category pairs"},
    )
    walt_labels: str = field(
        default="1:vehicle,2:person", metadata={"help": "what WALT's label_id means, number:category"}
    )
    scale: float = field(
        default=1.0, metadata={"help": "the file's pixels per frame pixel: 2 for WALT's 4K boxes of 1080p frames"}
    )
    time_tolerance_s: float = field(
        default=0.05, metadata={"help": "WALT: largest distance between a detection's time and its frame's, seconds"}
    )


@dataclass(frozen=True)
class _Found:
    """One detection as the file has it: its segmentation yet unread."""

    category: str
    score: float
    segmentation: Any
    where: str


Detections = dict[int, list[_Found]]


class CocoDetector:
    """Detector that looks frames up in a file."""

    def __init__(
        self, settings: CocoSettings, size_hw: tuple[int, int], frames: pa.Table, ignore: np.ndarray | None = None
    ) -> None:
        if not settings.scale > 0:
            raise ValueError(f"detector coco: scale must be above 0, got {settings.scale}")
        self.settings, self.size_hw, self.ignore = settings, size_hw, ignore
        content = _load(settings.file, "file")
        if isinstance(content, list) and content and isinstance(content[0], dict) and "label_id" in content[0]:
            self.found = _walt(content, settings, frames)
        else:
            self.found = _coco(content, settings, frames)

    def __call__(self, image_bgr: np.ndarray, bucket: str, frame_id: int) -> list[Instance]:
        """Instances of a frame, in the file's order."""
        return self.of_size(frame_id, self.size_hw)

    def of_size(self, frame_id: int, size_hw: tuple[int, int]) -> list[Instance]:
        """Instances of a frame whose size is its own, as that of a picture in a folder."""
        instances = []
        for found in self.found.get(frame_id, []):
            mask = segmentation_mask(found.segmentation, size_hw, self.settings.scale, found.where)
            mask = mask if self.ignore is None else mask & ~self.ignore
            cut = tight(mask)
            if cut is not None:
                instances.append(Instance(found.category, found.score, *cut))
        return instances


def _load(file: str, key: str) -> Any:
    path = Path(file)
    if not file or not path.is_file():
        raise ValueError(f"detector coco: {key} {file!r}: no such file; set `{key}` to a JSON of detections")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON: {error}") from None


def _coco(content: Any, settings: CocoSettings, frames: pa.Table) -> Detections:
    """Detections by frame_id of a results list or a dataset."""
    dataset = content if isinstance(content, dict) else {}
    if settings.images:
        dataset = {**_mapping(_load(settings.images, "images"), settings.images), "annotations": None}
    rows = content if isinstance(content, list) else dataset.get("annotations")
    rows = _records(rows, f"{settings.file}: expected a list of results or a dataset with `annotations`")
    images = _records(dataset.get("images", []), f"{settings.images or settings.file}: images")
    frame_of = match_images(images, frames, settings.images or settings.file)
    category_of = _categories(dataset, settings)
    found: Detections = {}
    for number, row in enumerate(rows):
        where = f"{settings.file}: detection {number}"
        category = category_of.get(_integer(row.get("category_id"), f"{where}: category_id"))
        image_id = row.get("image_id")
        frame = frame_of.get(str(image_id)) if images else _integer(image_id, f"{where}: image_id")
        if category is None or frame is None or row.get("iscrowd"):
            continue
        score = _score(row.get("score", 1.0), where)
        found.setdefault(frame, []).append(_Found(category, score, row.get("segmentation"), where))
    return found


def match_images(images: list[dict], frames: pa.Table, where: str) -> dict[str, int]:
    """frame_id of each image id (as a string): by file name, or by frame_id where no name is a frame's.

    Names are compared from their ends, so that folders may differ; a name that fits several frames is an error.
    """
    by_name: dict[str, list[tuple[str, int]]] = {}
    for source, frame_id, position in zip(
        *(frames[c].to_pylist() for c in ("source", "frame_id", "position")), strict=True
    ):
        if position < 0:
            by_name.setdefault(PurePosixPath(source).name, []).append((source, frame_id))
    matched = {}
    for image in images:
        name = str(image.get("file_name", "")).replace("\\", "/")
        fitting = by_name.get(PurePosixPath(name).name, [])
        if len(fitting) > 1:
            fitting = [f for f in fitting if f[0].endswith(name) or name.endswith(f[0])]
            if len(fitting) != 1:
                raise ValueError(f"{where}: image {name!r} fits {len(fitting)} frames; give its folder in file_name")
        if fitting:
            matched[str(image.get("id"))] = fitting[0][1]
    if matched or not images:
        return matched
    numbers = {str(i.get("id")): i.get("frame_id", i.get("id")) for i in images}
    return {
        key: _integer(n, f"{where}: image {key}: no frame has its name; its frame_id") for key, n in numbers.items()
    }


def _categories(dataset: dict, settings: CocoSettings) -> dict[int, str]:
    """Our category of each category_id; those of neither kind are left out."""
    listed = dataset.get("categories")
    if not listed:
        return _pairs(settings.category_numbers, "category_numbers")
    names = {n.strip().lower(): "person" for n in settings.person_names.split(",")}
    names |= {n.strip().lower(): "vehicle" for n in settings.vehicle_names.split(",")}
    rows = _records(listed, f"{settings.images or settings.file}: categories")
    ids = {_integer(r.get("id"), "category id"): names.get(str(r.get("name", "")).strip().lower()) for r in rows}
    return {number: category for number, category in ids.items() if category}


def _pairs(listed: str, key: str) -> dict[int, str]:
    try:
        pairs = {int(number): category.strip() for number, category in (p.split(":") for p in listed.split(","))}
    except ValueError:
        raise ValueError(f"detector coco: {key}: expected number:category pairs, got {listed!r}") from None
    if not set(pairs.values()) <= set(CATEGORY_IDS):
        raise ValueError(f"detector coco: {key}: categories are {', '.join(CATEGORY_IDS)}, got {listed!r}")
    return pairs


def _walt(content: list, settings: CocoSettings, frames: pa.Table) -> Detections:
    """Detections by frame_id of WALT's list: bbox "{x,y,w,h,score}", segmentation "{x1,y1,...}", label_id and time."""
    labels = _pairs(settings.walt_labels, "walt_labels")
    rows = _records(content, f"{settings.file}: expected a list of detections")
    frame_ids = _frames_at([str(row.get("time")) for row in rows], frames, settings)
    found: Detections = {}
    for number, (row, frame) in enumerate(zip(rows, frame_ids, strict=True)):
        where = f"{settings.file}: detection {number}"
        category = labels.get(_integer(row.get("label_id"), f"{where}: label_id"))
        if category is None or frame is None:
            continue
        box = postgres_array(row.get("bbox"), f"{where}: bbox")
        if len(box) < 5:
            raise ValueError(f"{where}: bbox: expected {{x,y,w,h,score}}, got {row.get('bbox')!r}")
        polygon = postgres_array(row.get("segmentation"), f"{where}: segmentation")
        found.setdefault(frame, []).append(_Found(category, _score(box[4], where), [polygon], where))
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


def _records(value: Any, where: str) -> list[dict]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise ValueError(f"{where}: expected a list of objects, got {type(value).__name__}")
    return value


def _mapping(value: Any, where: str) -> dict:
    if not isinstance(value, dict):
        raise ValueError(f"{where}: expected a COCO dataset, got {type(value).__name__}")
    return value


def _integer(value: Any, where: str) -> int:
    try:
        if isinstance(value, float) and not value.is_integer():
            raise ValueError
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{where}: expected a whole number, got {str(value)[:80]!r}") from None


def _score(value: Any, where: str) -> float:
    try:
        return float(np.clip(float(value), 0.0, 1.0))
    except (TypeError, ValueError):
        raise ValueError(f"{where}: score: expected a number, got {str(value)[:80]!r}") from None
