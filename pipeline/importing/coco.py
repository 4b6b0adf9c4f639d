"""COCO instances, and the pair of files that this project's export writes: whole masks in one, seen ones in the other.

A file `instances_amodal_x.json` with `instances_visible_x.json` beside it gives both masks of an object, by its id. Any
other file gives one mask, which stands for both: nothing is known of what is hidden, and the account says so. Crowds
are regions to ignore. Keypoints of as many points as the category has here keep their place; v 2 is visible, 1 hidden.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from models.labels.coco import integer, read_json, records
from pipeline.core import masks
from pipeline.core.skeletons import OF_CATEGORY
from pipeline.importing.classes import ClassSettings, kind_of
from pipeline.importing.registry import Reader, ReadJob
from pipeline.importing.scenes import ReadObject, ReadScene, merged_regions, run_lengths

AMODAL, VISIBLE = "instances_amodal_", "instances_visible_"
# What exports keep of an object beyond COCO's own fields.
KEPT = ("subcategory", "track_id", "truncation")


@dataclass(frozen=True)
class CocoSettings(ClassSettings):
    """What a file's classes and pictures mean."""

    val: str = field(default="val", metadata={"help": "what a file's name holds whose pictures validate"})


@dataclass(frozen=True)
class Labels:
    """What one file holds: its images, annotations by image, and names of classes by number."""

    path: Path
    images: list[dict[str, Any]]
    of_image: Mapping[str, list[dict[str, Any]]]
    names: dict[int, str]

    @staticmethod
    def of(path: Path) -> Labels:
        """Read it. Raises ValueError that names it where it is no such file."""
        content = read_json(path)
        if not isinstance(content, dict):
            raise ValueError(f"{path}: expected an object with images and annotations, got {type(content).__name__}")
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in records(content.get("annotations"), f"{path}: annotations"):
            found[str(row.get("image_id"))].append(row)
        classes = records(content.get("categories", []), f"{path}: categories")
        names = {integer(one.get("id"), f"{path}: category id"): str(one.get("name", "")) for one in classes}
        return Labels(path, records(content.get("images"), f"{path}: images"), found, names)


def labels_of(source: Path) -> list[Path]:
    """The file itself, or a folder's files of whole masks, else all its JSON files that are no export's manifest."""
    if source.is_file():
        return [source]
    folders = [source, source / "annotations"]
    listed = [path for folder in folders for path in sorted(folder.glob("*.json")) if path.name != "export.json"]
    whole = [path for path in listed if path.name.startswith(AMODAL)]
    if not listed:
        raise ValueError(f"{source}: expected a JSON file of labels, or a folder of such, got none")
    return whole or listed


def read(job: ReadJob) -> Iterator[ReadScene]:
    """Every picture of every file."""
    for path in labels_of(job.source):
        labels, beside = Labels.of(path), path.with_name(path.name.replace(AMODAL, VISIBLE))
        seen: dict[str, Any] | None = None
        if beside != path and beside.is_file():
            rows = (row for rows in Labels.of(beside).of_image.values() for row in rows)
            seen = {str(row.get("id")): row.get("segmentation") for row in rows}
        else:
            job.account.notes.append(
                f"{path.name} has one mask an object, which stands for the whole and for what is seen"
            )
        split = "val" if job.settings.val in path.stem else "train"
        for image in labels.images:
            yield _scene(job, labels, image, split, seen)


def picture_of(job: ReadJob, path: Path, image: dict[str, Any], split: str) -> ReadScene:
    """A scene without objects, of an entry of COCO's images."""
    where = f"{path}: image {image.get('id')}"
    size_hw = integer(image.get("height"), f"{where}: height"), integer(image.get("width"), f"{where}: width")
    name = str(image.get("file_name") or "").replace("\\", "/")
    folder = job.images or next((one for one in (path.parent / "images", path.parent.parent / "images")
                                 if one.is_dir()), path.parent)  # fmt: skip
    if not name or ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
        raise ValueError(f"{where}: file_name: expected a name below the folder of pictures, got {name!r}")
    known: dict[str, Any] = {"split": image.get("split") if image.get("split") in ("train", "val") else split}
    known["timestamp"] = time_of(image.get("date_captured"))
    if image.get("scene_id"):
        known["scene_id"] = str(image["scene_id"])
    return ReadScene(folder / name, size_hw, known, [])


def time_of(text: Any) -> datetime | None:
    """When a picture was taken, if ISO 8601 says so."""
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None


def _scene(job: ReadJob, labels: Labels, image: dict[str, Any], split: str, seen: dict[str, Any] | None) -> ReadScene:
    scene = picture_of(job, labels.path, image, split)
    regions = []
    for row in labels.of_image.get(str(image.get("id")), []):
        where = f"{labels.path}: annotation {row.get('id')}"
        name = labels.names.get(integer(row.get("category_id"), f"{where}: category_id"), "")
        category, subcategory = kind_of(row, name, job.settings)
        if row.get("iscrowd"):
            if category:
                rle = run_lengths(row.get("segmentation"), scene.size_hw, where)
                regions.append((rle, str(row.get("reason", "unwatched")), category))
            continue
        job.account.read += 1
        if reason := reason_of(row, category, name):
            job.account.leave_out(reason)
            continue
        assert category is not None
        whole = run_lengths(row["segmentation"], scene.size_hw, where)
        visible = whole if seen is None else _visible(seen.get(str(row.get("id"))), scene.size_hw, where)
        one = object_of(row, category, whole, visible, where)
        one.known |= {"subcategory": subcategory, **keypoints_of(row, category)}
        scene.objects.append(one)
    scene.known |= merged_regions(regions)
    return scene


def reason_of(row: dict[str, Any], category: str | None, name: str, field_of: str = "segmentation") -> str:
    """Why an annotation is left out; nothing for one that is used."""
    if category is None:
        return f"of class {name!r}, which neither person_names nor vehicle_names lists"
    return "" if row.get(field_of) else "without a mask"


def object_of(row: dict[str, Any], category: str, whole: str, seen: str, where: str) -> ReadObject:
    """An object of a row with COCO's fields and what exports keep beyond them."""
    occluders = row.get("occluder_ids")
    box = row.get("bbox")
    known = {name: row[name] for name in KEPT if row.get(name) is not None}
    if isinstance(box, list) and len(box) == 4:
        known["bbox_amodal_xywh"] = [float(value) for value in box]
    return ReadObject(
        integer(row.get("id"), f"{where}: id"), category, whole, seen,
        None if occluders is None else [integer(one, f"{where}: occluder_ids") for one in occluders],
        row.get("depth_order"), known,
    )  # fmt: skip


def _visible(segmentation: Any, size_hw: tuple[int, int], where: str) -> str:
    """What is seen of an object; nothing of one that the second file lacks."""
    if segmentation is None:
        return masks.encode(np.zeros((0, 0), bool), (0, 0), size_hw)
    return run_lengths(segmentation, size_hw, where)


def keypoints_of(row: dict[str, Any], category: str) -> dict[str, Any]:
    """The columns of keypoints; null where a row has none, or another number of them."""
    values = row.get("keypoints")
    if not isinstance(values, list) or len(values) != 3 * len(OF_CATEGORY[category]) or not any(values[2::3]):
        return {}
    triples = np.array(values, float).reshape(-1, 3)
    states = np.array(["truncated", "occluded", "visible"])[np.clip(triples[:, 2], 0, 2).astype(int)]
    places = np.where(triples[:, 2:] > 0, triples[:, :2], np.nan)
    return {"keypoints_2d": places.ravel().tolist(), "keypoint_state": states.tolist()}


READER = Reader("coco", read, labels_of, CocoSettings)
