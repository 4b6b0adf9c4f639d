"""Main directions of motion: groups of straight ways whose pictures meet in one point, its vanishing point.

Found in the picture alone, greedily by random pairs of ways (RANSAC); points are homogeneous, pixels.
"""

from __future__ import annotations

import numpy as np

from calibration.traffic.tracks import Tracks

_MOST_GROUPS = 4
_LEAST, _LEAST_FRACTION = 5, 0.12  # ways of a group, and of all ways
_NEAR_SD = 2.5
_PAIRS = 600


def main_directions(tracks: Tracks, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Group of each track (T,), -1 for none, the largest first; vanishing points (G, 3) of unit length."""
    group = np.full(len(tracks.kind), -1)
    points: list[np.ndarray] = []
    ends, sd = _ends(tracks)
    left = np.flatnonzero(tracks.straight & (np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) > 8 * sd))
    least = max(_LEAST, int(_LEAST_FRACTION * len(left)))
    while len(left) >= least and len(points) < _MOST_GROUPS:
        found, inside = _best(ends[left], sd[left], rng)
        if inside.sum() < least:
            break
        group[left[inside]] = len(points)
        points.append(found)
        left = left[~inside]
    return group, np.array(points).reshape(-1, 3)


def _ends(tracks: Tracks) -> tuple[np.ndarray, np.ndarray]:
    """First and last foot (T, 2, 2) of each track, and by how much they may be off (T,), pixels."""
    there, foot = tracks.there, tracks.foot_px
    rows, last = np.arange(len(there)), np.maximum(there.sum(axis=1) - 1, 0)
    sd = np.where(there, tracks.foot_sd_px, 0).max(axis=1, initial=1.0)
    return np.stack([foot[rows, 0], foot[rows, last]], axis=1), sd


def off_px(ends: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(..., T) by how much ways (T, 2, 2) miss vanishing points (..., 3): from the first foot to the line through the
    way's middle and the point, pixels."""
    first, middle = (np.concatenate([p, np.ones((len(p), 1))], axis=1) for p in (ends[:, 0], ends.mean(axis=1)))
    lines = np.cross(middle, points[..., None, :])
    return np.abs((lines * first).sum(axis=-1)) / np.maximum(np.linalg.norm(lines[..., :2], axis=-1), 1e-12)


def _best(ends: np.ndarray, sd: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The vanishing point (3,) that most ways go to, and which do (T,)."""
    whole = [np.concatenate([ends[:, i], np.ones((len(ends), 1))], axis=1) for i in (0, 1)]
    lines = np.cross(*whole)
    pairs = rng.integers(0, len(ends), (_PAIRS, 2))
    points = np.cross(lines[pairs[:, 0]], lines[pairs[:, 1]])
    points = points[np.linalg.norm(points, axis=1) > 1e-9]
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    cost = np.minimum(off_px(ends, points) / sd, _NEAR_SD) ** 2
    best = points[cost.sum(axis=1).argmin()]
    for _ in range(3):
        inside = off_px(ends, best) < _NEAR_SD * sd
        if inside.sum() < 2:
            break
        weighted = lines[inside] / (np.linalg.norm(lines[inside, :2], axis=1, keepdims=True) * sd[inside, None])
        scale = np.array([1.0, 1.0, np.abs(ends).max()])
        best = np.linalg.svd(weighted * (1 / scale * scale.max()))[2][-1] / scale * scale.max()
        best /= np.linalg.norm(best)
    return best, off_px(ends, best) < _NEAR_SD * sd
