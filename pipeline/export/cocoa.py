"""COCOA: semantic amodal segmentation, an annotation a picture with regions from near to far.

A region has the polygon of the whole object, `visible_mask` and `invisible_mask` as run lengths where something hides a
part of it, `order`, 1 the nearest, and `occlude_rate`. `depth_constraint` lists the pairs "nearer-farther" of orders.
A region of COCOA is one polygon: parts of a mask are joined by bridges of no width, which change no pixel under COCO's
rules. Regions to ignore are stuff (`isStuff` 1) named `ignore`, behind all others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.core import masks
from pipeline.export.coco import details_of, picture_of, run_lengths
from pipeline.export.registry import ExportJob, Format, Written
from pipeline.export.shared.json_lists import JsonLists
from pipeline.export.shared.outlines import one_ring
from pipeline.export.shared.scenes import FLAT, Scene, scenes

IGNORE = "ignore"


def write(job: ExportJob) -> Written:
    """The folder images/ and a file of labels a split."""
    splits, objects = Counter[str](), 0
    about = {"info": {"description": f"{job.camera_id}, {job.mode}: composed scenes in COCOA's fields"}, "licenses": []}
    with JsonLists(job.out, ("images", "annotations"), lambda name: about) as files:
        for scene in scenes(job, FLAT):
            scene.write_picture(job.out / "images" / scene.name)
            splits[scene.split] += 1
            objects += len(scene.objects)
            name = f"COCO_amodal_{scene.split}.json"
            files.add(name, "images", picture_of(scene))
            files.add(name, "annotations", _annotation(scene))
    pictured = " and ".join(f"{count} {split}" for split, count in splits.items())
    return Written(
        f"{pictured} pictures with {objects} regions",
        "why a region is ignored, keypoints, bodies, poses and everything in metres",
    )


def _annotation(scene: Scene) -> dict[str, Any]:
    order = {row["object_id"]: place for place, row in enumerate(scene.objects, start=1)}
    pairs = [f"{order[front]}-{order[row['object_id']]}" for row in scene.objects for front in row["occluder_ids"]]
    height, width = scene.size_hw
    regions = [*_regions(scene), *_ignored(scene)]
    return {
        "id": scene.number, "image_id": scene.number, "url": scene.name, "author": "composed", "height": height,
        "width": width, "size": len(regions), "regions": regions, "depth_constraint": ",".join(pairs),
    }  # fmt: skip


def _regions(scene: Scene) -> Iterator[dict[str, Any]]:
    for place, row in enumerate(scene.objects, start=1):
        region = {
            "id": scene.ids[row["object_id"]],
            "name": row["subcategory"] or row["category"],
            "category": row["category"],
            "segmentation": one_ring(row["mask_amodal_rle"], scene.size_hw).reshape(-1).tolist(),
            "order": place,
            "area": row["px_count_all"],
            "bbox": row["bbox_amodal_xywh"],
            "isStuff": 0,
            "occlude_rate": round(1 - row["visible_fraction"], 6),
            **details_of(scene, row),
        }
        if row["px_count_visib"] < row["px_count_all"]:
            region["visible_mask"] = run_lengths(scene, row["mask_visible_rle"])
            region["invisible_mask"] = run_lengths(scene, _hidden(row, scene.size_hw))
        yield region


def _hidden(row: dict[str, Any], size_hw: tuple[int, int]) -> str:
    """Run lengths of what of the whole is not visible."""
    whole, (x, y, w, h) = masks.decode(row["mask_amodal_rle"], size_hw)
    seen = masks.full(row["mask_visible_rle"], size_hw)[y : y + h, x : x + w]
    return masks.encode(np.asarray(whole & ~seen), (x, y), size_hw)


def _ignored(scene: Scene) -> Iterator[dict[str, Any]]:
    for place, region in enumerate(scene.ignored, start=len(scene.objects) + 1):
        _, box = masks.decode(region.rle, scene.size_hw)
        yield {
            "name": IGNORE, "segmentation": one_ring(region.rle, scene.size_hw).reshape(-1).tolist(), "order": place,
            "area": masks.area(region.rle, scene.size_hw), "bbox": list(map(float, box)), "isStuff": 1,
            "occlude_rate": 0.0,
        }  # fmt: skip


FORMAT = Format("cocoa", write)
