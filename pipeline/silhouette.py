"""Fit a vehicle of a known kind to the outline of its mask: place, heading and size, for many at once.

An outline is its support function: for DIRECTIONS (D, 2), unit vectors in the image, how far (pixels) the outline
reaches. The support of a body is the largest over its points, so no mask is ever drawn. Pixels here are ideal ones,
the lens undone. A body's points are in shares of its length, width (over mirrors) and height; vehicle frame x
forward, y left, z up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from calibration.camera import Camera, GroundPlane
from pipeline import masks

_ANGLES = np.arange(48) * 2 * np.pi / 48
DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
# x, y metres, yaw radians, logarithms of length, width and height.
PARAMETERS = 6
_STEP = np.array([1e-3, 1e-3, 1e-4, 1e-4, 1e-4, 1e-4])


@dataclass(frozen=True)
class Kind:
    """A kind of vehicle: points (P, 3) of its hull in shares, and the sizes it comes in.

    size_m: typical length, width over mirrors, height; spread: standard deviations of their logarithms.
    """

    name: str
    points: np.ndarray
    size_m: tuple[float, float, float]
    spread: tuple[float, float, float]


def _hull(*rows: tuple[Sequence[float], float, Sequence[float]]) -> np.ndarray:
    """(P, 3) points, both sides, of rows (xs, half-width, zs)."""
    points = [(x, side * y, z) for xs, y, zs in rows for x in xs for z in zs for side in (-1, 1)]
    return np.array(points, float)


# Typical proportions of the makers' drawings: tyres touch the ground inside the bumpers, corners are rounded, glass
# leans in, mirrors stand out by a tenth of a metre or more on each side.
KINDS = (
    Kind(
        "car",
        _hull(
            ((-0.36, 0.36), 0.43, (0.0,)),
            ((-0.47, 0.45), 0.40, (0.15, 0.55)),
            ((-0.40, 0.38), 0.45, (0.18, 0.58)),
            ((-0.50, 0.50), 0.26, (0.28, 0.45)),
            ((0.14,), 0.50, (0.60, 0.68)),
            ((-0.34, 0.06), 0.31, (0.97,)),
            ((-0.24, -0.02), 0.26, (1.0,)),
        ),
        (4.4, 2.00, 1.52),
        (0.09, 0.04, 0.07),
    ),
    Kind(
        "sport utility or pickup",
        _hull(
            ((-0.37, 0.38), 0.44, (0.0,)),
            ((-0.47, 0.46), 0.41, (0.17, 0.58)),
            ((-0.42, 0.40), 0.45, (0.20, 0.60)),
            ((-0.50, 0.50), 0.28, (0.28, 0.50)),
            ((0.14,), 0.50, (0.64, 0.72)),
            ((-0.38, 0.07), 0.33, (0.96,)),
            ((-0.28, -0.02), 0.28, (1.0,)),
        ),
        (4.8, 2.12, 1.75),
        (0.10, 0.04, 0.07),
    ),
    Kind(
        "van or minibus",
        _hull(
            ((-0.38, 0.40), 0.42, (0.0,)),
            ((-0.49, 0.46), 0.42, (0.12, 0.50)),
            ((-0.47, 0.38), 0.45, (0.15, 0.60)),
            ((0.50,), 0.30, (0.20, 0.45)),
            ((0.30,), 0.50, (0.52, 0.66)),
            ((-0.48, 0.16), 0.38, (0.97,)),
            ((-0.42, 0.08), 0.32, (1.0,)),
        ),
        (5.7, 2.22, 2.25),
        (0.10, 0.04, 0.13),
    ),
    Kind(
        "bus",
        _hull(
            ((-0.36, 0.40), 0.43, (0.0,)),
            ((-0.49, 0.49), 0.43, (0.08, 0.92)),
            ((-0.50, 0.50), 0.36, (0.12, 0.85)),
            ((0.49,), 0.50, (0.60, 0.80)),
            ((-0.48, 0.48), 0.36, (1.0,)),
        ),
        (10.9, 2.86, 3.12),
        (0.10, 0.03, 0.06),
    ),
    Kind(
        "lorry",
        _hull(
            ((-0.40, 0.42), 0.43, (0.0,)),
            ((-0.50,), 0.44, (0.25, 0.98)),
            ((0.22,), 0.44, (0.25, 0.98)),
            ((0.47,), 0.42, (0.10, 0.70)),
            ((0.50,), 0.34, (0.14, 0.45)),
            ((0.46,), 0.50, (0.50, 0.66)),
            ((-0.48, 0.20), 0.40, (1.0,)),
        ),
        (8.2, 2.82, 3.25),
        (0.13, 0.03, 0.14),
    ),
)


def ideal(camera: Camera, pixels: np.ndarray) -> np.ndarray:
    """Pixels (..., 2) of the same camera without its lens distortion."""
    return camera.undistort(pixels) @ camera.K[:2, :2].T + camera.K[:2, 2]


def outline(rle: str, camera: Camera) -> np.ndarray:
    """Support (D,) of a mask, whose pixels are squares of side 1."""
    crop, (x, y, _, _) = masks.decode(rle, camera.size_hw)
    contours, _ = cv2.findContours(crop.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.convexHull(np.concatenate(contours))[:, 0] + [x, y]
    corners = (hull[:, None] + np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])).reshape(-1, 2)
    return (ideal(camera, corners) @ DIRECTIONS.T).max(axis=0)


@dataclass(frozen=True)
class Targets:
    """What H fits aim at: supports (H, D), pixels of one standard deviation (H,), the expected parameters (H, 6) and
    their standard deviations (H, 6), infinite where nothing is expected."""

    support: np.ndarray
    noise_px: np.ndarray
    expected: np.ndarray
    spread: np.ndarray

    def at(self, rows: np.ndarray) -> Targets:
        """Some of them."""
        return Targets(self.support[rows], self.noise_px[rows], self.expected[rows], self.spread[rows])


@dataclass(frozen=True)
class Fit:
    """Parameters (H, 6), cost (H,), the outline's root mean square distance (H,) in pixels, and how sure (H, 6): the
    standard deviation of each parameter."""

    parameters: np.ndarray
    cost: np.ndarray
    distance_px: np.ndarray
    sigma: np.ndarray


class Model:
    """Outlines of bodies of one kind each, points (H, P, 3) in shares, in one camera above one plane."""

    def __init__(self, camera: Camera, plane: GroundPlane, points: np.ndarray) -> None:
        self.points = points
        # Ideal pixels of a world point: the lens plays no part.
        self.M = camera.K @ np.column_stack([plane.R_cam_world, -plane.d * plane.n])

    def at(self, rows: np.ndarray) -> Model:
        """Some of them."""
        other = object.__new__(Model)
        other.points, other.M = self.points[rows], self.M
        return other

    def support(self, parameters: np.ndarray) -> np.ndarray:
        """(H, D) of parameters (H, 6)."""
        body = self.points * np.exp(parameters[:, None, 3:])
        cos, sin = np.cos(parameters[:, 2, None]), np.sin(parameters[:, 2, None])
        x = parameters[:, :1] + cos * body[..., 0] - sin * body[..., 1]
        y = parameters[:, 1:2] + sin * body[..., 0] + cos * body[..., 1]
        world = np.stack([x, y, body[..., 2]], axis=-1)
        image = world @ self.M[:, :3].T + self.M[:, 3]
        pixels = image[..., :2] / np.maximum(image[..., 2:], 0.1)
        return (pixels @ DIRECTIONS.T).max(axis=1)

    def fit(self, targets: Targets, start: np.ndarray, rounds: int) -> Fit:
        """Levenberg-Marquardt from parameters (H, 6) on the robust outline distance and the expectations."""
        current, damping = start.copy(), np.full(len(start), 1e-2)
        residual, cost = self._cost(targets, current)
        for _ in range(rounds):
            normal, right = self._normal(targets, current, residual)
            lifted = normal + damping[:, None, None] * np.einsum("hii->hi", normal)[:, None] * np.eye(PARAMETERS)
            trial = current - np.linalg.solve(lifted, right[..., None])[..., 0]
            trial_residual, trial_cost = self._cost(targets, trial)
            better = trial_cost < cost
            current[better], cost[better], residual[better] = trial[better], trial_cost[better], trial_residual[better]
            damping = np.clip(np.where(better, damping / 4, damping * 6), 1e-6, 1e6)
        normal, _ = self._normal(targets, current, residual)
        sigma = np.sqrt(np.einsum("hii->hi", np.linalg.inv(normal)))
        return Fit(current, cost, np.sqrt((residual**2).mean(axis=1)), sigma)

    def _cost(self, targets: Targets, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Outline distances (H, D) in pixels, and the cost (H,): Cauchy's, so that a lost part does not drag."""
        residual = self.support(parameters) - targets.support
        off = (parameters - targets.expected) / targets.spread
        scaled = residual / targets.noise_px[:, None]
        return residual, _SAMPLES * np.log1p(scaled**2).mean(axis=1) + (off**2).sum(axis=1)

    def _normal(
        self, targets: Targets, parameters: np.ndarray, residual: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Normal matrix (H, 6, 6) and right side (H, 6) of the reweighted least squares."""
        here = residual + targets.support
        jacobian = np.stack(
            [(self.support(parameters + step) - here) / step.sum() for step in np.diag(_STEP)], axis=-1
        )  # (H, D, 6)
        noise2 = targets.noise_px[:, None] ** 2
        weight = _SAMPLES / residual.shape[1] / (noise2 + residual**2)
        weighted = jacobian * weight[..., None]
        normal = np.einsum("hdi,hdj->hij", weighted, jacobian)
        normal += np.eye(PARAMETERS) * (1 / targets.spread**2)[:, None] + 1e-9 * np.eye(PARAMETERS)
        right = np.einsum("hdi,hd->hi", weighted, residual) + (parameters - targets.expected) / targets.spread**2
        return normal, right


# A hexagon has 12 numbers: neighbouring directions tell the same.
_SAMPLES = 12.0
