"""Each pixel's median over the frames of a time bucket in which nothing covers it, and where there were too few."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.core.frames import (
    FrameReader,
    as_png,
    frames_of_bucket,
    masks_by_frame,
    own_picture,
    read_backgrounds,
    spread_evenly,
)
from pipeline.core.storage import write_bytes
from pipeline.empty_street.beams import lamps_lit, without_beams
from pipeline.empty_street.compared_frames import shown_in
from pipeline.empty_street.coverage import CELL_PX, LEVELS, ON_IT, cells_of, covered_levels
from pipeline.empty_street.looks import SHOWN, UNKNOWN

# What a pixel of a background was taken from.
OWN_FRAMES, OTHER_BUCKET, BESIDE, PLAIN_MEDIAN = 0, 1, 2, 3


@dataclass(frozen=True)
class EmptyStreetSettings:
    """How many frames the second pass looks at, how many of them have to show a pixel, and who finds what stands.

    options: the named detector's own settings.
    """

    max_frames: int = field(
        default=120, metadata={"help": "frames of a bucket that the second pass looks at, spread evenly; 0 = all"}
    )
    enough: float = field(
        default=0.15,
        metadata={"help": "a pixel's median is over the frames farthest from any detection, so many: fraction of them"},
    )
    least: float = field(
        default=0.04,
        metadata={"help": "fraction of the frames that have to show a pixel uncovered, else it is filled in"},
    )
    mostly_free: float = field(
        default=0.8,
        metadata={"help": "where so large a fraction of the frames is far from any detection, the plain median stays"},
    )
    memory_mb: int = field(default=300, metadata={"help": "pixels in memory in one process, megabytes", "speed": True})
    detector: str = field(
        default="", metadata={"help": "who looks at the backgrounds; the frames' detector where none is named"}
    )
    options: Any = field(default=None, metadata={"apart": True})

    def __post_init__(self) -> None:
        if self.max_frames < 0:
            raise ValueError(f"empty street max_frames: expected 0 or more, got {self.max_frames}")
        for name in ("enough", "least", "mostly_free"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"empty street {name}: expected 0 to 1, got {getattr(self, name)}")
        if self.memory_mb <= 0:
            raise ValueError(f"empty street memory_mb: expected more than 0, got {self.memory_mb}")


@dataclass(frozen=True)
class UncoveredJob:
    """One bucket: `name` of it; where the FRAMES table, the camera's folder, the plain medians and the TRACKS table
    are, and what `looks_shard` found in the bucket, `shown`; the PNGs to write: the picture `out`, and `source`,
    PLAIN_MEDIAN where too few frames show a pixel."""

    name: str
    index: Path
    root: Path
    medians: Path
    tracks: Path
    shown: Path
    out: Path
    source: Path
    settings: EmptyStreetSettings


def uncovered_shard(job: UncoveredJob) -> None:
    """Write a bucket's picture and its sources."""
    plain = read_backgrounds(job.medians)[job.name]
    rows, ids = frames_of_bucket(job.index, job.name)
    ids = spread_evenly(ids, job.settings.max_frames)
    maps = coverage_maps(job.tracks, ids, plain.shape[:2])
    shown = shown_in(job.shown, job.index, job.name, ids, maps.shape[1:])
    maps = np.where(shown == UNKNOWN, maps, np.where(shown == SHOWN, 0, ON_IT).astype(np.uint8))
    reader = FrameReader(rows, job.root)
    picture, source = uncovered(plain, reader, ids, maps, job.settings)
    if lamps_lit(reader, job.tracks, ids):
        picture = without_beams(picture, reader, ids, maps)
    write_bytes(job.source, as_png(source))
    write_bytes(job.out, as_png(picture))


def coverage_maps(tracks: Path, frame_ids: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """(N, rows, columns) uint8: the coverage of each of N frames by the TRACKS table's detections."""
    masks_of = masks_by_frame(tracks, frame_ids)
    maps = [covered_levels(masks_of.get(frame_id, []), size_hw) for frame_id in frame_ids.tolist()]
    return np.stack(maps) if maps else np.zeros((0, *cells_of(size_hw)), np.uint8)


def uncovered(
    plain: np.ndarray, reader: FrameReader, ids: np.ndarray, maps: np.ndarray, settings: EmptyStreetSettings
) -> tuple[np.ndarray, np.ndarray]:
    """The picture (H, W, 3) uint8, and what each pixel (H, W) of it is: OWN_FRAMES, BESIDE or PLAIN_MEDIAN.

    plain: the bucket's plain median; maps: of the frames of these ids. Of the levels of coverage a pixel gets the
    widest at which enough frames leave it free, else the one beside its objects at which any do: what is BESIDE them
    in nearly all frames may be in their shadow.
    """
    count = len(ids)
    free = np.stack([(maps < level).sum(axis=0) for level in LEVELS])  # (L, rows, columns), growing with the level
    level = _first_level(free[:-1] >= max(settings.enough * count, 1))
    few = free >= max(settings.least * count, min(3, count), 1)
    level = np.where(level == 0, _first_level(few), level)
    todo = (free[0] < settings.mostly_free * count) & (level > 0)
    height, width = plain.shape[:2]
    picture = plain.copy()
    kind = np.where(level == ON_IT, BESIDE, np.where(level > 0, OWN_FRAMES, PLAIN_MEDIAN))
    source = _to_pixels(kind, (height, width)).astype(np.uint8)
    places = np.flatnonzero(_to_pixels(todo, (height, width)))
    at_once = max(settings.memory_mb * 1_000_000 // (4 * max(count, 1)), 1)
    for first in range(0, len(places), at_once):
        here = places[first : first + at_once]
        rows, columns = here // width // CELL_PX, here % width // CELL_PX
        known = maps[:, rows, columns] < level[rows, columns]
        values = np.empty((count, len(here), 3), np.uint8)
        for number, (_, image) in enumerate(reader.read(ids.tolist())):
            values[number] = image.reshape(-1, 3)[here]
        picture.reshape(-1, 3)[here] = median_of(values, known[..., None])
    return picture, source


def _first_level(enough: np.ndarray) -> np.ndarray:
    """(rows, columns) uint8: the first level of L (L, rows, columns) bool that is, 0 for none."""
    return np.where(enough.any(axis=0), enough.argmax(axis=0) + 1, 0).astype(np.uint8)


def median_of(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The median (P, 3) over N values (N, P, 3) uint8 of those that are known (N, P, 1 or 3), at least one of each P.

    The lower of the middle two for even counts.
    """
    rank = (known.sum(axis=0) - 1) // 2
    # Bit by bit, from the highest: the median has a bit set where no more than half of the values lie below.
    found, kind = np.zeros(values.shape[1:], np.uint8), np.uint8 if len(values) < 256 else np.uint16
    flags = np.zeros(found.shape, bool)
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):
        below, threshold = np.zeros(found.shape, kind), found | np.uint8(bit)
        for value, use in zip(values, known, strict=True):
            np.less(value, threshold, out=flags)
            flags &= use
            below += flags
        found = np.where(below <= rank, threshold, found)
    return found


def covered_most(maps: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: pixels on a detection in at least half of the frames."""
    return _to_pixels((maps == ON_IT).mean(axis=0) >= 0.5 if len(maps) else np.zeros(maps.shape[1:], bool), size_hw)


def _to_pixels(cells: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    return cells.repeat(CELL_PX, axis=0)[: size_hw[0]].repeat(CELL_PX, axis=1)[:, : size_hw[1]]


def read_sources(folder: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """(H, W) uint8 of each bucket. Raises ValueError where one lacks or is broken."""
    found = {}
    for name in names:
        found[name] = own_picture(folder / f"{name}.png", cv2.IMREAD_GRAYSCALE)
    return found
