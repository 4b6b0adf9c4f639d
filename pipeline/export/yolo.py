"""YOLO as Ultralytics reads it: images/<split>, labels/<split> with a line an object, and data.yaml.

`yolo` has outlines (a line is class x y x y ...), `yolo_pose` boxes with keypoints (class cx cy w h and x y v of each,
v 2 visible, 1 hidden, 0 not labelled). All are fractions of width and height from the picture's corner, so that a
keypoint at pixel centre i stands at i + 1/2. An outline is one ring: parts are joined by bridges of no width and go
round holes. Pose networks have one kind of keypoints, so one category is written at a time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import yaml

from pipeline.core.skeletons import OF_CATEGORY
from pipeline.core.storage import write_bytes
from pipeline.core.tables import CATEGORY_IDS
from pipeline.export.coco import keypoints_of
from pipeline.export.registry import ExportJob, Format, Written
from pipeline.export.shared.outlines import one_ring
from pipeline.export.shared.scenes import FLAT, KEYPOINTS, Scene, scenes


@dataclass(frozen=True)
class YoloSettings:
    """What an outline is of."""

    masks: str = field(default="amodal", metadata={"help": "amodal: whole objects; visible: what is seen of them"})

    def __post_init__(self) -> None:
        _one_of("yolo-masks", self.masks, ("amodal", "visible"))


@dataclass(frozen=True)
class YoloPoseSettings:
    """Whose keypoints are written."""

    category: str = field(default="vehicle", metadata={"help": "person or vehicle, whose keypoints are written"})

    def __post_init__(self) -> None:
        _one_of("yolo-pose-category", self.category, tuple(CATEGORY_IDS))


def _one_of(option: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise ValueError(f"--{option}: expected one of {', '.join(known)}, got {given!r}")


def write(job: ExportJob) -> Written:
    """Outlines of every category."""
    kind = job.settings.masks
    said = {"amodal": "whole objects", "visible": "what is seen of objects"}[kind]
    names = list(CATEGORY_IDS)
    tally = Counter[str]()
    for scene in scenes(job, FLAT):
        lines = []
        for row in scene.objects:
            ring = one_ring(row[f"mask_{kind}_rle"], scene.size_hw)
            tally["written" if len(ring) else "hidden"] += 1
            if len(ring):
                lines.append(_line(names.index(row["category"]), ring / scene.size_hw[::-1]))
        _write_scene(job, scene, lines, tally)
    _write_about(job, names, {})
    hidden = f"{tally['hidden']} wholly hidden objects, " if tally["hidden"] else ""
    return Written(
        f"{tally['pictures']} pictures with {tally['written']} outlines of {said}",
        f"{hidden}{tally['ignored']} regions to ignore, the other kind of masks, who hides whom, classes finer than "
        "the category, keypoints, bodies, poses and everything in metres",
    )


def write_pose(job: ExportJob) -> Written:
    """Boxes and keypoints of one category."""
    category = job.settings.category
    skeleton = OF_CATEGORY[category]
    tally = Counter[str]()
    for scene in scenes(job, (*FLAT, *KEYPOINTS)):
        lines = []
        for row in scene.objects:
            points = np.reshape(keypoints_of(row), (-1, 3))
            usable = row["category"] == category and bool(points[:, 2].any())
            tally["written" if usable else "others"] += 1
            if usable:
                lines.append(_pose_line(row, points, scene.size_hw))
        _write_scene(job, scene, lines, tally)
    _write_about(
        job, [category],
        {"kpt_shape": [len(skeleton), 3], "flip_idx": list(skeleton.flip), "kpt_names": {0: list(skeleton.names)}},
    )  # fmt: skip
    return Written(
        f"{tally['pictures']} pictures with keypoints of {tally['written']} objects",
        f"{tally['others']} objects of other categories or without keypoints, {tally['ignored']} regions to ignore, "
        "masks, who hides whom, bodies, poses and everything in metres",
    )


def _line(number: int, values: np.ndarray) -> str:
    return " ".join([str(number), *(f"{value:.6f}" for value in np.ravel(values))])


def _pose_line(row: dict[str, Any], points: np.ndarray, size_hw: tuple[int, int]) -> str:
    """A box, cut at the picture's borders, and its keypoints."""
    size = np.array(size_hw[::-1], float)
    box = np.array(row["bbox_amodal_xywh"])
    low, high = np.clip(box[:2], 0, size), np.clip(box[:2] + box[2:], 0, size)
    known = points[:, 2:] > 0
    placed = np.where(known, (points[:, :2] + 0.5) / size, 0)
    keypoints = " ".join(f"{x:.6f} {y:.6f} {int(v)}" for (x, y), v in zip(placed, points[:, 2], strict=True))
    return f"{_line(0, np.concatenate([(low + high) / 2, high - low]) / np.tile(size, 2))} {keypoints}"


def _write_scene(job: ExportJob, scene: Scene, lines: list[str], tally: Counter[str]) -> None:
    scene.write_picture(job.out / "images" / scene.split / scene.name)
    text = "".join(f"{line}\n" for line in lines)
    write_bytes(job.out / "labels" / scene.split / f"{PurePosixPath(scene.name).stem}.txt", text.encode())
    tally["pictures"] += 1
    tally["ignored"] += len(scene.ignored)


def _write_about(job: ExportJob, names: list[str], more: dict[str, Any]) -> None:
    """data.yaml; where no scene validates, training's own stand for them, as Ultralytics wants some."""
    folders = {path.name for path in (job.out / "images").iterdir()}
    train = "images/train" if "train" in folders else "images/val"
    val = "images/val" if "val" in folders else train
    about = {"train": train, "val": val, "names": dict(enumerate(names)), **more}
    write_bytes(job.out / "data.yaml", yaml.safe_dump(about, sort_keys=False).encode())


FORMAT = (Format("yolo", write, YoloSettings), Format("yolo_pose", write_pose, YoloPoseSettings))
