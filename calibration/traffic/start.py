"""First guesses: cameras of many focal lengths and tilts, each as high as makes people and cars as large as usual."""

from __future__ import annotations

import numpy as np

from calibration.traffic.evidence import FOCAL, HEIGHT, ROLL, TILT, YAWS, Seen, camera_of, ground_yaw, stands
from calibration.traffic.outlines import PERSON
from calibration.traffic.solver import Problem, State, solved, state_of
from calibration.traffic.tracks import POINT

_FOCALS = np.geomspace(0.55, 4.2, 7)  # picture widths: views of 90 down to 13 degrees
_TILTS_DEG = (2.0, 5.0, 9.0, 14.0, 20.0, 28.0, 38.0)
_SOME = 30  # tracks that the guesses are tried on
_FIRST_M = 7.0
_KEPT, _REFINED = 5, 2


def first_guess(problem: Problem, points: np.ndarray, rng: np.random.Generator) -> State:
    """The best of many cameras; points (G, 3): the main directions' vanishing points, homogeneous pixels.

    Raises ValueError where no camera above a road sees the tracks so.
    """
    count = len(problem.seen.group)
    some = problem.only(np.sort(rng.permutation(count)[:_SOME]))
    s = np.zeros((len(some.seen.group), 3))
    tried = []
    for level in _cameras(some, points):
        p = _as_high(some, level, s)
        if p is not None:
            tried.append(state_of(some, p, s))
    if not tried:
        raise ValueError("no camera above a road sees the tracks so")
    tried = sorted(tried, key=lambda one: one.cost)[:_KEPT]
    better = sorted((solved(some, one.p, one.s, 8) for one in tried), key=lambda one: one.cost)[:_REFINED]
    return min((solved(problem, one.p) for one in better), key=lambda one: one.cost)


def _cameras(problem: Problem, points: np.ndarray) -> list[np.ndarray]:
    """Parameters of level cameras, with those among them that see main directions vanish at the horizon."""
    height, width = problem.seen.tracks.size_hw
    focals = [problem.known.focal_px] if problem.known.focal_px else list(_FOCALS * width)
    made = []
    for focal in focals:
        tilts = list(np.radians(_TILTS_DEG))
        for x, y, w in points[:2]:
            if abs(w) > 1e-6 * np.hypot(x, y):
                tilts.append(float(np.arctan(((height - 1) / 2 - y / w) / focal)))
        for tilt in tilts:
            p = problem.prior()[0]
            p[FOCAL], p[TILT], p[ROLL], p[HEIGHT] = np.log(focal), tilt, 0.0, np.log(_FIRST_M)
            if 0 < tilt < 1.2:
                made.append(p)
    return made


def _as_high(problem: Problem, p: np.ndarray, s: np.ndarray) -> np.ndarray | None:
    """p with the height and main directions that fit; None where the tracks would be in the sky."""
    tracks = problem.seen.tracks
    camera, plane = camera_of(p, tracks.size_hw)
    there = tracks.there
    if np.isnan(plane.intersect(camera, tracks.foot_px[there])[:, 0]).mean() > 0.1:
        return None
    p = with_yaws(p, problem.seen)
    sized = there & (tracks.kind != POINT)[:, None]
    for _ in range(3 if sized.any() else 0):
        side = stands(p, s, problem.seen)[1]
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.log(tracks.box_xywh[..., 2:] / side)
        ratio = np.where((tracks.kind == PERSON)[:, None], ratio[..., 1], ratio.mean(axis=2))[sized]
        if not np.isfinite(ratio).any():
            return None
        p[HEIGHT] = np.clip(p[HEIGHT] - np.nanmedian(ratio), np.log(0.7), np.log(200))
    return p


def with_yaws(p: np.ndarray, seen: Seen) -> np.ndarray:
    """p with each main direction's yaw the middle of its tracks'."""
    yaw = ground_yaw(*camera_of(p, seen.tracks.size_hw), seen.tracks)
    for g in range(len(p) - YAWS):
        mine = yaw[seen.group == g]
        mine = mine[np.isfinite(mine)]
        if len(mine):
            # Both ways along a road are one direction: doubled angles.
            p[YAWS + g] = 0.5 * np.arctan2(np.median(np.sin(2 * mine)), np.median(np.cos(2 * mine)))
    return p
