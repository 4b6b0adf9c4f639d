"""People and their poses that another network found, from a JSON in COCO's form of results: a list of image_id or
file_name, bbox xywh, keypoints of K x, y and score, and a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.skeletons import Skeleton
from readers.json_file import read_json

Poses = dict[str, dict[str, np.ndarray]]


def read_poses(path: Path, skeleton: Skeleton | None = None) -> Poses:
    """By picture what a file says of its people: bbox_xywh (P, 4), keypoints_2d (P, K, 2), NaN where it is 0 0 0,
    keypoint_score (P, K), score (P,).

    Raises FileNotFoundError, and ValueError, naming the file, for anything else, for nobody, and for poses of other
    joints than the skeleton's, or, without one, of several.
    """
    rows = read_json(path)
    try:
        people = [_person(row) for row in (rows["annotations"] if isinstance(rows, Mapping) else rows)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: expected a JSON list of image_id, bbox and keypoints, as COCO's results; "
                         f"{type(error).__name__}: {' '.join(str(error).split())[:120]}") from None  # fmt: skip
    if not people:
        raise ValueError(f"{path}: no person; expected at least one with bbox and keypoints")
    count = len(people[0][1]["keypoint_score"]) if skeleton is None else len(skeleton)
    for _, person in people:
        if (found := len(person["keypoint_score"])) != count:
            which = f"from {skeleton.names[0]} to {skeleton.names[-1]}" if skeleton else "as of the first"
            raise ValueError(
                f"{path}: expected {count} joints a person, {which}, got {found}; give poses of these, or weights "
                "of another skeleton"
            )
    names = list(dict.fromkeys(name for name, _ in people))
    return {name: _stacked([p for other, p in people if other == name]) for name in names}


def poses_of(poses: Poses, name: str) -> dict[str, np.ndarray] | None:
    """Those of a picture by its file's name: with its ending or without, or, as COCO's, by the number that it is."""
    stem = Path(name).stem
    number = str(int(stem)) if stem.isascii() and stem.isdecimal() else stem
    return next((poses[key] for key in (name, stem, number) if key in poses), None)


def _person(row: Mapping[str, Any]) -> tuple[str, dict[str, np.ndarray]]:
    points = np.array(row["keypoints"], float).reshape(-1, 3)
    box = row.get("bbox", row.get("box"))
    xy = np.where((points == 0).all(axis=1, keepdims=True), np.nan, points[:, :2])
    values = {"bbox_xywh": np.array(box, float).reshape(4), "keypoints_2d": xy}
    values |= {"keypoint_score": points[:, 2], "score": np.array(float(row.get("score", 1.0)))}
    return str(row["file_name"] if "file_name" in row else row["image_id"]), values


def _stacked(people: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([person[name] for person in people]) for name in people[0]}
