"""Lanes as rulers: cars of one direction keep to lanes side by side, whose width differs little from road to road."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.traffic.evidence import YAWS, Seen, camera_of
from calibration.traffic.outlines import PERSON

# Lanes of main roads are 3.25 to 3.75 m wide (RAA, RASt; Czech CSN 73 6101), those in towns from 2.75 m.
LANE_M, _LANE = 3.5, 0.07
_LEAST, _LEAST_FRACTION = 6, 0.12  # tracks of a lane, and of all in its direction
_APART = 3.0  # standard deviations of the places within lanes that they are apart at least
_EVEN = 1.6  # the widest gap over the narrowest
_MOST = 4


@dataclass(frozen=True)
class Lanes:
    """Of a main direction, the tracks of its first and its last lane (indices), and how many gaps lie between."""

    group: int
    first: np.ndarray
    last: np.ndarray
    gaps: int


def beside_m(p: np.ndarray, seen: Seen, group: int, rows: np.ndarray) -> np.ndarray:
    """Where tracks (R,) go, across their main direction: of each the foot that is nearest to the camera; metres."""
    camera, plane = camera_of(p, seen.tracks.size_hw)
    feet = plane.to_world(plane.intersect(camera, seen.tracks.foot_px[rows]))[..., :2]
    away = np.nan_to_num(np.linalg.norm(feet, axis=2), nan=np.inf)
    near = feet[np.arange(len(rows)), away.argmin(axis=1)]
    yaw = p[YAWS + group]
    return near @ np.array([-np.sin(yaw), np.cos(yaw)])


def lanes_of(p: np.ndarray, seen: Seen) -> tuple[Lanes, ...]:
    """The lanes of each main direction, both ways apart, where there are two at least."""
    found = []
    ahead = seen.tracks.after_px - seen.tracks.before_px
    for group in range(len(p) - YAWS):
        rows = np.flatnonzero((seen.group == group) & (seen.tracks.kind != PERSON))
        if len(rows) < 2 * _LEAST:
            continue
        way = np.nanmean(ahead[rows], axis=1)
        forth = way @ way[np.linalg.norm(way, axis=1).argmax()] > 0
        for mine in (rows[forth], rows[~forth]):
            one = _lanes(group, mine, beside_m(p, seen, group, mine)) if len(mine) >= 2 * _LEAST else None
            if one is not None:
                found.append(one)
    return tuple(found)


def _lanes(group: int, rows: np.ndarray, across: np.ndarray) -> Lanes | None:
    """Of places (R,) across the road, in as many lanes as are clear of each other."""
    rows, across = rows[np.isfinite(across)], across[np.isfinite(across)]
    for count in range(_MOST, 1, -1):
        middle = np.quantile(across, (np.arange(count) + 0.5) / count)
        for _ in range(20):
            lane = np.abs(across[:, None] - middle).argmin(axis=1)
            middle = np.array([np.median(across[lane == k]) if (lane == k).any() else middle[k] for k in range(count)])
        lane = np.abs(across[:, None] - middle).argmin(axis=1)
        sizes, gaps = np.bincount(lane, minlength=count), np.diff(middle)
        spread = 1.48 * float(np.median(np.abs(across - middle[lane])))
        clear = gaps.min() > _APART * spread and gaps.max() < _EVEN * gaps.min()
        if clear and sizes.min() >= max(_LEAST, _LEAST_FRACTION * len(rows)):
            return Lanes(group, rows[lane == 0], rows[lane == count - 1], count - 1)
    return None


def lane_residuals(p: np.ndarray, seen: Seen, lanes: tuple[Lanes, ...]) -> np.ndarray:
    """(L,) how far the mean width of lanes is from what is usual, in standard deviations."""
    out = []
    for one in lanes:
        ends = [np.median(beside_m(p, seen, one.group, rows)) for rows in (one.first, one.last)]
        wide = abs(ends[1] - ends[0]) / one.gaps
        out.append(np.clip(np.log(wide / LANE_M) / _LANE, -30, 30) if wide > 1e-3 else -30.0)
    return np.array(out)
