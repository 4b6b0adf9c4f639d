"""Fit a vehicle of a known kind to the outline of its mask: place, heading and size, for many at once.

An outline is its support function: for DIRECTIONS (D, 2), unit vectors in the image, how far (pixels) the outline
reaches. The support of a body is the largest over its points, so no mask is ever rendered. Pixels here are ideal ones,
the lens undone; world frame of the ground plane, metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np

from calibration.camera import Camera, GroundPlane
from calibration.least_squares import Damping, minimise
from pipeline.core import masks

_ANGLES = np.arange(48) * 2 * np.pi / 48
DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_DOWN = DIRECTIONS[:, 1] > 0.5
# x, y metres, yaw radians, logarithms of length, width and height.
PARAMETERS = 6
_DAMPING = Damping(1e-2, fall=4, rise=6, least=1e-6, most=1e6)
_State = tuple[np.ndarray, np.ndarray]  # parameters (H, 6) and the outline's residuals (H, D)
_STEP = np.array([1e-3, 1e-3, 1e-4, 1e-4, 1e-4, 1e-4])


def ideal(camera: Camera, pixels: np.ndarray) -> np.ndarray:
    """Pixels (..., 2) of the same camera without its lens distortion."""
    return camera.undistort(pixels) @ camera.K[:2, :2].T + camera.K[:2, 2]


@dataclass(frozen=True)
class MaskOutline:
    """support (D,) of a mask, whose pixels are squares of side 1; area_px of the mask; solidity, its fraction of its
    convex hull."""

    support: np.ndarray
    area_px: float
    solidity: float


def outline_of_mask(rle: str, camera: Camera) -> MaskOutline:
    """The outline of a mask that is not empty."""
    crop, (x, y, _, _) = masks.decode(rle, camera.size_hw)
    contours, _ = cv2.findContours(crop.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    points = np.concatenate(contours).astype(np.float32)  # (P, 1, 2)
    square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]], np.float32)
    hull = cv2.convexHull((points + square).reshape(-1, 2))[:, 0]
    support = (ideal(camera, hull + np.array([x, y])) @ DIRECTIONS.T).max(axis=0)
    return MaskOutline(support, float(crop.sum()), float(crop.sum()) / cv2.contourArea(hull))


@dataclass(frozen=True)
class Targets:
    """What H fits aim at: supports (H, D), pixels of one standard deviation (H,), the expected parameters (H, 6) and
    their standard deviations (H, 6), infinite where nothing is expected.

    Detectors lose legs far oftener than they add to them: a body that reaches `lost` times as far below its mask as
    elsewhere is as likely.
    """

    support: np.ndarray
    noise_px: np.ndarray
    expected: np.ndarray
    spread: np.ndarray
    lost: float = 1.0

    def scale_px(self, residual: np.ndarray) -> np.ndarray:
        """Standard deviations (H, D) of residuals (H, D), model minus mask."""
        return self.noise_px[:, None] * np.where((residual > 0) & _DOWN, self.lost, 1.0)


@dataclass(frozen=True)
class Fit:
    """Parameters (H, 6), cost (H,), the outline's root mean square distance (H,) in pixels, and uncertainty (H, 6, 6):
    the covariance of the parameters."""

    parameters: np.ndarray
    cost: np.ndarray
    distance_px: np.ndarray
    covariance: np.ndarray

    @property
    def sigma(self) -> np.ndarray:
        """(H, 6) the standard deviation of each parameter."""
        return np.sqrt(np.einsum("hii->hi", self.covariance))

    def at(self, rows: np.ndarray) -> Fit:
        """Some of them."""
        return Fit(self.parameters[rows], self.cost[rows], self.distance_px[rows], self.covariance[rows])

    @staticmethod
    def concat(fits: Sequence[Fit]) -> Fit:
        """All of them."""
        names = [f.name for f in fields(Fit)]
        return Fit(**{name: np.concatenate([getattr(fit, name) for fit in fits]) for name in names})


class HullModel:
    """Outlines of bodies of one kind each, points (H, P, 3) in fractions, in one camera above one plane."""

    def __init__(self, camera: Camera, plane: GroundPlane, points: np.ndarray) -> None:
        self.points = points
        # Ideal pixels of a world point: the lens plays no part.
        self.M = camera.K @ np.column_stack([plane.R_cam_world, -plane.d * plane.n])

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

    def fit(self, targets: Targets, start: np.ndarray, iterations: int) -> Fit:
        """Levenberg-Marquardt from parameters (H, 6) on the robust outline distance and the expectations."""

        def propose(state: _State, damping: np.ndarray) -> tuple[_State, np.ndarray]:
            current, residual = state
            normal, right = self._normal(targets, current, residual)
            lifted = normal + damping[:, None, None] * np.einsum("hii->hi", normal)[:, None] * np.eye(PARAMETERS)
            trial = current - np.linalg.solve(lifted, right[..., None])[..., 0]
            residual, cost = self._cost(targets, trial)
            return (trial, residual), cost

        def take(better: np.ndarray, trial: _State, state: _State) -> _State:
            return np.where(better[:, None], trial[0], state[0]), np.where(better[:, None], trial[1], state[1])

        residual, cost = self._cost(targets, start)
        (current, residual), cost = minimise(propose, take, (start, residual), cost, _DAMPING, iterations)
        normal, _ = self._normal(targets, current, residual)
        return Fit(current, cost, np.sqrt((residual**2).mean(axis=1)), np.linalg.inv(normal))

    def _cost(self, targets: Targets, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Outline distances (H, D) in pixels, and the cost (H,): Cauchy's, so that a lost part does not drag."""
        residual = self.support(parameters) - targets.support
        off = (parameters - targets.expected) / targets.spread
        scaled = residual / targets.scale_px(residual)
        return residual, _SAMPLES * np.log1p(scaled**2).mean(axis=1) + (off**2).sum(axis=1)

    def _normal(self, targets: Targets, parameters: np.ndarray, residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normal matrix (H, 6, 6) and right side (H, 6) of the reweighted least squares."""
        here = residual + targets.support
        jacobian = np.stack(
            [(self.support(parameters + step) - here) / step.sum() for step in np.diag(_STEP)], axis=-1
        )  # (H, D, 6)
        noise2 = targets.scale_px(residual) ** 2
        weight = _SAMPLES / residual.shape[1] / (noise2 + residual**2)
        weighted = jacobian * weight[..., None]
        normal = np.einsum("hdi,hdj->hij", weighted, jacobian)
        normal += np.eye(PARAMETERS) * (1 / targets.spread**2)[:, None] + 1e-9 * np.eye(PARAMETERS)
        right = np.einsum("hdi,hd->hi", weighted, residual) + (parameters - targets.expected) / targets.spread**2
        return normal, right


# A hexagon has 12 numbers: neighbouring directions tell the same.
_SAMPLES = 12.0
