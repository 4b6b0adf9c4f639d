"""Objects in COCO's JSON, labelled or detected: datasets and lists of results, read as data of strangers.

Everything is checked, and no path in a file is ever opened. A picture finds its objects by its file's name, or by its
frame_id where the file names no pictures; what is left out is counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from models.labels.coco_images import Frames
from models.labels.segmentations import postgres_array, segmentation_mask
from pipeline.core.account import Account
from pipeline.core.instances import Instance, subcategory_of, tight
from pipeline.core.tables import CATEGORY_IDS
from readers.json_file import read_json

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
    declared_hw: tuple[int, int] | None = None  # the picture's size as the file has it

    def instance(
        self, size_hw: tuple[int, int], scale: float = 1.0, ignore: np.ndarray | None = None
    ) -> Instance | None:
        """The object in a picture of that size, without what lies in ignore (H, W) bool; None where nothing is left."""
        declared = self.declared_hw if scale == 1 else None
        factor = (declared[0] / size_hw[0], declared[1] / size_hw[1]) if declared else scale
        mask = segmentation_mask(self.segmentation, size_hw, factor, self.where)
        cropped = tight(mask if ignore is None else mask & ~ignore)
        return None if cropped is None else Instance(self.category, self.score, *cropped, self.subcategory)


class Objects(dict[int, list[CocoObject]]):
    """Objects by frame_id, and the account of what the file held."""

    def __init__(self, account: Account) -> None:
        super().__init__()
        self.account = account


def read_objects(
    content: Any, names: CocoNames, frames: pa.Table, file: str, images: str = "", *, crowds: bool = False
) -> Objects:
    """The objects of a results list or a dataset, which came from `file`, by the frame_id of FRAMES.

    images: a dataset whose `images` and `categories` those of results are, in place of the file's own. crowds: the
    crowds, regions to ignore, in place of the objects. Raises ValueError where the file has objects and none can be
    used, naming why.
    """
    dataset = content if isinstance(content, dict) else {}
    if images:
        dataset = {**_mapping(read_json(Path(images)), images), "annotations": None}
    rows = content if isinstance(content, list) else dataset.get("annotations")
    rows = records(rows, f"{file}: expected a list of results or a dataset with `annotations`")
    account = Account(file, "crowds" if crowds else "detections")
    pictures = records(dataset.get("images", []), f"{images or file}: images")
    frame_of = match_images(pictures, frames, images or file, account)
    declared = _declared_sizes(pictures, frame_of, frames, names, account)
    classes = _classes(dataset, names, images or file)
    found = Objects(account)
    for number, row in enumerate(rows):
        where = f"{file}: detection {number}"
        number_of_class = integer(row.get("category_id"), f"{where}: category_id")
        image_id = row.get("image_id")
        frame = frame_of.get(str(image_id)) if pictures else integer(image_id, f"{where}: image_id")
        if bool(row.get("iscrowd")) != crowds:
            continue
        account.read += 1
        category, name = classes.get(number_of_class, (None, f"number {number_of_class}"))
        if reason := _not_used(row, category, name, frame, crowds):
            account.leave_out(reason)
            continue
        assert category is not None and frame is not None
        score = score_of(row.get("score", 1.0), where)
        one = CocoObject(
            category, score, row.get("segmentation"), where, subcategory_of(name), declared.get(str(image_id))
        )
        found.setdefault(frame, []).append(one)
    if account.read and not account.used and not crowds:
        raise ValueError(f"{file}: none of its {account.read} detections can be used: {account.why()}")
    check_inside(found, frames, names.scale, file)
    return found


def _not_used(row: dict, category: str | None, name: str, frame: int | None, crowds: bool) -> str:
    """Why a row is left out, as an Account says it; nothing for one that is used."""
    if category is None:
        return f"of class {name!r}, which neither person_names nor vehicle_names of the coco detector lists"
    if frame is None:
        return "of pictures that are none of the frames"
    if "bbox" in row and not row.get("segmentation", True) and not crowds:
        return ("with a box alone: objects are cut out by their masks, so segmentations (polygons or run lengths) are "
                "needed")  # fmt: skip
    return ""


def check_inside(found: Objects, frames: pa.Table, scale: float, file: str) -> None:
    """Raises ValueError where polygons mostly leave their frames: they are of pictures of another size."""
    if "width" not in frames.column_names or not frames.num_rows:
        return
    width, height = frames["width"][0].as_py(), frames["height"][0].as_py()
    seen = beyond = 0
    reach = 0.0
    for one in (one for objects in found.values() for one in objects if one.declared_hw is None):
        if isinstance(one.segmentation, list) and one.segmentation:
            points = np.array(postgres_array(one.segmentation[0], f"{one.where}: polygon")) / scale
            points = points[: len(points) // 2 * 2].reshape(-1, 2)
            seen += 1
            outside = bool(len(points)) and bool((points.max(axis=0) > [1.1 * width + 2, 1.1 * height + 2]).any())
            beyond += outside
            reach = max(reach, float(points.max(initial=0)))
    if 2 * beyond > seen:
        raise ValueError(
            f"{file}: {beyond} of {seen} outlines leave their frames of {width}x{height}, as far as {reach:.0f}; are "
            "they of pictures of another size? Give width and height in its `images`, or the setting `scale`"
        )


def match_images(images: list[dict], frames: pa.Table, where: str, account: Account) -> dict[str, int]:
    """frame_id of each image id (as a string): by file name, or by frame_id where no image has a name.

    Names are compared from their ends, so that folders may differ, and as Label Studio and Roboflow respell them.
    Raises ValueError for a name that fits several frames, for several images of one frame, and where none fits.
    """
    named = [str(image.get("file_name") or "").replace("\\", "/") for image in images]
    if not any(named):
        numbers = {str(i.get("id")): i.get("frame_id", i.get("id")) for i in images}
        return {key: integer(n, f"{where}: image {key}: frame_id") for key, n in numbers.items()}
    known = Frames.of(frames)
    matched: dict[str, int] = {}
    respelled: dict[int, str] = {}
    for image, name in zip(images, named, strict=True):
        frame, other = known.find(name, where) if name else (None, False)
        if frame is None and "frame_id" in image:
            frame = integer(image["frame_id"], f"{where}: image {name!r}: frame_id")
        if frame is None:
            continue
        if other and frame in respelled:
            raise ValueError(
                f"{where}: images {respelled[frame]!r} and {name!r} are of one frame; export it without augmentation"
            )
        if other:
            respelled[frame] = name
        matched[str(image.get("id"))] = frame
    if not matched:
        raise ValueError(
            f"{where}: none of its {len(images)} images is a frame: they are named as {named[0]!r}, the frames as "
            f"{known.example!r}. Rename them in file_name, or give each image its frame_id"
        )
    lost = [name for image, name in zip(images, named, strict=True) if str(image.get("id")) not in matched]
    if lost:
        account.notes.append(f"{len(lost)} of {len(images)} images are none of the frames, the first {lost[0]!r}")
    if respelled:
        frame, name = next(iter(respelled.items()))
        account.notes.append(f"{len(respelled)} images are known by another spelling, the first {name!r}")
    return matched


def _declared_sizes(
    pictures: list[dict], frame_of: dict[str, int], frames: pa.Table, names: CocoNames, account: Account
) -> dict[str, tuple[int, int]]:
    """(height, width) of the images, by id, that the file says otherwise than their frames have it; none where the
    setting `scale` says how they differ. Raises ValueError for one that is turned."""
    if "width" not in frames.column_names or names.scale != 1:
        return {}
    columns = (frames[name].to_pylist() for name in ("frame_id", "height", "width"))
    sizes = {frame_id: (height, width) for frame_id, height, width in zip(*columns, strict=True)}
    found: dict[str, tuple[int, int]] = {}
    for picture in pictures:
        key = str(picture.get("id"))
        ours = sizes.get(frame_of.get(key, -1))
        said = picture.get("height"), picture.get("width")
        if ours is None or None in said:
            continue
        where = f"{account.file}: image {key}"
        theirs = integer(said[0], f"{where}: height"), integer(said[1], f"{where}: width")
        if min(theirs) < 1 or theirs == ours:
            continue
        if theirs == ours[::-1]:
            raise ValueError(f"{where} is {theirs[1]}x{theirs[0]}, its frame {ours[1]}x{ours[0]}: it is turned; label "
                             "the pictures as the camera's recording shows them")  # fmt: skip
        found[key] = theirs
    if found:
        (height, width), (h, w) = next(iter(found.values())), sizes[frame_of[next(iter(found))]]
        account.notes.append(f"{len(found)} images are of {width}x{height} there and {w}x{h} here: outlines are scaled "
                             f"by {w / width:.3g} and {h / height:.3g}")  # fmt: skip
    return found


def _classes(dataset: dict, names: CocoNames, where: str) -> dict[int, tuple[str | None, str]]:
    """Our category, None for one of neither kind, and the name of each category_id: by the file, else by COCO where the
    numbers are meant as COCO's."""
    listed = dataset.get("categories")
    if not listed:
        known = _COCO_NUMBERS if names.category_numbers == CocoNames.category_numbers else {}
        pairs = number_pairs(names.category_numbers, "category_numbers")
        return {number: (category, known.get(number, "")) for number, category in pairs.items()}
    kinds = {n.strip().lower(): "person" for n in names.person_names.split(",")}
    kinds |= {n.strip().lower(): "vehicle" for n in names.vehicle_names.split(",")}
    rows = records(listed, f"{where}: categories")
    named = {integer(r.get("id"), f"{where}: category id"): str(r.get("name", "")) for r in rows}
    return {number: (kinds.get(name.strip().lower()), name) for number, name in named.items()}


def number_pairs(listed: str, key: str) -> dict[int, str]:
    """Category by number of a list `1:person,2:vehicle`, the setting `key`."""
    try:
        pairs = {int(number): category.strip() for number, category in (p.split(":") for p in listed.split(","))}
    except ValueError:
        raise ValueError(f"detector coco: {key}: expected number:category pairs, got {listed!r}") from None
    if not set(pairs.values()) <= set(CATEGORY_IDS):
        raise ValueError(f"detector coco: {key}: categories are {', '.join(CATEGORY_IDS)}, got {listed!r}")
    return pairs


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
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{where}: score: expected a number, got {str(value)[:80]!r}") from None
