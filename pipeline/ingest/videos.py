"""Find the frames of a recording that is a video, or several one after the other.

Each video is decoded once from end to end: a container's own frame count, times and index may be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from pipeline.core.engine import Progress
from pipeline.core.video import Anchor, Decoded, Video
from pipeline.ingest.clock import Tell, increasing
from pipeline.ingest.found import FirstOrLast, FoundFrame, number_or_moment, within
from pipeline.ingest.look import Look, look_at, statuses
from readers.limits import limit

_TRIED = 24  # frames to which a seek is tried, spread over the video's length
_APART = 50  # frames between two anchors; nearer ones save nothing
_MOST_ANCHORS = 2000


@dataclass(frozen=True)
class FoundVideo:
    """Frames of one video, how many it has, its anchors where seeks land where they should, and how long it runs."""

    frames: list[FoundFrame]
    count: int
    anchors: list[Anchor]
    duration_s: float


@dataclass
class _Met:
    """What decoding met: each frame's time and size, and the looks of every n-th."""

    times_s: list[float | None] = field(default_factory=list)
    sizes_hw: list[tuple[int, int]] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    anchors: list[Anchor] = field(default_factory=list)
    tried: dict[int, int] = field(default_factory=dict)
    interlaced: int = 0
    stopped: bool = False


def find_in_video(
    path: Path,
    start: datetime,
    *,
    last: int | float | None = None,
    fps: float | None = None,
    every: int = 1,
    max_gap_s: float = 2.0,
    tell: Tell = lambda text: None,
    progress: Progress | None = None,
) -> FoundVideo:
    """Every n-th frame of a video that begins at `start`, a moment with a zone.

    last: number of the last frame to decode, or seconds from the start as a float; all by default. fps: the rate at
    which the scene was filmed where the file's own times are not the scene's; max_gap_s: a longer step is a pause. What
    is odd is told. Raises ValueError where nothing can be decoded.
    """
    video = Video(path)
    met = _decoded(video, every, last, progress)
    if not met.times_s:
        raise ValueError(f"{path}: a video without a frame that can be decoded")
    if fps is None:
        seconds = increasing(met.times_s, video.fps, max_gap_s, tell, path.name)
    else:
        seconds = np.arange(len(met.times_s)) / fps
    if met.interlaced:
        tell(f"{path.name}: {met.interlaced} of {len(seconds)} frames are interlaced; of what moves one field is used")
    if video.broken_packets:
        tell(f"{path.name}: {video.broken_packets} packets are broken and give no frame")
    rate = fps or (1 / float(np.median(np.diff(seconds))) if len(seconds) > 1 else video.fps or 1.0)
    lost = 0 if fps or met.stopped else _lost_at_end(video, seconds[-1], rate)
    status = dict(zip(range(0, len(seconds), every), statuses(met.looks), strict=True))
    frames = [
        FoundFrame(_after(start, seconds[i]), str(path), i, met.sizes_hw[i], status[i])
        for i in range(0, len(seconds), every)
    ]
    if lost:
        frames = _broken_off(frames, start, seconds, rate, lost, every)
    video.close()
    anchors = met.anchors if _seeks_land(path, met) else []
    return FoundVideo(frames, len(seconds), anchors, float(seconds[-1]) + (1 + lost) / rate)


def _decoded(video: Video, every: int, last: int | float | None, progress: Progress | None) -> _Met:
    met, tried_every = _Met(), every
    total = video.frames
    for decoded in video:
        position = decoded.position
        if _is_past(decoded, last):
            met.stopped = True
            break
        met.times_s.append(decoded.time_s)
        met.sizes_hw.append(_size_hw(decoded))
        met.interlaced += decoded.interlaced
        _keep_anchor(met.anchors, decoded.anchor)
        if position % every == 0:
            met.looks.append(look_at(decoded.luma()))
        if position % tried_every == 0:
            met.tried[position] = met.looks[-1].checksum
            if len(met.tried) > 2 * _TRIED:
                tried_every *= 2
                met.tried = {at: checksum for at, checksum in met.tried.items() if at % tried_every == 0}
        if progress and position % 50 == 0:
            progress(position, max(total, position + 1))
    return met


def _is_past(decoded: Decoded, last: int | float | None) -> bool:
    if isinstance(last, float):
        return decoded.time_s is not None and decoded.time_s > last
    return last is not None and decoded.position > last


def _size_hw(decoded: Decoded) -> tuple[int, int]:
    size = decoded.frame.height, decoded.frame.width
    return size if decoded.frame.rotation % 180 == 0 else size[::-1]


def _keep_anchor(anchors: list[Anchor], anchor: Anchor | None) -> None:
    if anchor is not None and (not anchors or anchor[0] - anchors[-1][0] >= _APART):
        anchors.append(anchor)
        if len(anchors) > _MOST_ANCHORS:
            del anchors[1::2]


def _after(start: datetime, seconds: float) -> datetime:
    return start.astimezone(UTC) + timedelta(seconds=float(seconds))


def _lost_at_end(video: Video, last_s: float, rate: float) -> int:
    """Frames that the file lacks at its end, by its own duration; a frame and a half are rounding."""
    duration = video.duration_s
    missing = 0.0 if duration is None else (duration - last_s) * rate - 1
    if not missing <= 1e6 * limit("frames_millions"):
        return 0  # no recording: what the header says of its length is nonsense
    return math.floor(missing + 0.5) if missing > 1.5 else 0


def _broken_off(
    frames: list[FoundFrame], start: datetime, seconds: np.ndarray, rate: float, lost: int, every: int
) -> list[FoundFrame]:
    """With the frames that a file lacks at its end, at the times that they would have had.

    The last that was decoded is one of them: a decoder patches up the frame in which a file breaks off.
    """
    count, end = len(seconds), float(seconds[-1])
    status = f"the video breaks off in frame {count - 1}, at {end:.1f} s of {end + (lost + 1) / rate:.1f} s"
    kept = [replace(f, status=status) if f.position == count - 1 else f for f in frames]
    lacking = range(count + -count % every, count + lost, every)
    return kept + [
        replace(kept[0], timestamp=_after(start, end + (i - count + 1) / rate), position=i, status=status)
        for i in lacking
    ]


def _seeks_land(path: Path, met: _Met) -> bool:
    """Whether seeking backwards through frames finds the pictures met while decoding forwards."""
    video = Video(path, met.anchors)
    try:
        positions = sorted(met.tried, reverse=True)
        return all(look_at(video.at(i).luma()).checksum == met.tried[i] for i in positions)
    except ValueError:
        return False
    finally:
        video.close()


def find_in_videos(
    paths: Sequence[Path],
    starts: Sequence[datetime],
    *,
    first: FirstOrLast = None,
    last: FirstOrLast = None,
    zone: ZoneInfo,
    fps: float | None = None,
    every: int = 1,
    max_gap_s: float = 2.0,
    tell: Tell = lambda text: None,
    progress: Progress | None = None,
) -> tuple[list[FoundFrame], dict[str, list[Anchor]]]:
    """Frames of the segments of a recording, and each one's anchors; as `find_in_video` else.

    starts: of each segment, or of the first alone, which the others follow without a pause. first, last: frames to use,
    counted over all segments, or local times. A segment that cannot be opened is told and left out, unless all are;
    frames that a segment has after the next one begins are left out and counted.
    """
    found: list[FoundVideo] = []
    unread: list[str] = []
    follow = len(starts) < len(paths)
    begin = starts[0]
    for number, path in enumerate(paths):
        begin = begin if follow else starts[number]
        stop = _last_to_decode(last, begin, zone) if len(paths) == 1 else None
        each = partial(_share, progress, number, len(paths)) if progress else None
        how = {"fps": fps, "every": every, "max_gap_s": max_gap_s}
        try:
            found.append(find_in_video(path, begin, last=stop, **how, tell=tell, progress=each))  # type: ignore[arg-type]
        except OverflowError:
            unread.append(f"{path}: its frames' times lie beyond what a clock shows")
            continue
        except ValueError as error:
            unread.append(str(error))
            continue
        begin += timedelta(seconds=found[-1].duration_s)
    if not found:
        raise ValueError(unread[0] + (f" (and {len(unread) - 1} more)" if len(unread) > 1 else ""))
    if unread:
        tell(f"{len(unread)} of {len(paths)} videos are left out, the first: {unread[0]}")
    found.sort(key=lambda one: one.frames[0].timestamp)
    before = np.cumsum([0, *(one.count for one in found[:-1])])
    numbers = [int(n) + frame.position for n, one in zip(before, found, strict=True) for frame in one.frames]
    numbered = dict(zip([frame for one in found for frame in one.frames], numbers, strict=True))
    frames = _without_overlap([one.frames for one in found], tell)
    kept = within(frames, [numbered[frame] for frame in frames], first, last, zone, str(paths[0].parent))
    return kept, {one.frames[0].source: one.anchors for one in found}


def _last_to_decode(last: FirstOrLast, begin: datetime, zone: ZoneInfo) -> int | float | None:
    stop = number_or_moment(last, begin, zone)
    return (stop - begin).total_seconds() if isinstance(stop, datetime) else stop


def _share(progress: Progress, number: int, count: int, done: int, total: int) -> None:
    """The progress of one of several videos as that of all."""
    progress(done + number * total, total * count)


def _without_overlap(segments: list[list[FoundFrame]], tell: Tell) -> list[FoundFrame]:
    frames: list[FoundFrame] = []
    dropped: list[FoundFrame] = []
    for one, following in pairwise([*segments, []]):
        begins = following[0].timestamp if following else None
        frames += [f for f in one if begins is None or f.timestamp < begins]
        dropped += [f for f in one if begins is not None and f.timestamp >= begins]
    if dropped:
        tell(f"{len(dropped)} frames are left out: their segments run on after the next one begins, the first "
             f"{Path(dropped[0].source).name}")  # fmt: skip
    return frames
