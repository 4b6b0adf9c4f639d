"""The occlusion classifier's word on every detection: an extra gate of mining, off unless it is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.occlusion_classifier.crops import STORED_PX, crop_of
from models.occlusion_classifier.predict import OcclusionClassifier, load
from pipeline.core import masks
from pipeline.core.frames import BlockJob, FrameReader
from pipeline.core.storage import write_table

UNOCCLUDED = pa.schema([("detection_id", pa.int64()), ("chance", pa.float32())])


def gate_shard(job: BlockJob) -> int:
    """Write how likely each detection of a block of frames is whole, as UNOCCLUDED; the number of rows."""
    wanted = pc.field("frame_id").isin(pa.array(job.frame_ids, pa.int64()))
    tracks = pq.read_table(job.tracks, columns=["detection_id", "frame_id", "mask_rle"], filters=wanted)
    table = chances(load(), tracks, pq.read_table(job.index, filters=wanted), job.root)
    write_table(job.out, table)
    return len(table)


def chances(classifier: OcclusionClassifier, tracks: pa.Table, frames: pa.Table, root: Path) -> pa.Table:
    """UNOCCLUDED of the rows of a TRACKS table whose frames can be read, frame by frame; an empty mask is not whole."""
    ids, rles = tracks["detection_id"].to_numpy(), tracks["mask_rle"].to_pylist()
    frame_of = tracks["frame_id"].to_numpy()
    order = np.argsort(frame_of, kind="stable")
    ids_found, chance = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    for frame_id, image in FrameReader(frames, root).read(np.unique(frame_of).tolist()):
        start, end = np.searchsorted(frame_of[order], [frame_id, frame_id + 1])
        rows = order[start:end]
        decoded = [masks.decode(rles[i], image.shape[:2]) for i in rows]
        drawn = np.array([mask.any() for mask, _ in decoded], bool)
        crops = [crop_of(image, mask, (x, y)) for mask, (x, y, _, _) in decoded if mask.any()]
        found = np.zeros(len(rows), np.float32)
        found[drawn] = classifier.unoccluded(np.array(crops, np.uint8).reshape(-1, STORED_PX, STORED_PX, 4))
        ids_found.append(ids[rows])
        chance.append(found)
    columns = [np.concatenate(ids_found), np.concatenate(chance)]
    return pa.table([pa.array(c) for c in columns], schema=UNOCCLUDED)
