"""A camera from control points: pixels whose places in metres are known, in a world with z up.

Focal length (square pixels), pose and, where the points carry it, one distortion term are fitted to the points' pixels;
mismatched points are found and left out. Parameters: ln focal, rotation vector (3), translation (3), k1.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations

import cv2
import numpy as np
from scipy import optimize, stats

from calibration.camera import Camera, GroundPlane
from calibration.forms.poses import camera_of_focal, from_world
from calibration.plausibility import roll_deg, tilt_deg

NAMES = ("focal_px", "tilt_deg", "roll_deg", "height_m")
# Focal lengths that are tried first, in picture widths: views of 100 down to 9 degrees.
_FOCALS = np.geomspace(0.42, 6.5, 22)
_MOST_SUBSETS = 60
_BEHIND_PX = 1e4  # residual of a point that would be behind the camera
# What people click is good to so many pixels: it counts as much as so many residuals of the fit's own.
_CLICK_PX, _CLICK_WEIGHT = 1.5, 4.0
_OUTLIER_SIGMAS = 4.0
_DISTORTION_SURE = 0.01  # a distortion term is kept where chance explains it with less than this


@dataclass(frozen=True)
class PointFit:
    """A camera above its ground, as points tell it.

    residual_px (N,): distance of each point's pixel from where the camera sees it; used (N,) bool, False for mismatched
    ones; left_out_px (N,): the same distance when the point itself has no say, NaN where the others do not suffice;
    covariance (4, 4) of focal_px, tilt_deg, roll_deg, height_m; R (3, 3), t (3,) from the points' world.
    """

    camera: Camera
    plane: GroundPlane
    R: np.ndarray
    t: np.ndarray
    residual_px: np.ndarray
    used: np.ndarray
    covariance: np.ndarray
    left_out_px: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @property
    def rms_px(self) -> float:
        """Root mean square distance of the points that were used."""
        return float(np.sqrt(np.mean(self.residual_px[self.used] ** 2)))


@dataclass(frozen=True)
class _Problem:
    pixels: np.ndarray
    metres: np.ndarray
    on_ground: np.ndarray
    size_hw: tuple[int, int]
    focal_px: float | None
    distorted: bool = False

    @property
    def unknowns(self) -> int:
        return 6 + (self.focal_px is None) + self.distorted

    def only(self, some: np.ndarray) -> _Problem:
        return replace(self, pixels=self.pixels[some], metres=self.metres[some], on_ground=self.on_ground[some])

    def camera(self, p: np.ndarray) -> Camera:
        focal = self.focal_px or float(np.exp(p[0]))
        return camera_of_focal(focal, self.size_hw, np.array([p[7], 0, 0, 0, 0]))

    def free(self) -> np.ndarray:
        """Which of the eight parameters are fitted."""
        return np.array([self.focal_px is None, *[True] * 6, self.distorted])

    def offsets(self, p: np.ndarray) -> np.ndarray:
        """(N, 2) px from each point's pixel to where the camera sees it."""
        there = self.metres @ cv2.Rodrigues(p[1:4])[0].T + p[4:7]
        return np.nan_to_num(self.camera(p).project(there) - self.pixels, nan=_BEHIND_PX)


def calibrate_from_points(
    pixels: np.ndarray, metres: np.ndarray, size_hw: tuple[int, int], *, on_ground: np.ndarray | None = None,
    focal_px: float | None = None, distortion: bool | None = None, seed: int = 0,
) -> PointFit:  # fmt: skip
    """The camera of pixels (N, 2) at metres (N, 3); on_ground (N,) bool: which points lie on the road.

    focal_px: known, or found where None. distortion: whether k1 is fitted; None: where the points carry it. seed: of
    the subsets that are tried. Raises ValueError where the points are too few or lie on a line, or no camera sees them
    so.
    """
    pixels, metres = np.asarray(pixels, float), np.asarray(metres, float)
    on_ground = np.ones(len(pixels), bool) if on_ground is None else np.asarray(on_ground, bool)
    problem = _Problem(pixels, metres, on_ground, size_hw, focal_px)
    _check(problem)
    p = _start(problem, np.random.default_rng(seed))
    p, used = _without_outliers(problem, p)
    kept = problem.only(used)
    if distortion or (distortion is None and _carries_distortion(kept, p)):
        problem, kept = replace(problem, distorted=True), replace(kept, distorted=True)
        p = _refined(kept, p)
    fit = _fit_of(problem, p, used)
    return replace(fit, left_out_px=_left_out(problem, p, used))


def _check(problem: _Problem) -> None:
    least = 4 if problem.focal_px is None else 3
    count = len(problem.pixels)
    if count < least:
        raise ValueError(f"expected at least {least} control points, got {count}")
    for what, places in (("metres", problem.metres), ("pixels", problem.pixels)):
        spread = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
        if spread[1] < 0.01 * spread[0]:
            raise ValueError(f"the control points' {what} lie on one line: add some beside it")


def _start(problem: _Problem, rng: np.random.Generator) -> np.ndarray:
    """The best of many cameras from few points each, refined on all."""
    width = problem.size_hw[1]
    focals = [problem.focal_px] if problem.focal_px else list(_FOCALS * width)
    every = np.arange(len(problem.pixels))
    subsets = [every, *map(np.array, combinations(every, 4))] if len(every) < 8 else [every]
    if len(every) >= 8:
        subsets += [rng.choice(every, 4, replace=False) for _ in range(_MOST_SUBSETS)]
    subsets = subsets[: _MOST_SUBSETS + 1]
    tried = []
    for focal in focals:
        camera = camera_of_focal(focal, problem.size_hw)
        for subset in subsets:
            for R, t in _poses(problem.pixels[subset], problem.metres[subset], camera):
                p = np.array([np.log(focal), *R, *t, 0.0])
                if _height(problem, p) > 0:
                    # The middle of the distances: up to half of the points may be mismatched.
                    off = np.sort(np.hypot(*problem.offsets(p).T))
                    tried.append((float(off[: len(off) // 2 + 2].sum()), p))
    if not tried:
        raise ValueError("no camera above the ground sees the control points so: are pixels and places mixed up?")
    best = sorted(tried, key=lambda one: one[0])[:6]
    refined = [_refined(problem, p) for _, p in best]
    return min(refined, key=lambda p: _cost(problem, p))


def _poses(pixels: np.ndarray, metres: np.ndarray, camera: Camera) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rotation vectors and translations (3,) each; planar points have two."""
    try:
        found = cv2.solvePnPGeneric(
            metres.astype(float), pixels.astype(float), camera.K, None, flags=cv2.SOLVEPNP_SQPNP
        )
    except cv2.error:
        return []
    return [(R.ravel(), t.ravel()) for R, t in zip(found[1], found[2], strict=True)]


def _height(problem: _Problem, p: np.ndarray) -> float:
    """Of the camera above the points' mean height, metres."""
    R = cv2.Rodrigues(p[1:4])[0]
    return float((-R.T @ p[4:7])[2] - problem.metres[:, 2].mean())


def _scale(problem: _Problem, p: np.ndarray) -> float:
    off = np.abs(problem.offsets(p))
    return max(float(1.48 * np.median(off)), _CLICK_PX)


def _cost(problem: _Problem, p: np.ndarray) -> float:
    """Robust: what is far off counts by its distance, not its square."""
    return float((np.sqrt(1 + (problem.offsets(p) / _CLICK_PX) ** 2) - 1).sum())


def _refined(problem: _Problem, p: np.ndarray) -> np.ndarray:
    """Parameters at the least robust (soft L1) cost near p."""
    free, out = problem.free(), p.copy()

    def residuals(x: np.ndarray) -> np.ndarray:
        return problem.offsets(np.where(free, _filled(p, free, x), p)).ravel()

    for _ in range(2):  # the second time with the scale that the first one found
        found = optimize.least_squares(
            residuals, out[free], loss="soft_l1", f_scale=_scale(problem, out), x_scale="jac", max_nfev=200
        )
        out = _filled(p, free, found.x)
    return out


def _filled(p: np.ndarray, free: np.ndarray, x: np.ndarray) -> np.ndarray:
    out = p.copy()
    out[free] = x
    return out


def _without_outliers(problem: _Problem, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parameters and used (N,) bool; as many points stay as one more than the unknowns need."""
    used = np.ones(len(problem.pixels), bool)
    least = problem.unknowns // 2 + 2
    for _ in range(3):
        off = np.hypot(*problem.offsets(p).T)
        bound = _OUTLIER_SIGMAS * max(float(np.median(off[used]) / 1.18), _CLICK_PX)
        now = off <= bound
        if now.sum() < least or (now == used).all():
            break
        used = now
        p = _refined(problem.only(used), p)
    return p, used


def _carries_distortion(problem: _Problem, p: np.ndarray) -> bool:
    """Whether a distortion term explains more than chance would (F test on the sum of squares)."""
    bent = replace(problem, distorted=True)
    spare = 2 * len(problem.pixels) - bent.unknowns
    if spare < 4:
        return False
    before, after = (float((q.offsets(_refined(q, p)) ** 2).sum()) for q in (problem, bent))
    # What is better than people click is no evidence.
    after = max(after, spare * (_CLICK_PX / 4) ** 2)
    return before > after and float(stats.f.sf((before - after) / (after / spare), 1, spare)) < _DISTORTION_SURE


def _fit_of(problem: _Problem, p: np.ndarray, used: np.ndarray) -> PointFit:
    camera, plane = _canonical(problem, p)
    off = problem.offsets(p)
    J = _slope(lambda q: problem.only(used).offsets(q).ravel(), p)[:, problem.free()]
    spare = max(2 * int(used.sum()) - problem.unknowns, 0)
    noise = (float((off[used] ** 2).sum()) + _CLICK_WEIGHT * _CLICK_PX**2) / (spare + _CLICK_WEIGHT)
    to_named = _slope(lambda q: np.array(named(*_canonical(problem, q))), p)[:, problem.free()]
    covariance = to_named @ np.linalg.pinv(J.T @ J, rcond=1e-14) @ to_named.T * noise
    return PointFit(
        camera, plane, cv2.Rodrigues(p[1:4])[0], p[4:7].copy(), np.hypot(*off.T), used, (covariance + covariance.T) / 2
    )


def _canonical(problem: _Problem, p: np.ndarray) -> tuple[Camera, GroundPlane]:
    """The camera, and the plane through the points on the road: level unless their heights say otherwise."""
    R, t = cv2.Rodrigues(p[1:4])[0], p[4:7]
    road = problem.metres[problem.on_ground]
    if len(road) >= 4 and np.ptp(road[:, 2]) > 0.02:
        slopes = np.linalg.lstsq(np.column_stack([road[:, :2], np.ones(len(road))]), road[:, 2], rcond=None)[0]
    else:
        slopes = np.array([0, 0, float(np.median(road[:, 2])) if len(road) else 0.0])
    up = np.array([-slopes[0], -slopes[1], 1.0])
    length = float(np.linalg.norm(up))
    n = R @ up / length
    height = float(-n @ t - slopes[2] / length)
    if height <= 0:
        return from_world(problem.camera(p), R, t)
    return problem.camera(p), GroundPlane(n, height)


def named(camera: Camera, plane: GroundPlane) -> tuple[float, float, float, float]:
    """What `NAMES` names."""
    return float(camera.K[0, 0]), tilt_deg(plane), roll_deg(plane), plane.d


def _slope(f: object, p: np.ndarray) -> np.ndarray:
    """(M, 8) derivatives of f (M,) by the parameters, central differences."""
    assert callable(f)
    steps = np.full(len(p), 1e-6) * np.maximum(1.0, np.abs(p))
    return np.stack([(f(p + s) - f(p - s)) / (2 * s.sum()) for s in np.diag(steps)], axis=1)


def _left_out(problem: _Problem, p: np.ndarray, used: np.ndarray) -> np.ndarray:
    """(N,) px: how far each used point is from where a camera fitted to the others sees it."""
    off = np.full(len(used), np.nan)
    if 2 * (int(used.sum()) - 1) <= problem.unknowns:
        return off
    for i in np.flatnonzero(used):
        others = used.copy()
        others[i] = False
        off[i] = float(np.hypot(*problem.only(np.array([i])).offsets(_refined(problem.only(others), p))[0]))
    return off
