"""Find the frames of a recording that is a folder of images, timed by their names or numbered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from data_manifest.times import NameTimes, last_number, natural, utc_of
from pipeline.core.engine import Progress, at, map_shards
from pipeline.ingest.clock import Tell, moments_of
from pipeline.ingest.found import FoundFrame
from pipeline.ingest.look import Look, look_at, statuses
from readers.limits import read_bytes
from readers.pictures import decode_image

_IMAGES_PER_SHARD = 200


@dataclass(frozen=True, slots=True)
class _Read:
    """What reading an image gave: its size, and its look, whose status is why it cannot be read where it cannot."""

    size_hw: tuple[int, int]
    look: Look


def find_images(
    folder: Path,
    glob: str,
    name_times: NameTimes | None,
    zone: ZoneInfo,
    *,
    start: datetime | None = None,
    fps: float | None = None,
    every: int = 1,
    engine: str = "serial",
    cpus: int = 1,
    tell: Tell = lambda text: None,
    progress: Progress | None = None,
) -> list[FoundFrame]:
    """Every n-th image of a folder in time order; each is decoded once and looked at.

    Times are in the names (name_times; start: the local day of names without a date; fps: what `%q` counts), or the
    images are numbered, `fps` of them a second from `start` on. What is odd about the times is told.
    """
    paths = sorted((p for p in folder.glob(glob) if p.is_file()), key=lambda p: natural(p.relative_to(folder)))
    if not paths:
        raise FileNotFoundError(
            f"{folder}: no file matches {glob!r}; see source.folder and source.glob in the manifest"
        )
    if name_times:
        names = [p.relative_to(folder.parent) for p in paths]
        moments = moments_of(names, name_times, zone, tell, str(folder), start=start, fps=fps)
    else:
        assert start is not None and fps is not None  # the manifest's check
        moments = _numbered(paths, utc_of(start, zone), fps)
    timed = sorted(zip(moments, map(str, paths), strict=True), key=lambda one: one[0])[::every]
    read = _read_all([name for _, name in timed], engine, cpus, progress)
    status = statuses([one.look for one in read])
    return [
        FoundFrame(moment, name, -1, one.size_hw, state)
        for (moment, name), one, state in zip(timed, read, status, strict=True)
    ]


def _numbered(paths: Sequence[Path], start: datetime, fps: float) -> list[datetime]:
    """Moments by the last number in each name, the lowest at `start`: a number that is missing leaves its gap."""
    numbers = [last_number(path) for path in paths]
    counted = [number for number in numbers if number is not None]
    if len(counted) < len(numbers):
        lacking = paths[numbers.index(None)]
        raise ValueError(f"{lacking}: expected a number in its name, to be timed by source.fps; narrow source.glob")
    if len(set(counted)) < len(counted):
        twice = next(i for i, number in enumerate(counted) if number in counted[:i])
        other = paths[counted.index(counted[twice])]
        raise ValueError(f"{paths[twice]}: has the number of {other.name}, {counted[twice]}; narrow source.glob")
    try:
        return [start + timedelta(seconds=(number - min(counted)) / fps) for number in counted]
    except OverflowError:
        last = paths[counted.index(max(counted))]
        raise ValueError(f"{last}: its number, timed by source.fps, lies beyond what a clock shows") from None


def _read_all(names: list[str], engine: str, cpus: int, progress: Progress | None) -> list[_Read]:
    chunks = [_Images(names[i : i + _IMAGES_PER_SHARD]) for i in range(0, len(names), _IMAGES_PER_SHARD)]
    done = partial(_scaled, progress, _IMAGES_PER_SHARD, len(names)) if progress else None
    return [one for chunk in map_shards(_read_some, chunks, engine=engine, cpus=cpus, on_done=done) for one in chunk]


def _scaled(progress: Progress, step: int, total: int, done: int, _chunks: int) -> None:
    progress(min(done * step, total), total)


@dataclass(frozen=True)
class _Images:
    """A shard of the recording's files."""

    paths: list[str]

    @property
    def name(self) -> str:
        """The first and the last."""
        return f"{self.paths[0]} to {Path(self.paths[-1]).name}"


def _read_some(images: _Images) -> list[_Read]:
    return [_read(Path(path)) for path in images.paths]


def _read(path: Path) -> _Read:
    at(str(path))
    try:
        image = decode_image(read_bytes(path, "picture_mb"), path.name)
    except (ValueError, OSError) as error:
        return _Read((0, 0), Look(-1, str(error)))
    look = look_at(image[..., 1])
    return _Read((image.shape[0], image.shape[1]), look)
