"""The occlusion classifier's prediction for every candidate: what a network sees where rules are in doubt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import models
from models.frames import Frame
from pipeline.core import masks
from pipeline.core.frames import BlockJob, FrameReader
from pipeline.core.instances import Instances
from pipeline.core.storage import read_table, write_table
from pipeline.mining.observations import Observations

if TYPE_CHECKING:
    from models.predictor import FramePredictor

NETWORK = "occlusion_classifier"
_KNOWS = 0.5  # median chance from which the classifier knows a category
_BATCH = 64  # detections of one frame at a time
UNOCCLUDED = pa.schema([("detection_id", pa.int64()), ("chance", pa.float32())])


@dataclass(frozen=True)
class GateJob(BlockJob):
    """A block of frames; `candidates` is the table whose detection_id are asked about."""

    candidates: Path


def gate_shard(job: GateJob) -> int:
    """Write how likely each candidate of a block of frames is whole, as UNOCCLUDED; the number of rows."""
    ids = read_table(job.candidates)["detection_id"]
    wanted = pc.field("frame_id").isin(pa.array(job.frame_ids, pa.int64())) & pc.field("detection_id").isin(ids)
    tracks = read_table(job.tracks, columns=["detection_id", "frame_id", "bbox_xywh", "mask_rle"], filters=wanted)
    frames = read_table(job.index, filters=pc.field("frame_id").isin(pa.array(job.frame_ids, pa.int64())))
    table = chances(load_classifier(), tracks, frames, job.root)
    write_table(job.out, table)
    return len(table)


def load_classifier(weights: Path | None = None) -> FramePredictor:
    """The network of a weights file, else the one that ships."""
    classifier = models.load(NETWORK, weights, "cpu")
    classifier.batch = _BATCH
    return classifier


def chances(classifier: FramePredictor, tracks: pa.Table, frames: pa.Table, root: Path) -> pa.Table:
    """UNOCCLUDED of the rows of a TRACKS table whose frames can be read, frame by frame; an empty mask is not whole."""
    ids, rles = tracks["detection_id"].to_numpy(), tracks["mask_rle"].to_pylist()
    frame_of, boxes = tracks["frame_id"].to_numpy(), np.array(tracks["bbox_xywh"].to_pylist(), float).reshape(-1, 4)
    order = np.argsort(frame_of, kind="stable")
    ids_found, chance = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    for frame_id, image in FrameReader(frames, root).read(np.unique(frame_of).tolist()):
        start, end = np.searchsorted(frame_of[order], [frame_id, frame_id + 1])
        rows = order[start:end]
        shown = rows[[masks.area(rles[i], image.shape[:2]) > 0 for i in rows]]
        frame = Frame(
            image, Instances(image.shape[:2], {"bbox_xywh": boxes[shown], "mask_rle": [rles[i] for i in shown]})
        )
        found = np.zeros(len(rows), np.float32)
        found[np.isin(rows, shown)] = classifier.of_frames([frame])[0]["unoccluded_chance"]
        ids_found.append(ids[rows])
        chance.append(found)
    columns = [np.concatenate(ids_found), np.concatenate(chance)]
    return pa.table([pa.array(c) for c in columns], schema=UNOCCLUDED)


def chance_of(unoccluded: pa.Table | None, seen: Observations) -> np.ndarray:
    """(N,) the classifier's chance of a whole object, of rows of UNOCCLUDED; NaN where it was not asked."""
    if unoccluded is None:
        return np.full(len(seen), np.nan)
    columns = (unoccluded[name].to_pylist() for name in ("detection_id", "chance"))
    known = dict(zip(*columns, strict=True))
    return np.array([known.get(i, np.nan) for i in seen.detection_id.tolist()], float)


def doubted(chance: np.ndarray, is_person: np.ndarray, clean: np.ndarray, least: tuple[float, float]) -> np.ndarray:
    """(N,) bool: the classifier does not see a whole object, its chance being below the `least` of people and of
    vehicles. Of a category of which it doubts most that nothing else speaks against, it knows nothing: these are no
    objects as it was trained on."""
    found = np.zeros(len(chance), bool)
    for mine, enough in zip((is_person, ~is_person), least, strict=True):
        asked = mine & clean & np.isfinite(chance)
        if asked.any() and np.median(chance[asked]) >= _KNOWS:
            found |= mine & (chance < enough)
    return found
