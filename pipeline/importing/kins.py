"""KINS, in the fields of either of its versions: whole masks and seen ones, and who stands before whom.

`ico_id` orders the objects of a group `oco_id`; where a file lacks it, the masks tell. Crowds are regions to ignore.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models.labels.coco import integer
from pipeline.importing.classes import kind_of
from pipeline.importing.coco import CocoSettings, Labels, labels_of, object_of, picture_of, reason_of
from pipeline.importing.registry import Reader, ReadJob
from pipeline.importing.scenes import ReadScene, merged_regions, run_lengths

# By what is written here the names of both versions.
_FIELDS = {
    "segmentation": ("segmentation", "a_segm"), "bbox": ("bbox", "a_bbox"), "seen": ("inmodal_seg", "i_segm"),
}  # fmt: skip


def read(job: ReadJob) -> Iterator[ReadScene]:
    """Every picture of every file."""
    for path in labels_of(job.source):
        labels = Labels.of(path)
        split = "val" if job.settings.val in path.stem else "train"
        for image in labels.images:
            yield _scene(job, labels, image, split)


def _scene(job: ReadJob, labels: Labels, image: dict[str, Any], split: str) -> ReadScene:
    scene = picture_of(job, labels.path, image, split)
    regions = []
    for given in labels.of_image.get(str(image.get("id")), []):
        row = given | {name: next((given[one] for one in both if one in given), None) for name, both in _FIELDS.items()}
        where = f"{labels.path}: annotation {row.get('id')}"
        name = labels.names.get(integer(row.get("category_id"), f"{where}: category_id"), "")
        category, subcategory = kind_of(row, name, job.settings)
        if row.get("iscrowd"):
            if category:
                rle = run_lengths(row["segmentation"], scene.size_hw, where)
                regions.append((rle, str(row.get("reason", "unwatched")), category))
            continue
        job.account.read += 1
        if reason := reason_of(row, category, name) or reason_of(row, category, name, "seen"):
            job.account.leave_out(reason)
            continue
        assert category is not None
        whole, seen = (run_lengths(row[one], scene.size_hw, where) for one in ("segmentation", "seen"))
        one = object_of(row, category, whole, seen, where)
        one.known["subcategory"] = subcategory
        scene.objects.append(one)
    scene.known |= merged_regions(regions)
    return scene


READER = Reader("kins", read, labels_of, CocoSettings)
