"""The frames of all time buckets as `looks` compares them, and its findings frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core import masks
from pipeline.core.frames import FrameReader, as_png, frames_of_bucket, own_picture, read_backgrounds, spread_evenly
from pipeline.core.illumination import REACH_FRACTION, alike, cells, gain_at, smooth_gain
from pipeline.core.storage import read_table, write_bytes
from pipeline.empty_street.beams import lamps_lit
from pipeline.empty_street.looks import UNKNOWN, Looks, ln_levels, street_shown

_COLUMNS = 320  # of the grid
_FRAMES = 40  # of a bucket that are compared
# A window is so much of a usual vehicle's shorter side; so much of the frame's width where there is no vehicle.
_OF_VEHICLE, _OF_WIDTH = 0.8, 0.035


@dataclass(frozen=True)
class LooksJob:
    """The time buckets of `medians`; where the FRAMES table, the camera's folder and the TRACKS table are; the folder
    `out` gets a picture of each bucket, for `shown_in`."""

    name: str
    index: Path
    root: Path
    medians: Path
    tracks: Path
    out: Path


def looks_shard(job: LooksJob) -> None:
    """Write what the frames of every bucket show of the street where its median is in doubt."""
    medians = read_backgrounds(job.medians)
    # In lamps' light the street itself looks different each time.
    steady = {name: median for name, median in medians.items() if not _lamps_lit(job, name)}
    looks = {name: _looks(job, name, median) for name, median in steady.items()}
    order = alike(steady, np.inf)
    for name in medians:
        shown = street_shown(name, looks, order[name][1:]) if name in steady else np.zeros((0, 1, 1), np.uint8)
        stacked = np.concatenate([np.full((1, shown.shape[2]), UNKNOWN, np.uint8), *shown])  # no picture is empty
        write_bytes(job.out / f"{name}.png", as_png(stacked))


def _looks(job: LooksJob, name: str, median: np.ndarray) -> Looks:
    height, width = median.shape[:2]
    size = (min(_COLUMNS, width), max(round(height * min(_COLUMNS / width, 1)), 1))
    rows, ids = looked_at(job.index, name)
    known = cells(median)
    use = np.ones(known.shape[:2], bool)
    covered = np.zeros((len(ids), size[1], size[0]), np.float16)
    pictures = np.zeros((*covered.shape, 3), np.float16)
    found = _found(job.tracks, ids)
    for k, (frame_id, image) in enumerate(FrameReader(rows, job.root).read(ids.tolist())):
        gain = smooth_gain(image, known, use, REACH_FRACTION * known.shape[1])
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        pictures[k] = ln_levels(small) - np.log(gain_at(gain, covered.shape[1:]))
        there = np.zeros((height, width), np.float32)
        for rle, score in found.get(frame_id, []):
            crop, (x, y, w, h) = masks.decode(rle, (height, width))
            np.maximum(there[y : y + h, x : x + w], score * crop, out=there[y : y + h, x : x + w])
        covered[k] = cv2.resize(there, size, interpolation=cv2.INTER_AREA)
    window = max(round(_window_px(job.tracks, width) * size[0] / width) // 2 * 2 + 1, 5)
    here = ln_levels(cv2.resize(median, size, interpolation=cv2.INTER_AREA))
    return Looks(pictures, covered, _times(rows, ids), here, window)


def _found(tracks: Path, ids: np.ndarray) -> dict[int, list[tuple[str, float]]]:
    """Run lengths and scores of the detections in the frames with these ids, by frame."""
    columns = ("frame_id", "mask_rle", "score")
    table = read_table(tracks, columns=[*columns], filters=pc.field("frame_id").isin(ids))
    found: dict[int, list[tuple[str, float]]] = {}
    for frame_id, rle, score in zip(*(table[name].to_pylist() for name in columns), strict=True):
        found.setdefault(frame_id, []).append((rle, score))
    return found


def _lamps_lit(job: LooksJob, name: str) -> bool:
    rows, ids = looked_at(job.index, name)
    return lamps_lit(FrameReader(rows, job.root), job.tracks, ids)


def looked_at(index: Path, bucket: str) -> tuple[pa.Table, np.ndarray]:
    """Rows of the FRAMES index of a time bucket, and the ids of those that are compared, in order."""
    rows, ids = frames_of_bucket(index, bucket)
    return rows, spread_evenly(ids, _FRAMES)


def shown_in(path: Path, index: Path, bucket: str, frame_ids: np.ndarray, cells_hw: tuple[int, int]) -> np.ndarray:
    """(N, rows, columns) uint8 of frames of a bucket: UNKNOWN, HIDDEN or SHOWN, as the frame nearest in time was found
    that `looks_shard` compared; all UNKNOWN where it told of none. Raises ValueError where its picture is broken."""
    rows, ids = looked_at(index, bucket)
    stacked = own_picture(path, cv2.IMREAD_GRAYSCALE)[1:]
    shown = np.full((len(frame_ids), *cells_hw), UNKNOWN, np.uint8)
    if not len(stacked):
        return shown
    parts, times = np.split(stacked, max(len(ids), 1)), _times(rows, ids)
    for k, time in enumerate(_times(rows, frame_ids)):
        one = parts[int(np.abs(times - time).argmin())]
        shown[k] = cv2.resize(one, cells_hw[::-1], interpolation=cv2.INTER_NEAREST)
    return shown


def _times(rows: pa.Table, ids: np.ndarray) -> np.ndarray:
    """Seconds (N,) of the frames with these ids."""
    place = pc.index_in(pa.array(ids), rows["frame_id"].combine_chunks())
    return rows["timestamp"].take(place).to_numpy().astype("datetime64[us]").astype(np.int64) / 1e6


def _window_px(tracks: Path, width: int) -> float:
    """The size of a window: most of a usual vehicle's box across its shorter side."""
    vehicles = read_table(tracks, columns=["bbox_xywh"], filters=pc.field("category") == "vehicle")
    boxes = vehicles["bbox_xywh"].to_pylist()
    return _OF_VEHICLE * float(np.median([min(w, h) for _, _, w, h in boxes])) if boxes else _OF_WIDTH * width
