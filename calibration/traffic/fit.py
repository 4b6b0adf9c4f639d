"""The camera from traffic: main directions, a first guess, the best camera, how well it is known and what is not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calibration.camera import Camera, GroundPlane
from calibration.control_points import NAMES
from calibration.forms.poses import camera_of_focal
from calibration.traffic.directions import main_directions
from calibration.traffic.evidence import FOCAL, HEIGHT, ROLL, TILT, YAWS, Seen, camera_of, stands
from calibration.traffic.lanes import lanes_of
from calibration.traffic.outlines import PERSON
from calibration.traffic.solver import USUAL, Known, Problem, State, information, solved, weights
from calibration.traffic.start import first_guess
from calibration.traffic.tracks import POINT, Tracks

# Standard deviations up to which a number counts as determined: fractions of focal and height, degrees of tilt, roll.
DETERMINED = {"focal_px": 0.08, "tilt_deg": 1.2, "roll_deg": 2.0, "height_m": 0.07}
_PARTIAL = 0.10  # a box so much smaller than its track's largest, as a logarithm, shows a part
_LEAST_TRACKS = 3


def usual_camera(size_hw: tuple[int, int], focal_px: float | None = None) -> tuple[Camera, GroundPlane]:
    """What a street camera is like before anything is known of it."""
    camera = camera_of_focal(focal_px or float(np.exp(USUAL["focal"][0])) * size_hw[1], size_hw)
    return camera, GroundPlane.from_tilt(float(np.degrees(USUAL["tilt"][0])), 0.0, float(np.exp(USUAL["height"][0])))


@dataclass(frozen=True)
class TrafficFit:
    """camera, plane; covariance (4, 4) of focal_px, tilt_deg, roll_deg, height_m; undetermined: names of those that
    the traffic does not tell; tracks, with the group (T,) of each, its weight (T,), 0 to about 1; vanishing_px (G, 2)
    of the main directions, NaN at infinity."""

    camera: Camera
    plane: GroundPlane
    covariance: np.ndarray
    undetermined: tuple[str, ...]
    tracks: Tracks
    group: np.ndarray
    weight: np.ndarray
    vanishing_px: np.ndarray
    right_angled: bool


def calibrate_from_traffic(tracks: Tracks, known: Known | None = None, seed: int = 0) -> TrafficFit:
    """The camera that tracks tell, with what is known beforehand.

    seed: of the tracks and pairs that are tried first. Raises ValueError where there are too few, or no camera sees
    them so.
    """
    known, rng = known or Known(), np.random.default_rng(seed)
    if len(tracks.kind) < _LEAST_TRACKS:
        raise ValueError(
            f"expected at least {_LEAST_TRACKS} tracks of people, or of cars that move, got {len(tracks.kind)}"
        )
    group, points = main_directions(tracks, rng)
    problem = Problem(Seen(tracks, group), replace(known, lens=False), len(points))
    state = first_guess(problem, points, rng)
    for _ in range(2):
        partial = _partial(problem, state)
        seen = Seen(problem.seen.tracks.without(partial), group)
        problem = replace(problem, seen=seen, lanes=lanes_of(state.p, seen))
        state = solved(problem, state.p, state.s)
    if known.lens:
        problem = replace(problem, known=known)
        state = solved(problem, state.p, state.s)
    return _fit_of(problem, state)


def _partial(problem: Problem, state: State) -> np.ndarray:
    """(T, K) bool, boxes of what is hidden in part: smaller than their track's others would have them."""
    tracks = problem.seen.tracks
    side = stands(state.p, state.s, problem.seen)[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.log(tracks.box_xywh[..., 2:] / side)
    ratio = np.where((tracks.kind == PERSON)[:, None], ratio[..., 1], ratio.mean(axis=2))
    ratio = np.where(tracks.there & (tracks.kind != POINT)[:, None] & np.isfinite(ratio), ratio, -np.inf)
    largest = np.sort(ratio, axis=1)[:, -min(2, ratio.shape[1])]  # the second: one alone may be too large
    return np.isfinite(ratio) & (ratio < largest[:, None] - _PARTIAL)


def _fit_of(problem: Problem, state: State) -> TrafficFit:
    tracks, p = problem.seen.tracks, state.p
    camera, plane = camera_of(p, tracks.size_hw)
    precision = information(problem, state)
    free = np.flatnonzero(problem.free)
    spread = np.zeros((len(p), len(p)))
    spread[np.ix_(free, free)] = np.linalg.inv(precision[np.ix_(free, free)])
    slope = np.diag([np.exp(p[FOCAL]), np.degrees(1), np.degrees(1), np.exp(p[HEIGHT])])
    places = [FOCAL, TILT, ROLL, HEIGHT]
    covariance = slope @ spread[np.ix_(places, places)] @ slope
    sd = np.sqrt(np.diag(covariance)) / [camera.K[0, 0], 1, 1, plane.d]
    open_ = tuple(name for name, one in zip(NAMES, sd, strict=True) if not one <= DETERMINED[name])
    vanishing = np.full((problem.groups, 2), np.nan)
    for g, yaw in enumerate(p[YAWS:]):
        ahead = plane.R_cam_world @ np.array([np.cos(yaw), np.sin(yaw), 0.0])
        if abs(ahead[2]) > 1e-3:
            vanishing[g] = camera.project(ahead * np.sign(ahead[2]))
    yaws = p[YAWS:]
    apart = [abs(np.mod(b - a, np.pi) - np.pi / 2) for i, a in enumerate(yaws) for b in yaws[i + 1 :]]
    return TrafficFit(
        camera, plane, covariance, open_, tracks, problem.seen.group, np.minimum(weights(problem, state), 1.0),
        vanishing, bool(len(apart) and min(apart) < np.radians(5)),
    )  # fmt: skip
