"""COCOA: regions with the polygon of the whole object, and run lengths of what is seen where something hides a part.

A region's `order`, 1 the nearest, is its place; `depth_constraint` lists who hides whom as "nearer-farther". Stuff is
no object; stuff named `ignore` is a region to ignore.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from models.labels.coco import integer, read_json, records
from pipeline.core.account import Account
from pipeline.importing.classes import kind_of
from pipeline.importing.coco import CocoSettings, labels_of, object_of, picture_of, reason_of
from pipeline.importing.registry import Reader, ReadJob
from pipeline.importing.scenes import ReadScene, merged_regions, run_lengths

_IGNORE = "ignore"


def read(job: ReadJob) -> Iterator[ReadScene]:
    """Every picture of every file; several annotators' annotations of one picture are scenes of their own."""
    for path in labels_of(job.source):
        content = read_json(path)
        if not isinstance(content, dict):
            raise ValueError(f"{path}: expected an object with images and annotations, got {type(content).__name__}")
        images = {str(one.get("id")): one for one in records(content.get("images"), f"{path}: images")}
        split = "val" if job.settings.val in path.stem else "train"
        for annotation in records(content.get("annotations"), f"{path}: annotations"):
            where = f"{path}: annotation {annotation.get('id')}"
            image = images.get(str(annotation.get("image_id")))
            if image is None:
                raise ValueError(f"{where}: image_id {annotation.get('image_id')} is none of its images")
            scene = picture_of(job, path, image, split)
            _fill(scene, job, annotation, where)
            yield scene


def _fill(scene: ReadScene, job: ReadJob, annotation: dict[str, Any], where: str) -> None:
    hiding = _pairs(str(annotation.get("depth_constraint") or ""), where)
    regions: list[tuple[str, str, str]] = []
    for place, region in enumerate(records(annotation.get("regions"), f"{where}: regions"), start=1):
        here, name = f"{where}, region {place}", str(region.get("name", ""))
        polygon = region.get("segmentation")
        outline = [polygon] if isinstance(polygon, list) and polygon and not isinstance(polygon[0], list) else polygon
        if region.get("isStuff"):
            _pass_over(scene, job.account, name, outline, here, regions)
            continue
        job.account.read += 1
        category, subcategory = kind_of(region, name, job.settings)
        if reason := reason_of(region, category, name):
            job.account.leave_out(reason)
            continue
        assert category is not None
        whole = run_lengths(outline, scene.size_hw, here)
        seen = run_lengths(region["visible_mask"], scene.size_hw, here) if region.get("visible_mask") else whole
        order = integer(region.get("order", place), f"{here}: order")
        row = region | {"id": order, "depth_order": order, "occluder_ids": sorted(hiding[order])}
        one = object_of(row, category, whole, seen, here)
        one.known["subcategory"] = subcategory
        scene.objects.append(one)
    scene.known |= merged_regions(regions)


def _pass_over(
    scene: ReadScene, account: Account, name: str, outline: Any, where: str, regions: list[tuple[str, str, str]]
) -> None:
    if name == _IGNORE:
        rle = run_lengths(outline, scene.size_hw, where)
        regions += [(rle, "unwatched", category) for category in ("person", "vehicle")]
        return
    account.read += 1
    account.leave_out("of stuff, which is no object")


def _pairs(text: str, where: str) -> dict[int, set[int]]:
    """Of each order those that hide it."""
    hiding: dict[int, set[int]] = defaultdict(set)
    for pair in filter(None, text.split(",")):
        front, dash, back = pair.partition("-")
        if not dash or not front.strip().isdigit() or not back.strip().isdigit():
            raise ValueError(f"{where}: depth_constraint: expected pairs as 1-2,1-3, got {pair!r}")
        hiding[int(back)].add(int(front))
    return hiding


READER = Reader("cocoa", read, labels_of, CocoSettings)
