"""Index a camera's frames: when each was taken, where it is stored, whether it can be read.

The result is the FRAMES table in time order. Timestamps are UTC; time buckets are those of the camera's local clock.
A sequence is a run of frames without a gap longer than a setting: tracks never cross its ends.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pyarrow as pa

from data_manifest.times import NameTimes
from pipeline.core.engine import Progress, map_shards
from pipeline.core.frames import SEEKABLE, Video, decode_image
from pipeline.core.tables import FRAMES

_ANCHORS = 24  # frames of a video to which a seek is tried, spread over its length
_IMAGES_PER_SHARD = 200


@dataclass(frozen=True)
class IngestSettings:
    """What counts as an unbroken, readable recording."""

    max_unreadable_fraction: float = field(
        default=0.05,
        metadata={
            "help": "fraction of frames that may be unreadable before the stage fails, 0 to 1",
            "formerly": "max_unreadable_share",
        },
    )
    max_gap_s: float = field(
        default=2.0, metadata={"help": "a longer pause between two frames ends a sequence, seconds"}
    )


@dataclass(frozen=True)
class FoundFrame:
    """A frame before it has a number. timestamp has a time zone; position is -1 for an image file."""

    timestamp: datetime
    source: str
    position: int
    size_hw: tuple[int, int] = (0, 0)
    status: str = "ok"


def index_table(
    found: Sequence[FoundFrame],
    bucket_of: Callable[[datetime], str | None],
    settings: IngestSettings,
    *,
    what: str,
    seekable: bool = False,
) -> pa.Table:
    """FRAMES rows in time order; frames outside every bucket are not frames of this camera.

    Raises ValueError, naming `what` was read, where no frame or too few can be read.
    """
    rows = sorted(found, key=lambda f: (f.timestamp, f.source, f.position))
    buckets = [bucket_of(f.timestamp) for f in rows]
    rows, buckets = [f for f, b in zip(rows, buckets, strict=True) if b], [b for b in buckets if b]
    if found and not rows:
        raise ValueError(f"{what}: none of its {len(found)} frames falls into a time bucket of the manifest")
    rows = _one_size(rows)
    _refuse_unreadable(rows, settings, what)
    moments = np.array([f.timestamp.astimezone(UTC).replace(tzinfo=None) for f in rows], "datetime64[us]")
    gaps = np.diff(moments) > np.timedelta64(round(settings.max_gap_s * 1e6), "us")
    columns = {
        "frame_id": np.arange(len(rows)),
        "timestamp": pa.array(moments).cast(pa.timestamp("us", tz="UTC")),
        "bucket": buckets,
        "sequence": np.r_[0, np.cumsum(gaps)],
        "source": [f.source for f in rows],
        "position": [f.position for f in rows],
        "width": [f.size_hw[1] for f in rows],
        "height": [f.size_hw[0] for f in rows],
        "status": [f.status for f in rows],
    }
    return pa.table(columns, schema=FRAMES.with_metadata({SEEKABLE: b"1"} if seekable else None))


def _one_size(rows: list[FoundFrame]) -> list[FoundFrame]:
    """A camera has one frame size, that of most frames; other frames are unreadable."""
    sizes = Counter(f.size_hw for f in rows if f.status == "ok")
    if not sizes:
        return rows
    height, width = size = sizes.most_common(1)[0][0]

    def checked(f: FoundFrame) -> FoundFrame:
        if f.status == "ok" and f.size_hw != size:
            return replace(
                f, size_hw=size, status=f"size {f.size_hw[1]}x{f.size_hw[0]}, the others are {width}x{height}"
            )
        return replace(f, size_hw=size)

    return [checked(f) for f in rows]


def _refuse_unreadable(rows: list[FoundFrame], settings: IngestSettings, what: str) -> None:
    bad = [f for f in rows if f.status != "ok"]
    if len(bad) == len(rows):
        raise ValueError(f"{what}: no frame can be read" + (f"; the first: {bad[0].status}" if bad else ""))
    fraction = len(bad) / len(rows)
    if fraction > settings.max_unreadable_fraction:
        raise ValueError(
            f"{what}: {len(bad)} of {len(rows)} frames cannot be read, {fraction:.0%}, more than the allowed "
            f"{settings.max_unreadable_fraction:.0%}; the first: {bad[0].status}. Mend the source, or raise "
            "max_unreadable_fraction under [IngestFrames] in luigi.cfg"
        )


def find_in_video(
    path: Path, start: datetime, *, fps: float | None, every: int, progress: Progress | None = None
) -> tuple[list[FoundFrame], bool]:
    """Every n-th frame of a video, and whether seeks in it land where they should.

    The whole video is decoded once: a container's own frame count, times and index may be wrong. `fps` is the rate
    at which the scene was filmed where the file's own times are not the scene's.
    """
    video = Video(path, seekable=False)
    count = max(int(video.property(cv2.CAP_PROP_FRAME_COUNT)), 0)
    size_hw = int(video.property(cv2.CAP_PROP_FRAME_HEIGHT)), int(video.property(cv2.CAP_PROP_FRAME_WIDTH))
    file_fps = video.property(cv2.CAP_PROP_FPS)
    step = max(count // _ANCHORS, 1)
    times_s: list[float] = []
    anchors: dict[int, int] = {}
    while video.grab():
        position = len(times_s)
        times_s.append(video.property(cv2.CAP_PROP_POS_MSEC) / 1000)
        if position % step == 0 and (image := video.retrieve()) is not None:
            anchors[position] = _checksum(image)
        if progress and position % 50 == 0:
            progress(position, count)
    video.close()
    seconds = _scene_times(times_s, fps, file_fps, max(count, len(times_s)), path)
    # A decoder patches up the frame in which a file breaks off.
    whole = len(times_s) - (len(times_s) < count)
    found = [
        FoundFrame(start + timedelta(seconds=seconds[i]), str(path), i, size_hw, _decoded(i, whole))
        for i in range(0, len(seconds), every)
    ]
    return found, _seeks_land(path, anchors)


def _checksum(image: np.ndarray) -> int:
    return zlib.crc32(image.tobytes())


def _decoded(position: int, whole: int) -> str:
    return "ok" if position < whole else f"the video breaks off in frame {whole}"


def _scene_times(times_s: list[float], fps: float | None, file_fps: float, count: int, path: Path) -> np.ndarray:
    """(count,) seconds from the start; frames the file promises and lacks come after the last."""
    steady = bool(len(times_s) > 1 and np.all(np.diff(times_s) > 0))
    if fps is None and not steady and not file_fps > 0:
        raise ValueError(f"{path}: the video says neither times nor a frame rate; give source.fps in the manifest")
    rate = fps or file_fps or 1.0
    if fps is not None or not steady:
        return np.arange(count) / rate
    missing = np.arange(1, count - len(times_s) + 1) / rate
    return np.r_[times_s, times_s[-1] + missing] - times_s[0]


def _seeks_land(path: Path, anchors: dict[int, int]) -> bool:
    """Whether seeking backwards through the anchors finds the pixels met while decoding forwards."""
    video = Video(path, seekable=True)
    try:
        return all(_checksum(video.read(i)) == anchors[i] for i in sorted(anchors, reverse=True))
    except ValueError:
        return False
    finally:
        video.close()


def find_images(
    folder: Path,
    glob: str,
    name_times: NameTimes,
    zone: ZoneInfo,
    *,
    every: int = 1,
    engine: str = "serial",
    cpus: int = 1,
    progress: Progress | None = None,
) -> list[FoundFrame]:
    """Every n-th image of a folder by the times in their names; each is decoded once to know that it can be read."""
    paths = sorted(p for p in folder.glob(glob) if p.is_file())
    if not paths:
        raise FileNotFoundError(
            f"{folder}: no file matches {glob!r}; see source.folder and source.glob in the manifest"
        )
    timed = sorted((name_times.parse(p).replace(tzinfo=zone), str(p)) for p in paths)[::every]
    names = [name for _, name in timed]
    chunks = [names[i : i + _IMAGES_PER_SHARD] for i in range(0, len(names), _IMAGES_PER_SHARD)]
    done = partial(_scaled, progress, _IMAGES_PER_SHARD, len(names)) if progress else None
    checked = [c for chunk in map_shards(_check_images, chunks, engine=engine, cpus=cpus, on_done=done) for c in chunk]
    return [
        FoundFrame(moment, name, -1, size_hw, status)
        for (moment, name), (size_hw, status) in zip(timed, checked, strict=True)
    ]


def _scaled(progress: Progress, step: int, total: int, done: int, _chunks: int) -> None:
    progress(min(done * step, total), total)


def _check_images(paths: list[str]) -> list[tuple[tuple[int, int], str]]:
    return [_check_image(Path(path)) for path in paths]


def _check_image(path: Path) -> tuple[tuple[int, int], str]:
    try:
        height, width = decode_image(path.read_bytes(), path.name).shape[:2]
    except (ValueError, OSError) as error:
        return (0, 0), str(error)
    return (height, width), "ok"
