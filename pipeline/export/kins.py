"""KINS: COCO's files with two masks an object, the whole one in `segmentation` and what is seen in `inmodal_seg`.

KINS's two versions name the same things differently, and readers take the one or the other: `segmentation`, `bbox`,
`area`, `inmodal_seg`, `inmodal_bbox`, `inmodal_area` of the first; `a_segm`, `a_bbox`, `a_area`, `i_segm`, `i_bbox`,
`i_area` of that of 2020. All are written: `segmentation` and `a_segm` are polygons along the pixels' edges, which give
the very mask again, visible masks are run lengths. `oco_id` numbers the groups of objects that hide each other within a
picture, `ico_id` the objects of a group, nearest first. Regions to ignore are crowds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.core import masks
from pipeline.core.tables import CATEGORY_IDS
from pipeline.export.coco import details_of, picture_of, run_lengths
from pipeline.export.registry import ExportJob, Format, Written
from pipeline.export.shared.json_lists import JsonLists
from pipeline.export.shared.outlines import coco_polygons
from pipeline.export.shared.scenes import FLAT, Scene, counts, scenes

_LEFT_OUT = "keypoints, bodies, poses and everything in metres"


def write(job: ExportJob) -> Written:
    """The folder images/ and a file of labels a split."""
    crowd = counts(job.clipart)[1]
    splits, objects = Counter[str](), 0
    with JsonLists(job.out, ("images", "annotations"), lambda name: _about(job, name)) as files:
        for scene in scenes(job, FLAT):
            scene.write_picture(job.out / "images" / scene.name)
            splits[scene.split] += 1
            objects += len(scene.objects)
            name = f"instances_{scene.split}.json"
            files.add(name, "images", picture_of(scene))
            for one in _annotations(scene):
                files.add(name, "annotations", one)
            for one in _crowds(scene, crowd + 1):
                crowd += 1
                files.add(name, "annotations", one)
    pictured = " and ".join(f"{count} {split}" for split, count in splits.items())
    return Written(f"{pictured} pictures with {objects} objects, whole and visible", _LEFT_OUT)


def _about(job: ExportJob, name: str) -> dict[str, Any]:
    split = name.removeprefix("instances_").removesuffix(".json")
    return {
        "info": {"description": f"{job.camera_id}, {job.mode}: composed scenes in KINS's fields, {split}"},
        "licenses": [],
        "categories": [{"id": number, "name": name, "supercategory": name} for name, number in CATEGORY_IDS.items()],
    }


def _annotations(scene: Scene) -> Iterator[dict[str, Any]]:
    for row, (group, place) in zip(scene.objects, groups(scene), strict=True):
        whole, box = coco_polygons(row["mask_amodal_rle"], scene.size_hw), row["bbox_amodal_xywh"]
        yield {
            "id": scene.ids[row["object_id"]],
            "image_id": scene.number,
            "category_id": row["category_id"],
            "iscrowd": 0,
            "oco_id": group,
            "ico_id": place,
            **_twice(whole, box, row["px_count_all"], "a"),
            **_twice(
                run_lengths(scene, row["mask_visible_rle"]),
                row["bbox_visible_xywh"] or [0.0] * 4, row["px_count_visib"], "i",
            ),
            **details_of(scene, row),
        }  # fmt: skip


def _twice(mask: Any, box: list[float], area: int, letter: str) -> dict[str, Any]:
    """A mask, its box and its area under the names of both versions."""
    before = {"segm": "segmentation", "bbox": "bbox", "area": "area"} if letter == "a" else {
        "segm": "inmodal_seg", "bbox": "inmodal_bbox", "area": "inmodal_area",
    }  # fmt: skip
    values = {"segm": mask, "bbox": box, "area": area}
    return {name: values[key] for key, name in before.items()} | {f"{letter}_{k}": v for k, v in values.items()}


def groups(scene: Scene) -> list[tuple[int, int]]:
    """Of each object the number of the group of those that hide one another, from 0 by their nearest, and its place in
    it, from 0, the nearest."""
    number = np.arange(len(scene.objects))
    position = {row["object_id"]: k for k, row in enumerate(scene.objects)}
    for k, row in enumerate(scene.objects):
        for other in row["occluder_ids"]:
            low, high = sorted((number[k], number[position[other]]))
            number[number == high] = low
    names = {old: new for new, old in enumerate(dict.fromkeys(number.tolist()))}
    return [(names[one], int((number[:k] == one).sum())) for k, one in enumerate(number.tolist())]


def _crowds(scene: Scene, first_id: int) -> Iterator[dict[str, Any]]:
    for region in scene.ignored:
        box, area = list(map(float, masks.decode(region.rle, scene.size_hw)[1])), masks.area(region.rle, scene.size_hw)
        runs = run_lengths(scene, region.rle)
        for category in region.categories:
            yield {
                "id": first_id, "image_id": scene.number, "category_id": CATEGORY_IDS[category], "iscrowd": 1,
                "reason": region.reason, **_twice(runs, box, area, "a"), **_twice(runs, box, area, "i"),
            }  # fmt: skip
            first_id += 1


FORMAT = Format("kins", write)
