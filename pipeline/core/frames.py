"""Read a camera's frames by their ids, whatever they are stored in (image files or a video), and its backgrounds.

Frames are BGR uint8 (H, W, 3), in time order. The index is the FRAMES table; of its rows only those whose
status is "ok" can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import simplejpeg

SEEKABLE = b"seekable"  # key of the index's schema metadata: videos in which a seek lands on the frame asked for
# Decoding on costs less than a seek, which starts again from the key frame before.
_SEEK_BEYOND = 100


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


def decode_image(data: bytes, where: str) -> np.ndarray:
    """BGR uint8 (H, W, 3) of a whole image file's bytes.

    Raises ValueError on what cv2 lets pass with grey in place of pixels: truncated and corrupt files.
    """
    if not data:
        raise ValueError(f"{where}: empty file")
    if data[:2] == b"\xff\xd8":
        return _decode_jpeg(data, where)
    if data[:8] == b"\x89PNG\r\n\x1a\n" and b"IEND" not in data[-64:]:
        raise ValueError(f"{where}: truncated PNG")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise ValueError(f"{where}: not an image that OpenCV reads")
    return image


def _decode_jpeg(data: bytes, where: str) -> np.ndarray:
    try:
        return simplejpeg.decode_jpeg(data, colorspace="BGR", strict=True)
    except ValueError as error:
        # Some cameras pad their streams: every pixel is there, libjpeg only grumbles.
        if "extraneous bytes before marker 0xd9" in str(error):
            return simplejpeg.decode_jpeg(data, colorspace="BGR", strict=False)
        raise ValueError(f"{where}: corrupt JPEG ({str(error).strip()})") from None


class Video:
    """A video's frames by their numbers, counted as a decoder meets them."""

    def __init__(self, path: Path, *, seekable: bool) -> None:
        self.path, self.seekable = path, seekable
        self._open()

    def _open(self) -> None:
        self._capture = cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        if not self._capture.isOpened():
            self._capture = cv2.VideoCapture(str(self.path))
        if not self._capture.isOpened():
            missing = "no such file" if not self.path.exists() else "not a video that OpenCV opens, or cut off"
            raise ValueError(f"{self.path}: {missing}")
        self._next = 0

    def property(self, key: int) -> float:
        """One of OpenCV's CAP_PROP_* values."""
        return self._capture.get(key)

    def grab(self) -> bool:
        """Step over the next frame; False at the end."""
        self._next += 1
        return self._capture.grab()

    def retrieve(self) -> np.ndarray | None:
        """The frame last stepped over."""
        ok, image = self._capture.retrieve()
        return image if ok else None

    def read(self, position: int) -> np.ndarray:
        """Frame number `position`. Raises ValueError where the video has no such frame any more."""
        if self.seekable and not 0 <= position - self._next <= _SEEK_BEYOND:
            self._seek(position)
        if position < self._next:
            self._reopen()
        while self._next <= position:
            if not self.grab():
                raise ValueError(f"{self.path}: frame {position} cannot be decoded; was the file changed since ingest?")
        image = self.retrieve()
        if image is None:
            raise ValueError(f"{self.path}: frame {position} cannot be decoded; was the file changed since ingest?")
        return image

    def close(self) -> None:
        """Release the decoder."""
        self._capture.release()

    def _seek(self, position: int) -> None:
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, position)
        self._next = position
        if round(self._capture.get(cv2.CAP_PROP_POS_FRAMES)) != position:
            self._reopen()

    def _reopen(self) -> None:
        self.close()
        self._open()


class FrameReader:
    """Frames of one camera; `root` is the camera's folder, to which relative sources of the index belong."""

    def __init__(self, index: pa.Table, root: Path) -> None:
        ok = index.filter(pa.compute.equal(index["status"], "ok"))
        self._rows = {row["frame_id"]: row for row in ok.select(["frame_id", "source", "position"]).to_pylist()}
        self._known = set(index["frame_id"].to_pylist())
        self._root = root
        self._seekable = bool((index.schema.metadata or {}).get(SEEKABLE))
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
        if row["position"] < 0:
            return decode_image(path.read_bytes(), str(path))
        if self._video is None or self._video.path != path:
            if self._video:
                self._video.close()
            self._video = Video(path, seekable=self._seekable)
        return self._video.read(row["position"])


def read_backgrounds(folder: Path) -> dict[str, np.ndarray]:
    """BGR uint8 (H, W, 3) of every bucket. Raises FileNotFoundError where there is none."""
    images = {path.stem: cv2.imread(str(path)) for path in sorted(folder.glob("*.png")) if path.name[0] != "."}
    if not images:
        raise FileNotFoundError(f"{folder}: no background there")
    return {name: image for name, image in images.items() if image is not None}


def as_png(image: np.ndarray) -> bytes:
    """A picture's PNG, packed well: for what is written once and read often."""
    return cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()


def frames_of_bucket(index: Path, bucket: str) -> tuple[pa.Table, np.ndarray]:
    """Rows of the FRAMES index that can be read and are of a time bucket, and their ids in order."""
    rows = pq.read_table(index, filters=(pc.field("bucket") == bucket) & (pc.field("status") == "ok"))
    return rows, np.sort(rows["frame_id"].to_numpy())


def spread_evenly(ids: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the ids, from the first to the last; all for 0 and below."""
    if most <= 0 or len(ids) <= most:
        return ids
    return ids[np.linspace(0, len(ids) - 1, most).round().astype(int)]


def masks_by_frame(tracks: Path, frame_ids: np.ndarray) -> dict[int, list[str]]:
    """Run lengths of the TRACKS table's detections by frame_id, of those frames that have any."""
    wanted = pc.field("frame_id").isin(frame_ids)
    found = pq.read_table(tracks, columns=["frame_id", "mask_rle"], filters=wanted)
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
