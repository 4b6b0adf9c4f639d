"""Boxes, tracks and cutouts against annotated boxes, by the field's own code: pycocotools and trackeval.

Truth is a table of benchmarks.real_truth. Found boxes are a table with frame, x, y, w, h (pixels, edges) and score,
tracks one with `track_id` beside them.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.pipeline.real_cameras import are_unoccluded
from pipeline.core.boxes import box_iou

IOU = 0.5
_TOUCHES = 0.1  # a found box that overlaps no true one by so much is of something nobody labelled
_BOX = ["x", "y", "w", "h"]
_MOST = 1000  # boxes a frame that count, all that there are


def detected(truth: pd.DataFrame, found: pd.DataFrame) -> tuple[float, np.ndarray]:
    """COCO's average precision at IoU 0.5, and (N,) bool, which of the N true boxes a found one matches.

    Best scores choose first, each takes one box. NaN without true boxes; a frame without any counts its false ones.
    """
    if truth.empty or found.empty:
        return (float("nan") if truth.empty else 0.0), np.zeros(len(truth), bool)
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    frames = sorted({*truth["frame"], *found["frame"]})
    true = [row | {"area": row["bbox"][2] * row["bbox"][3], "iscrowd": 0} for row in _annotations(truth)]
    scored = [row | {"score": float(s)} for row, s in zip(_annotations(found), found["score"], strict=True)]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {"images": [{"id": f} for f in frames], "categories": [{"id": 1}], "annotations": true}
        coco.createIndex()
        evaluator = COCOeval(coco, coco.loadRes(scored), "bbox")
        evaluator.params.iouThrs, evaluator.params.maxDets = np.array([IOU]), [_MOST]
        evaluator.params.areaRng, evaluator.params.areaRngLbl = [[0, np.inf]], ["all"]
        evaluator.evaluate()
        evaluator.accumulate()
    matched = np.zeros(len(truth), bool)
    for image in filter(None, evaluator.evalImgs):
        matched[np.array(image["gtIds"], int) - 1] = np.array(image["gtMatches"][0]) > 0
    return float(evaluator.eval["precision"].mean()), matched


def _annotations(boxes: pd.DataFrame) -> list[dict[str, Any]]:
    """COCO's annotations, with ids from 1 in the table's order: 0 means unmatched there."""
    rows = zip(boxes["frame"], boxes[_BOX].to_numpy().tolist(), strict=True)
    return [{"id": k, "image_id": int(f), "category_id": 1, "bbox": box} for k, (f, box) in enumerate(rows, start=1)]


def tracked(truth: pd.DataFrame, tracks: pd.DataFrame) -> dict[str, float]:
    """MOTA and IDF1 at IoU 0.5, HOTA and DetA over IoU 0.05 to 0.95, and the identity switches.

    Every row of `tracks` counts: leave out what belongs to no track.
    """
    from trackeval.metrics import CLEAR, HOTA, Identity

    sequence = _sequence(truth, tracks)
    at = {"THRESHOLD": IOU, "PRINT_CONFIG": False}
    clear, identity = CLEAR(dict(at)).eval_sequence(sequence), Identity(dict(at)).eval_sequence(sequence)
    hota = HOTA().eval_sequence(sequence)
    return {
        "MOTA": float(clear["MOTA"]),
        "IDF1": float(identity["IDF1"]),
        "HOTA": float(np.mean(hota["HOTA"])),
        "DetA": float(np.mean(hota["DetA"])),
        "switches": int(clear["IDSW"]),
    }


def _sequence(truth: pd.DataFrame, tracks: pd.DataFrame) -> dict[str, Any]:
    """What trackeval's metrics read: ids counted from 0 and overlaps, frame by frame."""
    people, person = np.unique(truth["person"], return_inverse=True)
    ids, number = np.unique(tracks["track_id"], return_inverse=True)
    frames = sorted({*truth["frame"], *tracks["frame"]})
    true = [truth["frame"].to_numpy() == f for f in frames]
    found = [tracks["frame"].to_numpy() == f for f in frames]
    true_box, found_box = truth[_BOX].to_numpy(float), tracks[_BOX].to_numpy(float)
    return {
        "num_timesteps": len(frames),
        "num_gt_ids": len(people),
        "num_tracker_ids": len(ids),
        "num_gt_dets": len(truth),
        "num_tracker_dets": len(tracks),
        "gt_ids": [person[rows] for rows in true],
        "tracker_ids": [number[rows] for rows in found],
        "similarity_scores": [box_iou(true_box[a][:, None], found_box[b]) for a, b in zip(true, found, strict=True)],
    }


def mined(truth: pd.DataFrame, cutouts: pd.DataFrame, size_hw: tuple[int, int]) -> dict[str, float]:
    """How many cutouts of how many tracks lie on these frames, and the fraction of them that shows one whole object.

    It does where the true box it overlaps most is met at IoU 0.5, lies inside the picture and is overlapped by no
    nearer one. `unlabelled`: cutouts where nobody annotated a box; they are not in the fraction.
    """
    whole: list[bool] = []
    for frame, rows in cutouts.groupby("frame"):
        there = truth[truth["frame"] == frame]
        if there.empty:
            continue
        iou = box_iou(rows[_BOX].to_numpy(float)[:, None], there[_BOX].to_numpy(float))
        right = are_unoccluded(there, size_hw)[iou.argmax(axis=1)] & (iou.max(axis=1) >= IOU)
        whole += right[iou.max(axis=1) >= _TOUCHES].tolist()
    return {
        "cutouts": len(cutouts),
        "of_tracks": int(cutouts["track_id"].nunique()),
        "precision": float(np.mean(whole)) if whole else float("nan"),
        "unlabelled": len(cutouts) - len(whole),
    }
