"""Pictures of linked objects: what a rendered set holds of every class, and what it costs.

    python -m benchmarks.linked_objects [--check] [--quick] [--data DIR] [--sheet PNG]

Overlapping pictures show two objects of one class whose boxes have an intersection over union above 0.05. Hidden is of
an object's pixels inside the picture. --sheet writes pictures of every class with keypoints and links drawn.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks.common.report import Bar, Report, main
from benchmarks.common.study import rendered
from models import klpnet
from models.linked_objects import LinkedObject, LinkedPicture
from models.linked_objects.pictures import OCCLUDED, SELF_OCCLUDED, TRUNCATED, VISIBLE
from models.linked_objects.plan import SPLITS, LinkedSettings, plan_linked
from models.linked_objects.rendered.render import render_linked
from models.linked_objects.shards import LinkedPictures, read_linked
from models.linked_objects.visualise import sheet as sheet_of

LEAST_IOU = 0.05
CPU_S = 2 * 20 * 60  # of all pictures: twenty minutes on two cores
_QUICK = LinkedSettings(pictures=24, val_pictures=8, test_pictures=8, other_pictures=8, per_shard=12)
_SHOWN = 6  # pictures of a class in the sheet
_STATES = {"seen": VISIBLE, "self_hidden": SELF_OCCLUDED, "hidden": OCCLUDED, "outside": TRUNCATED}


def pictures_in(data: Path, *, quick: bool) -> dict[str, LinkedPictures]:
    """The set by split, rendered where it is not there yet."""
    folder = rendered(klpnet.SPEC, data, _QUICK if quick else LinkedSettings())
    return {split: read_linked(folder, split) for split in SPLITS}


def class_rows(sets: dict[str, LinkedPictures]) -> Iterator[dict]:
    """Of each class: objects and bodies that training shows, states of points, how much is hidden and overlaps."""
    train = sets["train"]
    overlapping = [(o, bool(row.any())) for p in train for o, row in zip(p.objects, p.overlaps(LEAST_IOU), strict=True)]
    for class_id, one in enumerate(train.table.classes):
        mine = [(o, met) for o, met in overlapping if o.class_id == class_id]
        if not mine:
            continue
        objects = [o for o, _ in mine]
        states = np.concatenate([o.state for o in objects])
        hidden = np.array([o.hidden_fraction for o in objects])
        yield {
            "class": one.name, "points": len(one), "links": len(one.links), "objects": len(objects),
            "bodies": len({o.body for o in objects}),
            **{name: float((states == state).mean()) for name, state in _STATES.items()},
            "mean_hidden": float(hidden.mean()), "hidden_over_20_percent": float((hidden > 0.2).mean()),
            "overlapping": float(np.mean([met for _, met in mine])),
        }  # fmt: skip


def split_row(split: str, pictures: LinkedPictures) -> dict:
    """A split's numbers."""
    objects = [o for p in pictures for o in p.objects]
    counts = np.bincount([o.class_id for o in objects], minlength=len(pictures.table))
    return {
        "split": split, "pictures": len(pictures), "objects": len(objects), "bodies": len({o.body for o in objects}),
        "least_of_a_class": int(counts.min()), "most_of_a_class": int(counts.max()),
        "alone": float(np.mean([len(p.objects) == 1 for p in pictures])),
        "overlapping": float(np.mean([p.overlaps(LEAST_IOU).any() for p in pictures])),
        "bad_points": sum(_bad_points(p, o) for p in pictures for o in p.objects),
    }  # fmt: skip


def _bad_points(picture: LinkedPicture, one: LinkedObject) -> int:
    """Points whose state and place disagree: outside the picture or not, seen but not within the box."""
    outside = (one.xy < 0).any(axis=1) | (one.xy >= picture.size_hw[::-1]).any(axis=1)
    beyond = np.maximum(one.box_xywh[:2] - one.xy, one.xy - one.box_xywh[:2] - one.box_xywh[2:]).max(axis=1)
    return int(((outside != (one.state == TRUNCATED)) | ((one.state == VISIBLE) & (beyond > 2))).sum())


def cost(quick: bool) -> tuple[float, bool]:
    """CPU seconds of one thread for a picture, and whether a shard rendered twice has the same bytes."""
    settings = replace(_QUICK, per_shard=4 if quick else 20, seed=5)
    cv2.setNumThreads(1)  # as in the job's workers
    with tempfile.TemporaryDirectory() as folder:
        job = plan_linked(settings, Path(folder))[0]
        begun = time.process_time()
        render_linked(job)
        spent, first = time.process_time() - begun, job.out.read_bytes()
        job.out.unlink()
        render_linked(job)
        return spent / job.count, job.out.read_bytes() == first


def report(quick: bool, data: Path, sheet: Path | None) -> Report:
    """Tables of splits, then of classes."""
    sets = pictures_in(data, quick=quick)
    splits, classes = [split_row(split, pictures) for split, pictures in sets.items()], list(class_rows(sets))
    seconds, same = cost(quick)
    s = LinkedSettings()
    total = seconds * (s.pictures + s.val_pictures + s.test_pictures + s.other_pictures)
    bodies = [{o.body for p in pictures for o in p.objects} for pictures in sets.values()]
    bars = [
        Bar("classes", len(classes), at_least=12),
        Bar("least bodies of a class", min(row["bodies"] for row in classes), at_least=30),
        Bar("bodies of two splits", sum(map(len, bodies)) - len(set().union(*bodies)), at_most=0),
        Bar("points whose state and place disagree", sum(row["bad_points"] for row in splits), at_most=0),
        Bar("shard rendered twice has other bytes", float(not same), at_most=0),
        Bar("CPU seconds of the whole set", total, at_most=CPU_S),
        *(Bar(f"{row['split']} overlapping", row["overlapping"], at_least=1 / 3) for row in splits),
    ]
    if sheet is not None:
        cv2.imwrite(str(sheet), class_sheet(sets["train"])[..., ::-1])
    return Report([*splits, *classes], bars, {"cpu_s_a_picture": seconds})


def class_sheet(pictures: LinkedPictures) -> np.ndarray:
    """RGB, a row a class: the pictures whose nearest object is of it."""
    table = pictures.table
    first = [[p for p in pictures if p.objects[0].class_id == k][:_SHOWN] for k in range(len(table))]
    return sheet_of([row for row in first if row], table)


if __name__ == "__main__":
    main("linked_objects", __doc__, report, sheet="PNG to write pictures of every class into")
