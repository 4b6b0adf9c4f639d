"""Where static things (poles, trees, signs, parked cars) stand in front of the ground, found from what they hide.

A track tells of each of its detections how much of it is missing or too much; tracks together, what never moves.
For each pixel and each range of objects: how often a track's expected outline was missing there, how often it was
seen. A static thing hides all that stands beyond it, so an object at some range is hidden where objects as near or
nearer were hidden, unless objects as far or farther were seen. Maps are scaled down to at most MAP_SIDE_PX.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from calibration.camera import Camera, GroundPlane
from pipeline.core.boxes import meeting_pairs
from pipeline.mining.expected_outline import Outline, OutlineSettings, expected_outlines, reference_area
from pipeline.mining.observations import Observations, by_track

MAP_SIDE_PX = 640
# Ranges in metres that the evidence is kept apart for: geometric, 3 m to 300 m.
RANGES_M = np.geomspace(3.0, 300.0, 17)


@dataclass(frozen=True)
class OccluderSettings:
    """When a pixel counts as a static occluder."""

    tracks: float = field(default=1.2, metadata={"help": "evidence needed at a pixel, number of tracks hidden there"})
    rate: float = field(
        default=0.6, metadata={"help": "fraction of the tracks expected at a pixel that were hidden there"}
    )


class OccluderMap:
    """Evidence (ranges, h, w) of pixels that hide and of pixels that show."""

    def __init__(self, size_hw: tuple[int, int], settings: OccluderSettings) -> None:
        self.settings = settings
        self.scale = min(1.0, MAP_SIDE_PX / max(size_hw))
        shape = tuple(int(np.ceil(side * self.scale)) for side in size_hw)
        self._size_hw = size_hw
        self._hidden = np.zeros((len(RANGES_M) + 1, *shape), np.float32)
        self._seen = np.zeros_like(self._hidden)
        self._known: dict[int, np.ndarray] = {}

    def add_track(self, range_m: np.ndarray, outlines: list[Outline | None]) -> None:
        """Add the outlines of one track: whatever their number, it is one witness at every pixel and range."""
        self._known.clear()
        bins = np.searchsorted(RANGES_M, range_m)
        for number in np.unique(bins):
            mine = [o for o, b in zip(outlines, bins, strict=True) if o is not None and b == number]
            if mine:
                self._add(int(number), mine)

    def _add(self, number: int, outlines: list[Outline]) -> None:
        left, top = np.min([o.xy for o in outlines], axis=0)
        right, bottom = np.max([(o.xy[0] + o.mask.shape[1], o.xy[1] + o.mask.shape[0]) for o in outlines], axis=0)
        hidden = np.zeros((bottom - top, right - left), np.float32)
        seen = np.zeros_like(hidden)
        for o in outlines:
            place = np.s_[o.xy[1] - top :, o.xy[0] - left :]
            height, width = o.mask.shape
            hidden[place][:height, :width] += o.missing
            seen[place][:height, :width] += o.shown
        total = np.maximum(hidden + seen, 1)
        for target, part in ((self._hidden, hidden / total), (self._seen, seen / total)):
            self._paste(target[number], part, (int(left), int(top)))

    def _paste(self, target: np.ndarray, part: np.ndarray, xy: tuple[int, int]) -> None:
        # Enlarged to the map's own grid at xy; what leaves the frame is dropped.
        height, width = target.shape
        move = np.array([[self.scale, 0, 0], [0, self.scale, 0]])
        x, y = int(xy[0] * self.scale), int(xy[1] * self.scale)
        move[:, 2] = (np.array(xy) + 0.5) * self.scale - 0.5 - (x, y)
        size = int(np.ceil(part.shape[1] * self.scale)) + 1, int(np.ceil(part.shape[0] * self.scale)) + 1
        small = cv2.warpAffine(cv2.blur(part, (2, 2)) if self.scale < 0.75 else part, move, size)
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + size[0], width), min(y + size[1], height)
        if x1 > x0 and y1 > y0:
            target[y0:y1, x0:x1] += small[y0 - y : y1 - y, x0 - x : x1 - x]

    def at(self, range_m: float) -> np.ndarray:
        """(h, w) bool in the map's scale: what hides an object standing at range_m."""
        number = int(np.searchsorted(RANGES_M, range_m))
        if number not in self._known:
            here = self._hides_from(number)
            self._known[number] = here | self.at(float(RANGES_M[number - 1])) if number else here
        return self._known[number]

    def _hides_from(self, number: int) -> np.ndarray:
        # Hidden at this range or just before it, and nothing seen here or beyond.
        hidden = cv2.GaussianBlur(self._hidden[max(number - 1, 0) : number + 1].sum(axis=0), (0, 0), 0.7)
        seen = cv2.GaussianBlur(self._seen[number:].sum(axis=0), (0, 0), 0.7)
        rate = hidden / np.maximum(hidden + seen, 1e-6)
        return (hidden >= self.settings.tracks) & (rate >= self.settings.rate)

    def fractions(self, region: np.ndarray, xy: tuple[int, int], range_m: float) -> tuple[float, float]:
        """Fraction of a region (h, w) bool at xy, and of the ring around it, that static occluders take at a range."""
        region = np.pad(region, 2)
        ring = cv2.dilate(region.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool) & ~region
        height, width = region.shape
        known = self.at(range_m)
        rows = ((np.arange(height) + xy[1] - 1.5) * self.scale).astype(int).clip(0, known.shape[0] - 1)
        columns = ((np.arange(width) + xy[0] - 1.5) * self.scale).astype(int).clip(0, known.shape[1] - 1)
        static = known[np.ix_(rows, columns)]
        return float(static[region].mean()), float(static[ring].mean())

    def picture(self, background: np.ndarray | None = None) -> np.ndarray:
        """BGR uint8 (H, W, 3): what is hidden at all, red over the background, the darker the nearer."""
        height, width = self._size_hw
        canvas = np.full((height, width, 3), 128, np.uint8) if background is None else background.copy()
        for number in range(len(RANGES_M), 0, -1):
            here = cv2.resize(self.at(float(RANGES_M[number - 1])).astype(np.uint8), (width, height)).astype(bool)
            colour = np.array([0, 255 * number / len(RANGES_M), 255])
            canvas[here] = (0.3 * canvas[here] + 0.7 * colour).astype(np.uint8)
        return canvas


@dataclass(frozen=True)
class TrackShapes:
    """What the tracks predict of each detection: fractions `missing` and `extra` of the expected outline, `growth` of
    the metric area, NaN where they tell nothing; `regions`: packed outline (mask and expectation) with its place."""

    missing: np.ndarray
    extra: np.ndarray
    growth: np.ndarray
    regions: list[tuple[np.ndarray, tuple[int, int], tuple[int, ...]] | None]
    occluders: OccluderMap

    def static_fractions(self, range_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N,) fractions of each outline, and of the ring around it, on what never moves nearer than range_m (N,)."""
        area, ring = np.zeros((2, len(self.regions)))
        for i, region in enumerate(self.regions):
            if region is not None and np.isfinite(range_m[i]):
                bits, xy, (height, width) = region
                crop = np.unpackbits(bits, count=height * width).reshape(height, width).astype(bool)
                area[i], ring[i] = self.occluders.fractions(crop, xy, float(range_m[i]))
        return area, ring


def track_shapes(
    seen: Observations,
    whole: np.ndarray,
    confident: np.ndarray,
    camera: Camera,
    plane: GroundPlane,
    settings: tuple[OutlineSettings, OccluderSettings],
    progress: Callable[[int, int], None] | None = None,
) -> TrackShapes:
    """Of all detections; whole (N,) bool: not truncated by the border; confident (N,) bool: may show static
    occluders."""
    outline_settings, occluder_settings = settings
    missing, extra, growth = np.full((3, len(seen)), np.nan)
    regions: list[tuple[np.ndarray, tuple[int, int], tuple[int, ...]] | None] = [None] * len(seen)
    occluders = OccluderMap(camera.size_hw, occluder_settings)
    others = _neighbours(seen)
    tracks = by_track(seen)
    for number, rows in enumerate(tracks):
        track = seen.at(rows)
        outlines = expected_outlines(track, whole[rows], camera, plane, outline_settings)
        growth[rows] = track.area_m2 / reference_area(track, whole[rows], outline_settings) - 1
        freed = [
            None if o is None else o.without(seen.box_xywh[others[i]]) for i, o in zip(rows, outlines, strict=True)
        ]
        occluders.add_track(track.range_m, [o if confident[i] else None for i, o in zip(rows, freed, strict=True)])
        for i, outline in zip(rows, outlines, strict=True):
            if outline is not None:
                missing[i], extra[i] = outline.missing_fraction, outline.extra_fraction
                region = outline.mask | outline.inside
                regions[i] = np.packbits(region), outline.xy, region.shape
        if progress:
            progress(number + 1, len(tracks))
    return TrackShapes(missing, extra, growth, regions, occluders)


def _neighbours(seen: Observations) -> list[np.ndarray]:
    """For each detection the rows of its frame that are close enough to hide it."""
    pairs = meeting_pairs(seen.frame_id, seen.box_xywh, 12.0)
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    return np.split(pairs[:, 1], np.searchsorted(pairs[:, 0], np.arange(1, len(seen))))
