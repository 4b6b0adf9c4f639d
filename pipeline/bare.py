"""Which pixels inside a mask show the empty street: holes that a detector bridged, most of them poles and branches.

A grey car on grey asphalt has such pixels too, here and there; only where many objects have them, something stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from pipeline import masks
from pipeline.relight import Placed, Relit, padded, relit_frames
from pipeline.storage import write_table

BARE = pa.schema([("detection_id", pa.int64()), ("bare_rle", pa.string())])
# The median over 3 x 3 pixels of a difference is none below so many sigmas of one pixel.
_SIGMAS = 1.6
_LIGHT_ERROR = 0.02  # the frame's light is known to this share


@dataclass(frozen=True)
class BareJob:
    """A block of frames: `name` of the shard; where the FRAMES table, the camera's folder, the backgrounds and the
    TRACKS table are; `out` gets rows of BARE, none for detections without such pixels."""

    name: str
    frame_ids: Sequence[int]
    index: Path
    root: Path
    backgrounds: Path
    tracks: Path
    out: Path


def bare_shard(job: BareJob) -> int:
    """Write the bare pixels of a block of frames; the number of rows."""
    ids, rles = [], []
    for relit, rows in relit_frames(job.index, job.root, job.backgrounds, job.tracks, job.frame_ids):
        for mask, detection_id in zip(relit.placed, rows["detection_id"].to_pylist(), strict=True):
            crop = bare_pixels(relit, mask)
            if crop.any():
                ids.append(detection_id)
                rles.append(masks.encode(crop, mask.xy, relit.frame.shape[:2]))
    write_table(job.out, pa.table({"detection_id": ids, "bare_rle": rles}, schema=BARE))
    return len(ids)


def bare_pixels(relit: Relit, mask: Placed) -> np.ndarray:
    """(h, w) bool, the mask's crop: inside it, and no different from the background."""
    if not mask.crop.size:
        return mask.crop
    crop, box = padded(mask, (0, 0), relit.frame.shape[:2])
    frame, background = relit.crop(box)
    # A median, not a mean: the object's colours on both sides of a thin pole must not reach into it.
    difference = np.abs(cv2.medianBlur(np.ascontiguousarray(frame - background, np.float32), 3)).max(axis=2)
    level = background.mean(axis=2)
    same = (difference < _SIGMAS * relit.noise[np.clip(level, 0, 255).astype(int)] + _LIGHT_ERROR * level) & crop
    return cv2.morphologyEx(same.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)).astype(bool)
