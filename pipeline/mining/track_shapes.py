"""What its track tells of each detection: how much of it is missing or too much, and what never moves before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from calibration.camera import Camera, GroundPlane
from pipeline.mining.expected_outline import OutlineSettings, expected_outlines, reference_area
from pipeline.mining.observations import Observations, by_track, meeting_pairs
from pipeline.mining.static_occluders import OccluderMap, OccluderSettings


@dataclass(frozen=True)
class TrackShapes:
    """What the tracks tell of each detection: shares `missing` and `extra` of the expected outline, `growth` of the
    metric area, NaN where they tell nothing; `regions`: packed outline (mask and expectation) with its place."""

    missing: np.ndarray
    extra: np.ndarray
    growth: np.ndarray
    regions: list[tuple[np.ndarray, tuple[int, int], tuple[int, ...]] | None]
    occluders: OccluderMap

    def static_shares(self, range_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N,) shares of each outline, and of the ring around it, on what never moves nearer than range_m (N,)."""
        area, ring = np.zeros((2, len(self.regions)))
        for i, region in enumerate(self.regions):
            if region is not None and np.isfinite(range_m[i]):
                bits, xy, (height, width) = region
                crop = np.unpackbits(bits, count=height * width).reshape(height, width).astype(bool)
                area[i], ring[i] = self.occluders.shares(crop, xy, float(range_m[i]))
        return area, ring


def track_shapes(
    seen: Observations,
    whole: np.ndarray,
    sure: np.ndarray,
    camera: Camera,
    plane: GroundPlane,
    settings: tuple[OutlineSettings, OccluderSettings],
    progress: Callable[[int, int], None] | None = None,
) -> TrackShapes:
    """Of all detections; whole (N,) bool: not cut off by the border; sure (N,) bool: may tell of static occluders."""
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
        occluders.add_track(track.range_m, [o if sure[i] else None for i, o in zip(rows, freed, strict=True)])
        for i, outline in zip(rows, outlines, strict=True):
            if outline is not None:
                missing[i], extra[i] = outline.missing_share, outline.extra_share
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
