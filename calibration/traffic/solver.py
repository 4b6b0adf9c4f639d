"""The camera that most tracks agree with: Levenberg-Marquardt over the camera, the place's mean sizes and each track's.

Each track counts by a multivariate Student t, so that a van taken for a car, or a box of half a person, has little
say. The tracks' own sizes are eliminated (Schur complement).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from calibration.least_squares import Damping, minimise
from calibration.traffic.evidence import (
    FOCAL,
    HEIGHT,
    K1,
    ROLL,
    SIZES,
    SPEED,
    STATURE,
    TILT,
    YAWS,
    Distance,
    Seen,
    metres_between,
    residuals,
    size_precision,
)  # fmt: skip
from calibration.traffic.lanes import Lanes, lane_residuals
from calibration.traffic.outlines import PERSON

_DAMPING = Damping(first=1e-3, fall=4.0, rise=8.0, least=1e-9, most=1e6)
_FREEDOM = 5.0  # degrees of freedom of the Student t: one track in twenty or so is something else
# A track's boxes are off together, and outlines are nobody's own: all is worth so many times less than independent
# deviations would be. By simulation, on other streets and cameras than benchmarks/calibration measures.
_WORTH_LESS = 2.2**2
_STEP = 1e-4
_DISTANCE_SD, _CLICK_PX = 0.01, 1.5
# Roads that meet mostly do so at right angles: what a pair's angle is off counts up to so many standard deviations.
_RIGHT_ANGLE_SD, _RIGHT_ANGLE_MOST = np.radians(1.5), 4.0
# What is known of a street camera before anything is seen (mean, standard deviation); focal in picture widths.
USUAL = {
    "focal": (np.log(1.1), 0.7), "tilt": (np.radians(18), np.radians(15)), "roll": (0.0, np.radians(3)),
    "height": (np.log(7.0), 0.7), "k1": (0.0, 0.08),
}  # fmt: skip
# How far the mean sizes and walking speed of one place may be from what is usual, as logarithms.
_STATURE_SD, _SIZES_SD, _SPEED_SD = 0.025, (0.03, 0.025, 0.03), 0.08


@dataclass(frozen=True)
class Known:
    """What is given beforehand: the focal length in pixels, distances on the road; lens: whether k1 is fitted."""

    focal_px: float | None = None
    distances: tuple[Distance, ...] = ()
    lens: bool = False


@dataclass(frozen=True)
class Problem:
    """Tracks and what is known; p as in `evidence`."""

    seen: Seen
    known: Known
    groups: int
    lanes: tuple[Lanes, ...] = ()

    @property
    def free(self) -> np.ndarray:
        """(P,) bool, which parameters are fitted."""
        found = np.ones(YAWS + self.groups, bool)
        found[FOCAL], found[K1] = self.known.focal_px is None, self.known.lens
        return found

    def prior(self) -> tuple[np.ndarray, np.ndarray]:
        """Means (P,) and precisions (P,)."""
        mean, sd = np.zeros(YAWS + self.groups), np.full(YAWS + self.groups, np.inf)
        mean[: K1 + 1], sd[: K1 + 1] = np.transpose(list(USUAL.values()))
        mean[FOCAL] += np.log(self.seen.tracks.size_hw[1])
        sd[STATURE], sd[SIZES], sd[SPEED] = _STATURE_SD, _SIZES_SD, _SPEED_SD
        return mean, sd**-2

    def only(self, rows: np.ndarray) -> Problem:
        """The same of some tracks."""
        return replace(self, seen=self.seen.at(rows))


@dataclass(frozen=True)
class State:
    """p (P,), the tracks' sizes s (T, 3), and what is computed from them once; cost () of all."""

    p: np.ndarray
    s: np.ndarray
    r: np.ndarray
    cost: float
    slopes: list = field(default_factory=list)  # (A (T, R, P), B (T, R, 3)), once they are needed


def state_of(problem: Problem, p: np.ndarray, s: np.ndarray) -> State:
    """With residuals and cost."""
    r = residuals(p, s, problem.seen)
    D, count = _distances(problem, s, r)
    cost = float(((_FREEDOM + count) * np.log1p(D / _FREEDOM)).sum()) / _WORTH_LESS
    mean, precision = problem.prior()
    cost += float((precision * (p - mean) ** 2).sum()) + float((_of_metres(problem, p) ** 2).sum())
    for _, _, u in _corners(problem, p):
        cost += _RIGHT_ANGLE_MOST * u * u / (1 + u * u)
    return State(p, s, r, cost)


def _distances(problem: Problem, s: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T,) squared distances of the tracks from what is usual, and (T,) how many residuals each has."""
    prior = np.einsum("ti,tij,tj->t", s, size_precision(problem.seen.tracks.kind), s)
    return (r * r).sum(axis=1) + prior, (r != 0).sum(axis=1)


def weights(problem: Problem, state: State) -> np.ndarray:
    """(T,) about 1 for tracks that agree with the camera, towards 0 for others."""
    D, count = _distances(problem, state.s, state.r)
    return (_FREEDOM + count) / (_FREEDOM + D)


def _of_metres(problem: Problem, p: np.ndarray) -> np.ndarray:
    """Residuals of the distances that are given, and of lanes."""
    # Lanes of one place are alike: together they are one witness.
    out = list(lane_residuals(p, problem.seen, problem.lanes) / np.sqrt(max(len(problem.lanes), 1)))
    for one in problem.known.distances:
        apart = float(np.linalg.norm(np.subtract(one.end_px, one.start_px)))
        metres = metres_between(p, problem.seen.tracks.size_hw, one)
        off = np.log(metres / one.metres) / np.hypot(_DISTANCE_SD, 1.4 * _CLICK_PX / apart) if metres > 0 else 30.0
        out.append(off if np.isfinite(off) else 30.0)
    return np.array(out)


def _corners(problem: Problem, p: np.ndarray) -> list[tuple[int, int, float]]:
    """Pairs of main directions, and how far each pair's angle is from 90 degrees, in standard deviations."""
    yaw = p[YAWS:]
    return [
        (i, j, float((np.mod(yaw[j] - yaw[i], np.pi) - np.pi / 2) / _RIGHT_ANGLE_SD))
        for i in range(problem.groups) for j in range(i + 1, problem.groups)
    ]  # fmt: skip


def _slopes(problem: Problem, state: State) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of the residuals by p, A (T, R, P), and by the tracks' own sizes, B (T, R, 3); once a state."""
    if not state.slopes:
        p, s, r = state.p, state.s, state.r

        def slope(dp: np.ndarray, ds: np.ndarray) -> np.ndarray:
            return np.clip((residuals(p + dp, s + ds, problem.seen) - r) / _STEP, -1e4, 1e4)

        none, A = np.zeros_like(p), np.zeros((*r.shape, len(p)))
        for place in (FOCAL, TILT, ROLL, HEIGHT, K1):
            if problem.free[place]:
                A[..., place] = slope(_STEP * np.eye(len(p))[place], np.zeros(3))
        B = np.stack([slope(none, _STEP * np.eye(3)[i]) for i in range(3)], axis=2)
        person = (problem.seen.tracks.kind == PERSON)[:, None]
        B[..., 1:] *= ~person[..., None]
        A[..., STATURE] = np.where(person, B[..., 0], 0)
        A[..., SIZES] = np.where(person[..., None], 0, B)
        A[..., SPEED] = slope(_STEP * np.eye(len(p))[SPEED], np.zeros(3))
        if problem.groups:
            turned = none.copy()
            turned[YAWS:] = _STEP
            by_yaw = slope(turned, np.zeros(3))
            for g in range(problem.groups):
                A[..., YAWS + g] = np.where((problem.seen.group == g)[:, None], by_yaw, 0)
        state.slopes.extend((A, B))
    return state.slopes[0], state.slopes[1]


def _normal(problem: Problem, state: State) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Normal equations: U (P, P), W (T, P, 3), V (T, 3, 3), gradients gp (P,) and gs (T, 3), without damping."""
    A, B = _slopes(problem, state)
    w = weights(problem, state) / _WORTH_LESS
    precision = size_precision(problem.seen.tracks.kind)
    U = np.einsum("t,tri,trj->ij", w, A, A)
    W = np.einsum("t,tri,trj->tij", w, A, B)
    V = w[:, None, None] * (np.einsum("tri,trj->tij", B, B) + precision)
    gp = np.einsum("t,tri,tr->i", w, A, state.r)
    gs = w[:, None] * (np.einsum("tri,tr->ti", B, state.r) + np.einsum("tij,tj->ti", precision, state.s))
    mean, prior = problem.prior()
    U += np.diag(prior)
    gp = gp + prior * (state.p - mean)
    if problem.known.distances or problem.lanes:
        J = np.stack([(_of_metres(problem, state.p + step) - _of_metres(problem, state.p - step)) / (2e-6)
                      for step in 1e-6 * np.eye(len(state.p))], axis=1)  # fmt: skip
        U, gp = U + J.T @ J, gp + J.T @ _of_metres(problem, state.p)
    for i, j, u in _corners(problem, state.p):
        e = np.zeros(len(state.p))
        e[YAWS + i], e[YAWS + j] = -1 / _RIGHT_ANGLE_SD, 1 / _RIGHT_ANGLE_SD
        weight = _RIGHT_ANGLE_MOST / (1 + u * u) ** 2
        U, gp = U + weight * np.outer(e, e), gp + weight * u * e
    held = ~problem.free
    U[held], U[:, held], W[:, held], gp[held] = 0, 0, 0, 0
    U[held, held] = 1
    return U, W, V, gp, gs


def information(problem: Problem, state: State) -> np.ndarray:
    """(P, P) of p once the tracks' own sizes are eliminated; what is held has 1 on the diagonal."""
    U, W, V, _, _ = _normal(problem, state)
    return U - np.einsum("tik,tkl,tjl->ij", W, np.linalg.inv(V), W)


def solved(problem: Problem, p: np.ndarray, s: np.ndarray | None = None, iterations: int = 30) -> State:
    """The state of least cost near p."""
    start = state_of(problem, p, np.zeros((len(problem.seen.group), 3)) if s is None else s)

    def propose(state: State, damping: np.ndarray) -> tuple[State, np.ndarray]:
        U, W, V, gp, gs = _normal(problem, state)
        U = U + damping[0] * np.diag(np.diag(U))
        V = V + damping[0] * V * np.eye(3)
        inverse = np.linalg.inv(V)
        through = np.einsum("tik,tkl->til", W, inverse)
        schur = U - np.einsum("til,tjl->ij", through, W)
        dp = -np.linalg.solve(schur, gp - np.einsum("til,tl->i", through, gs))
        ds = -np.einsum("tkl,tl->tk", inverse, gs + np.einsum("tik,i->tk", W, dp))
        trial = _trial(problem, state, dp, ds)
        return trial, np.array([trial.cost])

    def take(better: np.ndarray, trial: State, now: State) -> State:
        return trial if better[0] else now

    return minimise(propose, take, start, np.array([start.cost]), _DAMPING, iterations, tolerance=1e-6)[0]


def _trial(problem: Problem, state: State, dp: np.ndarray, ds: np.ndarray) -> State:
    """A step on, no longer than a camera can be moved at once, and no camera that looks up or straight down."""
    most = np.array([0.5, 0.2, 0.1, 0.5, 0.1])
    scale = min(1.0, float((most / np.maximum(np.abs(dp[:5]), 1e-12)).min()))
    p = state.p + scale * dp
    p[TILT] = np.clip(p[TILT], np.radians(0.3), np.radians(80))
    p[K1] = np.clip(p[K1], -0.45, 0.3)
    return state_of(problem, p, np.clip(state.s + scale * ds, -0.7, 0.7))
