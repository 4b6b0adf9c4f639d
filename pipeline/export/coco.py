"""COCO instances: the pictures as files, and files of labels, of whole objects and of what is seen of them.

`instances_amodal_train.json` and `instances_visible_train.json` differ in masks, boxes and areas alone: an object has
one id in both. mmdet's CocoDataset and pycocotools read a single mask of an annotation, hence two files. The scenes
that validate have a pair of their own, `..._val.json`; pictures of both lie in images/. Regions to ignore are crowds
(iscrowd 1), one of each category where theirs is unknown.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from pipeline.core import masks
from pipeline.core.storage import count_rows, read_batches, read_parts, write_bytes
from pipeline.core.tables import CATEGORY_IDS
from pipeline.export.registry import ExportJob, Format, Written

_PICTURES = 100  # read at a time
_IGNORE = ["ignore_rle", "ignore_reason", "ignore_category"]
_ABOUT = ["scene_id", "split", "timestamp", "width", "height", "image", *_IGNORE]
_COLUMNS = [
    "scene_id", "object_id", "category_id", "subcategory", "track_id", "depth_order", "visible_fraction",
    "occluder_ids", "bbox_amodal_xywh", "mask_amodal_rle", "px_count_all",
    "bbox_visible_xywh", "mask_visible_rle", "px_count_visib",
]  # fmt: skip
_LEFT_OUT = "keypoints, bodies, poses and everything in metres"


def write(job: ExportJob) -> Written:
    """The folder images/ and the files of labels."""
    pictures = list(_pictures(job))
    of_scene = {picture["scene_id"]: picture for picture in pictures}
    rows = read_parts(job.clipart / "objects", _COLUMNS).to_pylist()
    ids = {(row["scene_id"], row["object_id"]): number for number, row in enumerate(rows, start=1)}
    seen = [row for row in rows if row["px_count_visib"]]
    crowds = list(_crowds(pictures, len(rows) + 1))
    splits = Counter(picture["split"] for picture in pictures)
    for kind, pixels, shown in (("amodal", "all", rows), ("visible", "visib", seen)):
        labels = [_annotation(row, ids, of_scene[row["scene_id"]], kind, pixels) for row in shown] + crowds
        for split in splits:
            _write_labels(job, f"{kind}_{split}", [one for one in pictures if one["split"] == split], labels)
    hidden = len(rows) - len(seen)
    pictured = " and ".join(f"{count} {split}" for split, count in splits.items())
    return Written(
        f"{pictured} pictures with {len(rows)} whole and {len(seen)} visible masks",
        f"{hidden} wholly hidden objects among the visible masks, {_LEFT_OUT}" if hidden else _LEFT_OUT,
    )


def _write_labels(job: ExportJob, name: str, pictures: list[dict], labels: list[dict]) -> None:
    """A data set of some pictures, with what of the labels is theirs."""
    theirs = {picture["id"] for picture in pictures}
    content = {
        "info": {"description": f"{job.camera_id}, {job.mode}: {name.replace('_', ' masks of composed scenes, ')}"},
        "licenses": [],
        "images": [{key: value for key, value in one.items() if key not in _IGNORE} for one in pictures],
        "annotations": [one for one in labels if one["image_id"] in theirs],
        "categories": [{"id": number, "name": category} for category, number in CATEGORY_IDS.items()],
    }
    write_bytes(job.out / f"instances_{name}.json", json.dumps(content, separators=(",", ":")).encode())


def _pictures(job: ExportJob) -> Iterator[dict[str, Any]]:
    """COCO's entry of every scene, whose picture is written."""
    parts = sorted((job.clipart / "images").glob("*.parquet"))
    total, number = sum(count_rows(part) for part in parts), 0
    for part in parts:
        for batch in read_batches(part, _PICTURES, _ABOUT):
            for row in batch.to_pylist():
                number += 1
                name = PurePosixPath(row["image"]["path"]).name
                write_bytes(job.out / "images" / name, row["image"]["bytes"])
                job.progress(number, total)
                yield {
                    "id": number, "file_name": name, "width": row["width"], "height": row["height"],
                    "date_captured": row["timestamp"].isoformat(), "scene_id": row["scene_id"],
                    "split": row["split"], **{key: row[key] or [] for key in _IGNORE},
                }  # fmt: skip


def _crowds(pictures: list[dict[str, Any]], first_id: int) -> Iterator[dict[str, Any]]:
    """COCO's entries of the regions to ignore, numbered from first_id."""
    for picture in pictures:
        size_hw = picture["height"], picture["width"]
        for rle, reason, known in zip(*(picture[key] for key in _IGNORE), strict=True):
            _, box = masks.decode(rle, size_hw)
            for category in [known] if known else list(CATEGORY_IDS):
                yield {
                    "id": first_id, "image_id": picture["id"], "category_id": CATEGORY_IDS[category],
                    "bbox": list(map(float, box)), "area": masks.area(rle, size_hw),
                    "segmentation": {"size": list(size_hw), "counts": rle}, "iscrowd": 1, "reason": reason,
                }  # fmt: skip
                first_id += 1


def _annotation(
    row: dict[str, Any], ids: dict[tuple[str, int], int], picture: dict[str, Any], kind: str, pixels: str
) -> dict[str, Any]:
    """COCO's entry of an object in a picture; kind and pixels name the columns of its mask and box, and of its area."""
    scene = row["scene_id"]
    return {
        "id": ids[scene, row["object_id"]],
        "image_id": picture["id"],
        "category_id": row["category_id"],
        "bbox": row[f"bbox_{kind}_xywh"],
        "area": row[f"px_count_{pixels}"],
        "segmentation": {"size": [picture["height"], picture["width"]], "counts": row[f"mask_{kind}_rle"]},
        "iscrowd": 0,
        "subcategory": row["subcategory"],
        "track_id": row["track_id"],
        "depth_order": row["depth_order"],
        "visible_fraction": round(row["visible_fraction"], 6),
        "occluder_ids": [ids[scene, number] for number in row["occluder_ids"]],
    }


FORMAT = Format("coco", write, version=2)
