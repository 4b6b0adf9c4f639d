"""Headlights' beams: where traffic drives with its lamps on, some part of the street is lit by somebody nearly always.

A beam reaches farther than anything else that an object does to the street, and only ever adds light, smoothly. So the
street's own illumination is, cell by cell, the lowest that comes up again and again.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyarrow.compute as pc

from pipeline.core import illumination, masks
from pipeline.core.frames import FrameReader, spread_evenly
from pipeline.core.storage import read_table
from pipeline.empty_street.coverage import REACHES

# A vehicle of so many pixels, not itself white, with its lamps on shows pixels saturated in all channels, more than
# this fraction of its own. Of the simulated cameras' vehicles 0 to 0.14 do by day, 0.67 and 0.71 at dusk.
_VEHICLE_PX, _WHITE, _SATURATED, _SPOTS = 800, 180, 245, 0.002
_LIT, _LEAST_VEHICLES, _LOOKED_AT = 0.4, 5, 20
_MOST_FRAMES = 90
_BESIDE = REACHES.index(0.5) + 1  # the level from which a cell of a frame shows somebody's shadow or glare
_LOW = 0.05  # fraction of the frames that see a cell unlit, at least
_ALIKE = 0.08  # ln ratio: so far apart are a cell's means under the same light
_LEAST = 4  # frames


def lamps_lit(reader: FrameReader, tracks: Path, ids: np.ndarray) -> bool:
    """Whether vehicles drive with their lamps on: most of them that are not white show saturated spots."""
    few = spread_evenly(ids, _LOOKED_AT)
    wanted = pc.field("frame_id").isin(few) & (pc.field("category") == "vehicle")
    found = read_table(tracks, columns=["frame_id", "mask_rle"], filters=wanted).to_pydict()
    spots = []
    for frame_id, image in reader.read(few.tolist()):
        darkest = image.min(axis=2)
        for rle in (r for f, r in zip(found["frame_id"], found["mask_rle"], strict=True) if f == frame_id):
            crop, (x, y, w, h) = masks.decode(rle, image.shape[:2])
            values = darkest[y : y + h, x : x + w][crop]
            if len(values) >= _VEHICLE_PX and np.median(values) < _WHITE:
                spots.append((values >= _SATURATED).mean() > _SPOTS)
    return len(spots) >= _LEAST_VEHICLES and float(np.mean(spots)) > _LIT


def without_beams(picture: np.ndarray, reader: FrameReader, ids: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """The picture (H, W, 3) uint8 of a street as its frames show it when nobody's lamps are on it.

    maps (N, rows, columns): the coverage of the frames of the N ids.
    """
    chosen = spread_evenly(np.arange(len(ids)), _MOST_FRAMES)
    mine = illumination.cells(picture)
    ratios = np.full((len(chosen), *mine.shape), np.nan, np.float32)
    for number, (_, image) in enumerate(reader.read(ids[chosen].tolist())):
        ratio = illumination.log_ratio(illumination.cells(image), mine)
        ratios[number] = np.where(_nobody_near(maps[chosen[number]], mine.shape[:2])[..., None], ratio, np.nan)
    gain = _lowest(ratios)
    return np.clip(np.rint(picture * illumination.gain_at(gain, picture.shape[:2])), 0, 255).astype(np.uint8)


def _nobody_near(covered: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(rows, columns) bool: of the illumination's cells, those with nobody in or beside them."""
    near = (covered >= _BESIDE).astype(np.float32)
    grown = cv2.dilate(near, np.ones((3, 3), np.uint8))  # the two grids do not meet
    return cv2.resize(grown, shape[::-1], interpolation=cv2.INTER_AREA) < 0.05


def _lowest(ratios: np.ndarray) -> np.ndarray:
    """(rows, columns, 3) float32 of ln ratios (N, rows, columns, 3), NaN where a frame does not show a cell: the lowest
    that comes up again and again, at most 0, and smooth; 0 where too few frames show a cell."""
    ordered = np.sort(ratios, axis=0)  # NaN last
    count = np.isfinite(ordered).sum(axis=0)
    rank = np.floor(_LOW * np.maximum(count - 1, 0)).astype(int)
    low = np.take_along_axis(ordered, rank[None], axis=0)[0]
    with np.errstate(invalid="ignore"):
        within = (ordered <= low + _ALIKE).sum(axis=0)
    middle = np.take_along_axis(ordered, (np.maximum(within - 1, 0) // 2)[None], axis=0)[0]
    gain = np.where(count >= _LEAST, np.nan_to_num(np.minimum(middle, 0)), 0).astype(np.float32)
    steady = np.dstack([cv2.medianBlur(channel, 3) for channel in cv2.split(gain)])
    return cv2.GaussianBlur(steady, (0, 0), 0.7)
