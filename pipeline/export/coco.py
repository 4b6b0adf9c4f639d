"""COCO instances: the pictures as files, and files of labels, of whole objects and of what is seen of them.

`instances_amodal_train.json` and `instances_visible_train.json` differ in masks, boxes and areas alone: an object has
one id in both. mmdet's CocoDataset and pycocotools read a single mask of an annotation, hence two files. The scenes
that validate have a pair of their own, `..._val.json`; pictures of both lie in images/. Masks are run lengths, so that
holes and single pixels stay. Keypoints are COCO's: whole numbers are pixel centres, v is 0 not labelled, 1 hidden, 2
visible. Regions to ignore are crowds (iscrowd 1), one of each category where theirs is unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.core import masks
from pipeline.core.skeletons import OF_CATEGORY
from pipeline.core.tables import CATEGORY_IDS
from pipeline.export.registry import ExportJob, Format, Written
from pipeline.export.shared.json_lists import JsonLists
from pipeline.export.shared.scenes import FLAT, KEYPOINTS, Scene, counts, scenes

# COCO's v of a keypoint's state; what lies outside the picture is not labelled.
VISIBILITY = {"visible": 2, "self_occluded": 1, "occluded": 1, "truncated": 0}
_KINDS = {"amodal": "px_count_all", "visible": "px_count_visib"}
_LEFT_OUT = "how a hidden keypoint is hidden, bodies, poses and everything in metres"


def write(job: ExportJob) -> Written:
    """The folder images/ and the files of labels."""
    crowd = counts(job.clipart)[1]
    splits, objects, hidden = Counter[str](), 0, 0
    with JsonLists(job.out, ("images", "annotations"), lambda name: _about(job, name)) as files:
        for scene in scenes(job, (*FLAT, *KEYPOINTS)):
            scene.write_picture(job.out / "images" / scene.name)
            splits[scene.split] += 1
            objects += len(scene.objects)
            hidden += sum(not row["px_count_visib"] for row in scene.objects)
            crowds = list(_crowds(scene, crowd + 1))
            crowd += len(crowds)
            for kind in _KINDS:
                name = f"instances_{kind}_{scene.split}.json"
                files.add(name, "images", picture_of(scene))
                for one in [*_annotations(scene, kind), *crowds]:
                    files.add(name, "annotations", one)
    pictured = " and ".join(f"{count} {split}" for split, count in splits.items())
    return Written(
        f"{pictured} pictures with {objects} whole and {objects - hidden} visible masks",
        f"{hidden} wholly hidden objects among the visible masks, {_LEFT_OUT}" if hidden else _LEFT_OUT,
    )


def _about(job: ExportJob, name: str) -> dict[str, Any]:
    title = name.removeprefix("instances_").removesuffix(".json").replace("_", " masks of composed scenes, ")
    return {
        "info": {"description": f"{job.camera_id}, {job.mode}: {title}"}, "licenses": [], "categories": categories(),
    }  # fmt: skip


def categories() -> list[dict[str, Any]]:
    """COCO's entries of the categories, with the names and links, from 1, of their keypoints."""
    return [
        {
            "id": number, "name": category, "supercategory": category, "keypoints": list(OF_CATEGORY[category].names),
            "skeleton": [[a + 1, b + 1] for a, b in OF_CATEGORY[category].links],
        }
        for category, number in CATEGORY_IDS.items()
    ]  # fmt: skip


def picture_of(scene: Scene) -> dict[str, Any]:
    """COCO's entry of a scene."""
    height, width = scene.size_hw
    return {
        "id": scene.number, "file_name": scene.name, "width": width, "height": height, "date_captured": scene.time,
        "scene_id": scene.row["scene_id"], "split": scene.split,
    }  # fmt: skip


def keypoints_of(row: dict[str, Any]) -> list[float]:
    """x, y, v of each keypoint of an object's category, all 0 where nothing is known."""
    triples = np.zeros((len(OF_CATEGORY[row["category"]]), 3))
    if row["keypoints_2d"] is not None and row["keypoint_state"] is not None:
        points = np.reshape(row["keypoints_2d"], (-1, 2)).astype(float)
        states = np.array([VISIBILITY[state] for state in row["keypoint_state"]])
        known = (states > 0) & np.isfinite(points).all(axis=1)
        triples[: len(points)][known] = np.column_stack([points, states])[known]
    return [int(value) if k % 3 == 2 else round(float(value), 3) for k, value in enumerate(triples.ravel())]


def _annotations(scene: Scene, kind: str) -> Iterator[dict[str, Any]]:
    """COCO's entries of the objects that have any pixel in their mask of a kind."""
    for row in scene.objects:
        if row[_KINDS[kind]]:
            keypoints = keypoints_of(row)
            yield {
                "id": scene.ids[row["object_id"]],
                "image_id": scene.number,
                "category_id": row["category_id"],
                "bbox": row[f"bbox_{kind}_xywh"],
                "area": row[_KINDS[kind]],
                "segmentation": run_lengths(scene, row[f"mask_{kind}_rle"]),
                "iscrowd": 0,
                "keypoints": keypoints,
                "num_keypoints": sum(v > 0 for v in keypoints[2::3]),
                **details_of(scene, row),
            }


def details_of(scene: Scene, row: dict[str, Any]) -> dict[str, Any]:
    """What formats of COCO's kind keep of an object beyond their own fields, under the names that it has here."""
    return {
        "subcategory": row["subcategory"],
        "track_id": row["track_id"],
        "depth_order": row["depth_order"],
        "visible_fraction": round(row["visible_fraction"], 6),
        "truncation": round(row["truncation"], 6),
        "occluder_ids": [scene.ids[number] for number in row["occluder_ids"]],
    }


def run_lengths(scene: Scene, rle: str) -> dict[str, Any]:
    """COCO's segmentation of a mask of a scene."""
    return {"size": list(scene.size_hw), "counts": rle}


def _crowds(scene: Scene, first_id: int) -> Iterator[dict[str, Any]]:
    """COCO's entries of the regions to ignore, numbered from first_id."""
    for region in scene.ignored:
        _, box = masks.decode(region.rle, scene.size_hw)
        for category in region.categories:
            yield {
                "id": first_id, "image_id": scene.number, "category_id": CATEGORY_IDS[category],
                "bbox": list(map(float, box)), "area": masks.area(region.rle, scene.size_hw),
                "segmentation": run_lengths(scene, region.rle), "iscrowd": 1,
                "keypoints": [0] * 3 * len(OF_CATEGORY[category]), "num_keypoints": 0, "reason": region.reason,
            }  # fmt: skip
            first_id += 1


FORMAT = Format("coco", write, version=3)
