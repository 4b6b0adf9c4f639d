"""Keypoints in COCO's form of results, which other programs read: a row an object, and each keypoint's state."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pipeline.core.instances import Instances
from pipeline.core.skeletons import OF_CATEGORY, Skeleton
from pipeline.core.storage import atomic_path
from pipeline.core.tables import CATEGORY_IDS

COLUMNS = ("bbox_xywh", "keypoints_2d", "keypoint_score", "keypoint_state")


class Results(Protocol):
    """Takes the objects of one picture after another."""

    def __call__(self, name: str, objects: Instances) -> None: ...


def coco_rows(name: str, objects: Instances, skeleton: Skeleton) -> Iterator[dict[str, Any]]:
    """file_name, category_id, bbox xywh, keypoints x y score, each K times, keypoint_names, keypoint_states and score:
    of the whole pose where the network tells one, else the mean of its keypoints'. Keypoints are pixel centres, as the
    export's; those that are not known are 0 0 0."""
    scores = objects["pose_score"] if "pose_score" in objects else _mean(np.asarray(objects["keypoint_score"], float))
    usual = "vehicle" if skeleton == OF_CATEGORY["vehicle"] else "person"
    category = objects["category"] if "category" in objects else [usual] * len(objects)
    for row in range(len(objects)):
        xy, score = objects["keypoints_2d"][row], objects["keypoint_score"][row]
        known = np.isfinite(xy).all(axis=1) & np.isfinite(score)
        points = np.where(known[:, None], np.column_stack([xy, score]), 0.0)
        yield {
            "file_name": name,
            "category_id": CATEGORY_IDS[category[row]],
            "bbox": np.round(objects["bbox_xywh"][row], 3).tolist(),
            "keypoints": np.round(points, 4).ravel().tolist(),
            "keypoint_names": list(skeleton.names),
            "keypoint_states": list(objects["keypoint_state"][row]),
            "score": round(float(scores[row]), 5),
        }


def _mean(scores: np.ndarray) -> np.ndarray:
    """(N,) of keypoints' scores (N, K), those that are not known left out; 0 where none is."""
    known = np.isfinite(scores)
    return np.where(known, scores, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)


@contextmanager
def results(path: Path, skeleton: Skeleton | None) -> Iterator[Results]:
    """Write the objects that it is called with, picture by picture, as one JSON list; whole or absent, and absent where
    no picture had keypoints with scores and states."""
    rows: list[str] = []

    def add(name: str, objects: Instances) -> None:
        if skeleton is not None and all(column in objects for column in COLUMNS):
            rows.extend(json.dumps(row, allow_nan=False) for row in coco_rows(name, objects, skeleton))

    yield add
    path.unlink(missing_ok=True)  # of a run before
    if rows:
        with atomic_path(path) as part:
            part.write_text("[" + ",\n".join(rows) + "]\n")
