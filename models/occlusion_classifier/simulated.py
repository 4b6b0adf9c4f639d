"""Training crops of simulated cameras: their detections, each with what the exact truth says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from models.labels.occlusion import CROPS, crop_of, row
from pipeline.core import masks
from pipeline.core.frames import FrameReader
from pipeline.core.storage import read_table
from pipeline.simulate import read_truth

# As the benchmarks have it: what matches no actor is none, what loses less than this is whole.
LEAST_IOU = 0.3
LEAST_VISIBLE = 0.98
MOST_TRUNCATION = 0.005
# A mask that overlaps the whole object by less than the first is not that object's: a scrap of somebody, or two in one;
# by more than the second it is; between them nobody can say, and either answer is right.
_WHOLE_IOU = (0.7, 0.8)
_LEAST_STATIC = 0.25  # of what is hidden: where outlines meet a pixel or two are nobody's


def classes_of(actor: Mapping, categories: Mapping[int, str], iou: float) -> tuple[str, ...]:
    """The classes that are right for one row of TRUTH; categories: of the frame's actors, by actor_id; iou: of the
    detection's mask with the actor's amodal one."""
    found = set()
    if actor["visible_fraction"] < LEAST_VISIBLE:
        before = [int(i) for i in actor["occluder_ids"]]
        found = {f"occluded_by_{categories[i]}" for i in before if i in categories}
        if actor["static_hidden_fraction"] >= _LEAST_STATIC * (1 - actor["visible_fraction"]) or not found:
            found.add("occluded_by_static")
    if actor["truncation"] > MOST_TRUNCATION:
        found.add("truncated")
    if found:
        return tuple(sorted(found))
    least, enough = _WHOLE_IOU
    return (*(["no_object"] if iou < enough else []), *(["unoccluded"] if iou >= least else []))


def crops_of_camera(camera_dir: Path, tracks: Path, per_actor: int) -> pa.Table:
    """CROPS of a simulated camera, of the detections in its file of tracks: of each actor at most so many of a kind,
    spread. The masks should be those that mining decides by."""
    index = read_table(camera_dir / "frames" / "index.parquet")
    size_hw = (index["height"][0].as_py(), index["width"][0].as_py())
    found = read_table(tracks, columns=["frame_id", "mask_rle"]).to_pandas()
    labelled = labelled_detections(found, read_truth(camera_dir / "truth").to_pandas(), size_hw)
    kept = thinned(labelled, per_actor)
    by_frame = kept.groupby("frame_id").indices
    rows: list[dict] = []
    for frame_id, image in FrameReader(index, camera_dir).read(np.unique(kept["frame_id"]).tolist()):
        for one in kept.iloc[by_frame[frame_id]].to_dict("records"):
            mask, (x, y, _, _) = masks.decode(one["mask_rle"], size_hw)
            rows.append(row(one["group"], tuple(one["classes"].split()), crop_of(image, mask, (x, y))))
    return pa.Table.from_pylist(rows, schema=CROPS)


def labelled_detections(tracks: pd.DataFrame, truth: pd.DataFrame, size_hw: tuple[int, int]) -> pd.DataFrame:
    """tracks (frame_id, mask_rle) with `classes`, by spaces, and `group`, the actor or, of no actor, below zero.

    A detection is of the actor whose visible or amodal mask it overlaps most, if by LEAST_IOU.
    """
    classes = ["no_object"] * len(tracks)
    group = -1 - tracks["frame_id"].to_numpy(int)
    by_frame = truth.groupby("frame_id").indices
    for frame_id, rows in tracks.groupby("frame_id").indices.items():
        there = truth.iloc[by_frame.get(frame_id, np.array([], int))]
        categories = dict(zip(there["actor_id"].tolist(), there["category"].tolist(), strict=True))
        for number, actor, iou in _matches(tracks["mask_rle"].iloc[rows].tolist(), there, size_hw):
            classes[rows[number]] = " ".join(classes_of(there.iloc[actor].to_dict(), categories, iou))
            group[rows[number]] = there["actor_id"].iloc[actor]
    return tracks.assign(classes=classes, group=group)


def _matches(rles: list[str], there: pd.DataFrame, size_hw: tuple[int, int]) -> Iterator[tuple[int, int, float]]:
    """(number of the mask, row of the frame's truth, IoU with its amodal mask) of those that show an actor."""
    if not len(there):
        return
    whole, seen = (masks.iou(rles, there[f"mask_{name}_rle"].tolist(), size_hw) for name in ("amodal", "visible"))
    overlap = np.maximum(whole, seen)
    for number, best in enumerate(overlap.argmax(axis=1)):
        if overlap[number, best] >= LEAST_IOU:
            yield number, int(best), float(whole[number, best])


def thinned(labelled: pd.DataFrame, most: int) -> pd.DataFrame:
    """Of each group and kind of label at most so many rows, evenly spread over its trajectory."""
    by_kind = [np.asarray(rows) for rows in labelled.groupby(["group", "classes"], sort=False).indices.values()]
    kept = [rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)] for rows in by_kind]
    return labelled.iloc[np.sort(np.concatenate([np.zeros(0, int), *kept]))]
