"""Read a camera's frames by their ids, whatever they are stored in (image files or a video), and its backgrounds.

Frames are BGR uint8 (H, W, 3), in time order. The index is the FRAMES table; of its rows only those whose
status is "ok" can be read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.engine import at
from pipeline.core.storage import damaged, read_table
from pipeline.core.video import Video
from readers.pictures import read_image

ANCHORS = b"anchors"  # key of the index's schema metadata: JSON, by video the frames to which seeks go


@dataclass(frozen=True)
class BlockJob:
    """What is to be made of the detections of a block of frames: `name` of the shard; where the FRAMES table, the
    camera's folder and the TRACKS table are; `out` gets the rows."""

    name: str
    frame_ids: Sequence[int]
    index: Path
    root: Path
    tracks: Path
    out: Path


@dataclass(frozen=True)
class StreetJob(BlockJob):
    """A block of frames to be compared with the empty street of their time bucket, whose pictures are in a folder."""

    backgrounds: Path


class FrameReader:
    """Frames of one camera; `root` is the camera's folder, to which relative sources of the index belong."""

    def __init__(self, index: pa.Table, root: Path) -> None:
        ok = index.filter(pa.compute.equal(index["status"], "ok"))
        self._rows = {row["frame_id"]: row for row in ok.select(["frame_id", "source", "position"]).to_pylist()}
        self._known = set(index["frame_id"].to_pylist())
        self._root = root
        self._anchors = json.loads((index.schema.metadata or {}).get(ANCHORS, b"{}"))
        self._video: Video | None = None

    def read(self, frame_ids: Iterable[int]) -> Iterator[tuple[int, np.ndarray]]:
        """(frame_id, BGR uint8 (H, W, 3)) in time order; unreadable frames are left out."""
        wanted = sorted({int(i) for i in frame_ids})
        unknown = [i for i in wanted if i not in self._known]
        if unknown:
            raise ValueError(f"frames: {len(unknown)} ids are not in the index, the first is {unknown[0]}")
        for frame_id in wanted:
            if frame_id in self._rows:
                yield frame_id, self._frame(self._rows[frame_id])

    def _frame(self, row: dict) -> np.ndarray:
        path = self._root / row["source"]
        at(f"frame {row['frame_id']} ({path})")
        if row["position"] < 0:
            return read_image(path)
        if self._video is None or self._video.path != path:
            if self._video:
                self._video.close()
            self._video = Video(path, self._anchors.get(row["source"], ()))
        return self._video.read(row["position"])


def read_backgrounds(folder: Path) -> dict[str, np.ndarray]:
    """BGR uint8 (H, W, 3) of every bucket.

    Raises FileNotFoundError where there is none, ValueError, which names the command that mends, for a broken one.
    """
    images = {path.stem: own_picture(path) for path in sorted(folder.glob("*.png")) if path.name[0] != "."}
    if not images:
        raise FileNotFoundError(f"{folder}: no background there")
    return images


def own_picture(path: Path, flag: int = cv2.IMREAD_COLOR) -> np.ndarray:
    """A picture that a stage has written. Raises ValueError, which names the command that mends, where it is broken."""
    try:
        return read_image(path, flag)
    except (OSError, ValueError) as error:
        raise damaged(path, error) from None


def as_png(image: np.ndarray) -> bytes:
    """A picture's PNG, packed well: for what is written once and read often."""
    return cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()


def frames_of_bucket(index: Path, bucket: str) -> tuple[pa.Table, np.ndarray]:
    """Rows of the FRAMES index that can be read and are of a time bucket, and their ids in order."""
    rows = read_table(index, filters=(pc.field("bucket") == bucket) & (pc.field("status") == "ok"))
    return rows, np.sort(rows["frame_id"].to_numpy())


def spread_evenly(ids: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the ids, from the first to the last; all for 0 and below."""
    if most <= 0 or len(ids) <= most:
        return ids
    return ids[np.linspace(0, len(ids) - 1, most).round().astype(int)]


def masks_by_frame(tracks: Path, frame_ids: np.ndarray) -> dict[int, list[str]]:
    """Run lengths of the TRACKS table's detections by frame_id, of those frames that have any."""
    wanted = pc.field("frame_id").isin(frame_ids)
    found = read_table(tracks, columns=["frame_id", "mask_rle"], filters=wanted)
    masks_of: dict[int, list[str]] = {}
    for frame_id, rle in zip(found["frame_id"].to_pylist(), found["mask_rle"].to_pylist(), strict=True):
        masks_of.setdefault(frame_id, []).append(rle)
    return masks_of


_FRAMES_AT_ONCE = 16  # decoded pictures in memory at a time: 0.4 GB of 4K


def cutouts_with_frames(
    cutouts: pa.Table, frames: pa.Table, root: Path, progress: Callable[[int, int], None] | None = None
) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Rows of CUTOUTS, and for each of them its frame, a few frames at a time; those whose frame cannot be read are
    passed over."""
    frame_ids = cutouts["frame_id"].to_numpy()
    wanted = np.unique(frame_ids)
    table = frames.filter(pc.field("frame_id").isin(pa.array(wanted)))
    for first in range(0, len(wanted), _FRAMES_AT_ONCE):
        images = dict(FrameReader(table, root).read(wanted[first : first + _FRAMES_AT_ONCE].tolist()))
        rows = np.flatnonzero(np.isin(frame_ids, list(images)))
        yield rows, [images[i] for i in frame_ids[rows].tolist()]
        if progress:
            progress(min(first + _FRAMES_AT_ONCE, len(wanted)), len(wanted))
