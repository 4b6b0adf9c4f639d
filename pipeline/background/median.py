"""The picture of the empty street: each pixel's exact median over the frames of a time bucket.

Whatever stands at a place for less than half of the bucket's frames is not in it. Memory is bounded by a setting,
never by the number of frames: the frames are kept strip by strip, or read again for each bit of the answer.
Each frame is then compared with it: those of another view, in fog, or grey among coloured ones are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.background.unlike_frames import left_out, with_statuses
from pipeline.core.frames import FrameReader, as_png, spread_evenly
from pipeline.core.storage import read_table, write_bytes, write_json

# Reading everything once per strip beats once per bit (8 bits, one pass for even counts) up to so many strips.
_PASSES = 9
_FEW = 0.02  # fraction of a bucket's frames: so few of another view hardly move a median


@dataclass(frozen=True)
class BackgroundSettings:
    """How much of a bucket goes into its median."""

    max_frames: int = field(
        default=0, metadata={"help": "frames of a bucket to use, spread evenly; 0 = all of them, the exact median"}
    )
    memory_mb: int = field(
        default=400, metadata={"help": "frames in memory at a time in one process, megabytes", "speed": True}
    )
    max_unlike: float = field(
        default=0.65,
        metadata={
            "help": "a frame that differs from its time bucket's median in more of the picture, or is grey where it "
            "is in colour, is left out; fraction, 0 to 1, 1 = none is"
        },
    )

    def __post_init__(self) -> None:
        if self.max_frames < 0:
            raise ValueError(f"background max_frames: expected 0 or more, got {self.max_frames}")
        if self.memory_mb <= 0:
            raise ValueError(f"background memory_mb: expected more than 0, got {self.memory_mb}")
        if not 0 < self.max_unlike <= 1:
            raise ValueError(f"background max_unlike: expected more than 0, at most 1, got {self.max_unlike}")


@dataclass(frozen=True)
class BackgroundJob:
    """One bucket: `name` of the bucket, where the FRAMES table and the camera's folder are; the PNG to write, and after
    it the JSON of the frames that are left out, {frame_id: why}."""

    name: str
    index: Path
    root: Path
    picture: Path
    out: Path
    settings: BackgroundSettings


Frames = Callable[[], Iterable[np.ndarray]]


def median(frames: Frames, count: int) -> np.ndarray:
    """Exact median over `count` arrays uint8 of one shape; the mean of the middle two, halves up, for even counts.

    `frames()` starts a new pass over the arrays. Bit by bit, from the highest: a pixel's median has the bit set when
    fewer than half of its values lie below.
    """
    rank = (count - 1) // 2
    lower: np.ndarray | None = None
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):
        below = _count_below(frames(), lower, bit)
        lower = np.zeros(below.shape, np.uint8) if lower is None else lower
        lower = np.where(below <= rank, lower | bit, lower)
    if lower is None or count % 2:
        return lower if lower is not None else np.zeros(0, np.uint8)
    upper = _next_value(frames(), lower, rank)
    return ((lower.astype(np.uint16) + upper + 1) // 2).astype(np.uint8)


def _count_below(frames: Iterable[np.ndarray], lower: np.ndarray | None, bit: int) -> np.ndarray:
    """How many values lie below lower + bit."""
    total = few = flags = None
    threshold: np.ndarray | int = bit if lower is None else lower | bit
    for number, frame in enumerate(frames, start=1):
        if total is None or few is None or flags is None:
            total, few = np.zeros(frame.shape, np.uint32), np.zeros(frame.shape, np.uint8)
            flags = np.zeros(frame.shape, bool)
        # Sums of bytes run at the memory's speed; they are poured out before they overflow.
        np.less(frame, threshold, out=flags)
        np.add(few, flags.view(np.uint8), out=few)
        if number % 255 == 0:
            total += few
            few[:] = 0
    if total is None or few is None:
        raise ValueError("median: expected at least one frame, got none")
    return total + few


def _next_value(frames: Iterable[np.ndarray], lower: np.ndarray, rank: int) -> np.ndarray:
    """The value of rank + 1 where that of `rank` is `lower`."""
    up_to, above = np.zeros(lower.shape, np.uint32), np.full(lower.shape, 255, np.uint8)
    for frame in frames:
        higher = frame > lower
        up_to += ~higher
        np.minimum(above, frame, out=above, where=higher)
    return np.where(up_to > rank + 1, lower, above)


def median_background(index: pa.Table, root: Path, bucket: str, settings: BackgroundSettings) -> np.ndarray:
    """BGR uint8 (H, W, 3) of one bucket. Raises ValueError for a bucket without a readable frame."""
    rows = _readable(index, bucket).select(["frame_id", "height", "width"]).to_pydict()
    ids = spread_evenly(np.array(rows["frame_id"], int), settings.max_frames).tolist()
    if not ids:
        raise ValueError(f"time bucket {bucket}: no readable frame in it")
    reader, height, width = FrameReader(index, root), rows["height"][0], rows["width"][0]
    row_bytes = width * 3 * len(ids)
    strip = max(settings.memory_mb * 1_000_000 // row_bytes, 1)
    if math.ceil(height / strip) > _PASSES:
        return median(lambda: (image for _, image in reader.read(ids)), len(ids))
    strips = [_strip(reader, ids, slice(top, top + strip)) for top in range(0, height, strip)]
    return np.concatenate(strips)


def _strip(reader: FrameReader, ids: list[int], rows: slice) -> np.ndarray:
    kept = [image[rows].copy() for _, image in reader.read(ids)]
    return median(lambda: kept, len(kept))


def _readable(index: pa.Table, bucket: str) -> pa.Table:
    return index.filter(pc.and_(pc.equal(index["status"], "ok"), pc.equal(index["bucket"], bucket)))


def compared_background(
    index: pa.Table, root: Path, bucket: str, settings: BackgroundSettings
) -> tuple[np.ndarray, dict[int, str]]:
    """A bucket's background, BGR uint8 (H, W, 3), and by frame_id why frames are left out, which are not in it where
    they are more than a few."""
    image = median_background(index, root, bucket, settings)
    if settings.max_unlike == 1:
        return image, {}
    reader, ids = FrameReader(index, root), _readable(index, bucket)["frame_id"].to_pylist()
    unlike = left_out(image, reader.read(ids), settings.max_unlike)
    if _FEW * len(ids) < len(unlike) < len(ids):
        image = median_background(with_statuses(index, unlike), root, bucket, settings)
        unlike = left_out(image, reader.read(ids), settings.max_unlike)
    return image, unlike


def background_shard(job: BackgroundJob) -> None:
    """Write a bucket's background as a PNG, unless no frame is like it, and the frames that are left out."""
    index = read_table(job.index, filters=pc.field("bucket") == job.name)
    image, unlike = compared_background(index, job.root, job.name, job.settings)
    if len(unlike) < _readable(index, job.name).num_rows:
        write_bytes(job.picture, as_png(image))
    write_json(job.out, {str(frame_id): status for frame_id, status in unlike.items()})
