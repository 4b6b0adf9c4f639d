"""Objects in COCO's JSON, labelled or detected: datasets and lists of results, read as data of strangers.

Everything is checked, and no path in a file is ever opened. A picture finds its objects by its file's name, or by its
frame_id where the file names none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from pycocotools import mask as pycoco

from pipeline.core import masks
from pipeline.core.instances import Instance, subcategory_of, tight
from pipeline.core.tables import CATEGORY_IDS

_VEHICLES = "car,truck,bus,motorcycle,bicycle,van,lorry,vehicle,minibus,taxi,train,motorbike,suv"
# COCO's own numbers, where a file of results names no categories.
_COCO_NUMBERS = {1: "person", 2: "bicycle", 3: "car", 4: "motorcycle", 6: "bus", 7: "train", 8: "truck"}


@dataclass(frozen=True)
class CocoNames:
    """What a file's categories and pixels mean."""

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
    scale: float = field(
        default=1.0, metadata={"help": "the file's pixels per frame pixel: 2 for WALT's 4K boxes of 1080p frames"}
    )

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"coco: scale must be above 0, got {self.scale}")


@dataclass(frozen=True)
class CocoObject:
    """One object as the file has it, its segmentation yet unread; `where` names it in messages."""

    category: str
    score: float
    segmentation: Any
    where: str
    subcategory: str | None = None

    def instance(
        self, size_hw: tuple[int, int], scale: float = 1.0, ignore: np.ndarray | None = None
    ) -> Instance | None:
        """The object in a picture of that size, without what lies in ignore (H, W) bool; None where nothing is left."""
        mask = segmentation_mask(self.segmentation, size_hw, scale, self.where)
        cropped = tight(mask if ignore is None else mask & ~ignore)
        return None if cropped is None else Instance(self.category, self.score, *cropped, self.subcategory)


Objects = dict[int, list[CocoObject]]  # by frame_id


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises ValueError that names it."""
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON: {error}") from None


def read_objects(
    content: Any, names: CocoNames, frames: pa.Table, file: str, images: str = "", *, crowds: bool = False
) -> Objects:
    """The objects of a results list or a dataset, which came from `file`, by the frame_id of FRAMES.

    images: a dataset whose `images` and `categories` those of results are, in place of the file's own. crowds: the
    crowds, regions to ignore, in place of the objects.
    """
    dataset = content if isinstance(content, dict) else {}
    if images:
        dataset = {**_mapping(read_json(Path(images)), images), "annotations": None}
    rows = content if isinstance(content, list) else dataset.get("annotations")
    rows = records(rows, f"{file}: expected a list of results or a dataset with `annotations`")
    pictures = records(dataset.get("images", []), f"{images or file}: images")
    frame_of = match_images(pictures, frames, images or file)
    category_of = _categories(dataset, names, images or file)
    name_of = _class_names(dataset, names, images or file)
    found: Objects = {}
    for number, row in enumerate(rows):
        where = f"{file}: detection {number}"
        number_of_class = integer(row.get("category_id"), f"{where}: category_id")
        category = category_of.get(number_of_class)
        image_id = row.get("image_id")
        frame = frame_of.get(str(image_id)) if pictures else integer(image_id, f"{where}: image_id")
        if category is None or frame is None or bool(row.get("iscrowd")) != crowds:
            continue
        score = score_of(row.get("score", 1.0), where)
        fine = subcategory_of(name_of.get(number_of_class, ""))
        found.setdefault(frame, []).append(CocoObject(category, score, row.get("segmentation"), where, fine))
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
    return {key: integer(n, f"{where}: image {key}: no frame has its name; its frame_id") for key, n in numbers.items()}


def _categories(dataset: dict, names: CocoNames, where: str) -> dict[int, str]:
    """Our category of each category_id; those of neither kind are left out."""
    listed = dataset.get("categories")
    if not listed:
        return number_pairs(names.category_numbers, "category_numbers")
    kinds = {n.strip().lower(): "person" for n in names.person_names.split(",")}
    kinds |= {n.strip().lower(): "vehicle" for n in names.vehicle_names.split(",")}
    rows = records(listed, f"{where}: categories")
    ids = {
        integer(r.get("id"), f"{where}: category id"): kinds.get(str(r.get("name", "")).strip().lower()) for r in rows
    }
    return {number: category for number, category in ids.items() if category}


def _class_names(dataset: dict, names: CocoNames, where: str) -> dict[int, str]:
    """What each category_id is called: by the file, else by COCO where the numbers are meant as COCO's."""
    listed = dataset.get("categories")
    if not listed:
        return _COCO_NUMBERS if names.category_numbers == CocoNames.category_numbers else {}
    rows = records(listed, f"{where}: categories")
    return {integer(r.get("id"), f"{where}: category id"): str(r.get("name", "")) for r in rows}


def number_pairs(listed: str, key: str) -> dict[int, str]:
    """Category by number of a list `1:person,2:vehicle`, the setting `key`."""
    try:
        pairs = {int(number): category.strip() for number, category in (p.split(":") for p in listed.split(","))}
    except ValueError:
        raise ValueError(f"detector coco: {key}: expected number:category pairs, got {listed!r}") from None
    if not set(pairs.values()) <= set(CATEGORY_IDS):
        raise ValueError(f"detector coco: {key}: categories are {', '.join(CATEGORY_IDS)}, got {listed!r}")
    return pairs


def postgres_array(text: Any, where: str) -> list[float]:
    """The numbers of a Postgres array, "{1,2.5,3}"; a JSON list of numbers is taken as well."""
    parts = text if isinstance(text, list) else str(text).strip().removeprefix("{").removesuffix("}").split(",")
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError):
        raise ValueError(f"{where}: expected numbers as {{x,y,...}}, got {str(text)[:80]!r}") from None
    if not np.isfinite(numbers).all():
        raise ValueError(f"{where}: expected finite numbers, got {str(text)[:80]!r}")
    return numbers


def segmentation_mask(shape: Any, size_hw: tuple[int, int], scale: float, where: str) -> np.ndarray:
    """The mask (H, W) bool of polygons or of a run-length encoding, whose pixels are 1 / scale of the frame's.

    Raises ValueError, which says where, for anything else.
    """
    if isinstance(shape, dict):
        return _run_length_mask(shape, size_hw, scale, where)
    if not isinstance(shape, list) or not shape:
        raise ValueError(f"{where}: expected a segmentation of polygons or run lengths, got {str(shape)[:80]!r}")
    mask = np.zeros(size_hw, bool)
    for polygon in shape:
        points = np.array(postgres_array(polygon, f"{where}: polygon")) / scale
        if len(points) < 6 or len(points) % 2:
            raise ValueError(f"{where}: polygon: expected x, y of 3 points or more, got {len(points)} numbers")
        # Far-off corners only cost memory.
        points = np.clip(points.reshape(-1, 2), [-size_hw[1], -size_hw[0]], [2 * size_hw[1], 2 * size_hw[0]])
        rles = pycoco.frPyObjects([points.reshape(-1).tolist()], *size_hw)
        mask |= pycoco.decode(rles)[..., 0].astype(bool)
    return mask


def _run_length_mask(shape: dict, size_hw: tuple[int, int], scale: float, where: str) -> np.ndarray:
    expected, size = [round(v * scale) for v in size_hw], shape.get("size")
    if size != expected:
        raise ValueError(f"{where}: segmentation size: expected {expected}, the frame's times scale, got {size}")
    counts = shape.get("counts")
    if not isinstance(counts, str):
        runs = np.array(postgres_array(counts, f"{where}: counts") or [0], np.int64)
        if (runs < 0).any() or runs.sum() > np.prod(expected):
            raise ValueError(f"{where}: run lengths that leave the picture {size[0]}x{size[1]}")
        counts = pycoco.frPyObjects({"size": expected, "counts": runs.tolist()}, *expected)["counts"].decode("ascii")
    try:
        mask = masks.full(counts, (expected[0], expected[1]))
    except (ValueError, IndexError):
        raise ValueError(f"{where}: run lengths that leave the picture {size[0]}x{size[1]}") from None
    if scale == 1:
        return mask
    return cv2.resize(mask.astype(np.float32), size_hw[::-1], interpolation=cv2.INTER_AREA) >= 0.5


def records(value: Any, where: str) -> list[dict]:
    """A list of JSON objects, or ValueError."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise ValueError(f"{where}: expected a list of objects, got {type(value).__name__}")
    return value


def _mapping(value: Any, where: str) -> dict:
    if not isinstance(value, dict):
        raise ValueError(f"{where}: expected a COCO dataset, got {type(value).__name__}")
    return value


def integer(value: Any, where: str) -> int:
    """A whole number, or ValueError."""
    try:
        if isinstance(value, float) and not value.is_integer():
            raise ValueError
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{where}: expected a whole number, got {str(value)[:80]!r}") from None


def score_of(value: Any, where: str) -> float:
    """A score within 0 to 1, or ValueError."""
    try:
        return float(np.clip(float(value), 0.0, 1.0))
    except (TypeError, ValueError):
        raise ValueError(f"{where}: score: expected a number, got {str(value)[:80]!r}") from None
