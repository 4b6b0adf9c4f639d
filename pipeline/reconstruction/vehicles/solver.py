"""Levenberg-Marquardt over many tracks at once: one shape a track, one pose an observation, keypoints in ideal pixels.

Poses X_cam = R X + t move by a few degrees of freedom: a turn about the camera's axes and a shift, combined by a basis
(6, D). The normal matrix is an arrow: each observation's pose block is eliminated into its track's shape system (Schur
complement), so the cost grows with the number of observations alone. NumPy in float64: the blocks are tiny, the
Jacobians short, and the stage need not load a learning library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from calibration.least_squares import Damping, minimise
from pipeline.reconstruction.support_function import DIRECTIONS
from pipeline.reconstruction.vehicles.outline import VehicleSkin, outline_cost, outline_weight, reach_of

# Nearer than this a model's point is clamped, so that a trial behind the camera is finite, and far too dear to take.
_NEAREST_M = 0.3
_DAMPING, _SETTLED = Damping(1e-3, fall=8, rise=8, least=1e-9, most=1e9), 1e-9


@dataclass(frozen=True)
class Linear:
    """What is seen of a model that is linear in its shape: mean (12, 3), components (K, 12, 3) in metres."""

    mean: np.ndarray
    components: np.ndarray

    def points(self, shape: np.ndarray) -> np.ndarray:
        """(N, 12, 3) of shapes (N, K)."""
        return self.mean + np.tensordot(shape, self.components, 1)


@dataclass(frozen=True)
class VehicleEvidence:
    """What N observations of T tracks are fitted to, sorted by track.

    xy (N, 12, 2) ideal pixels, finite; weight (N, 12) one over the variance, 0 where missing; track (N,) from 0;
    yaw and its weight (N,), 0 where no heading is known; robust_scale, beyond how many standard deviations a point is
    down-weighted; support and its weight (N, S), 0 where no outline is known, or None where none is.
    """

    xy: np.ndarray
    weight: np.ndarray
    track: np.ndarray
    yaw: np.ndarray
    yaw_weight: np.ndarray
    robust_scale: float
    support: np.ndarray | None = None
    support_weight: np.ndarray | None = None

    @property
    def first(self) -> np.ndarray:
        """(T,) where each track begins."""
        return np.flatnonzero(np.diff(self.track, prepend=-1))

    def at(self, rows: np.ndarray) -> VehicleEvidence:
        """Some observations, their tracks numbered anew."""
        track = np.unique(self.track[rows], return_inverse=True)[1]
        support, weight = (None if a is None else a[rows] for a in (self.support, self.support_weight))
        return VehicleEvidence(
            self.xy[rows],
            self.weight[rows],
            track,
            self.yaw[rows],
            self.yaw_weight[rows],
            self.robust_scale,
            support,
            weight,
        )

    def alone(self) -> VehicleEvidence:
        """Each observation its own track, its outline left out."""
        track = np.arange(len(self.track))
        return VehicleEvidence(self.xy, self.weight, track, self.yaw, self.yaw_weight, self.robust_scale)


@dataclass
class State:
    """R (N, 3, 3), t (N, 3) of observations, shape (T, K) of tracks, cost (N,) of observations without the shape's."""

    R: np.ndarray
    t: np.ndarray
    shape: np.ndarray
    cost: np.ndarray


@dataclass(frozen=True)
class View:
    """K (3, 3); dof_basis (6, D) of a pose; yaw_of, the heading (N,) of rotations (N, 3, 3) where dimension 2 is
    yaw."""

    K: np.ndarray
    dof_basis: np.ndarray
    yaw_of: Callable[[np.ndarray], np.ndarray] | None

    @property
    def focal(self) -> float:
        """Geometric mean, pixels."""
        return float(np.sqrt(self.K[0, 0] * self.K[1, 1]))

    def project(self, points_cam: np.ndarray) -> np.ndarray:
        """Ideal pixels (..., 2) of points (..., 3), those too near clamped in front of the camera."""
        normal = points_cam[..., :2] / np.maximum(points_cam[..., 2:], _NEAREST_M)
        return normal @ self.K[:2, :2].T + self.K[:2, 2]


def turn(rotvec: np.ndarray) -> np.ndarray:
    """Rotation matrices (N, 3, 3) of rotation vectors (N, 3): Rodrigues' formula."""
    angle = np.linalg.norm(rotvec, axis=-1)[:, None, None]
    cross = _skew(rotvec)
    # np.sinc is exact at zero: sin(a) / a, and (1 - cos a) / a^2 by the half angle.
    return np.eye(3) + np.sinc(angle / np.pi) * cross + 0.5 * np.sinc(angle / (2 * np.pi)) ** 2 * cross @ cross


class VehicleSolver:
    """Fits tracks of one group of vehicles in one view. bound: largest |b_k|, one or (K,); skin: for outlines."""

    def __init__(self, view: View, model: Linear, bound: float | np.ndarray, skin: VehicleSkin | None = None) -> None:
        self.view, self.model, self.bound, self.skin = view, model, bound, skin

    def solve(
        self, evidence: VehicleEvidence, R: np.ndarray, t: np.ndarray, shape: np.ndarray, iterations: int
    ) -> State:
        """From poses R, t and shapes (T, K), so many iterations; a track's step is taken only where it lowers its
        cost."""

        def propose(state: State, damping: np.ndarray) -> tuple[State, np.ndarray]:
            trial = self._moved(evidence, state, *self.blocks(evidence, state).step(damping))
            return trial, self._total(evidence, trial.cost, trial.shape)

        def take(better: np.ndarray, trial: State, state: State) -> State:
            state.shape[better] = trial.shape[better]
            rows = better[evidence.track]
            state.R[rows], state.t[rows], state.cost[rows] = trial.R[rows], trial.t[rows], trial.cost[rows]
            return state

        state = State(R.copy(), t.copy(), shape.copy(), self.cost(evidence, R, t, shape))
        total = self._total(evidence, state.cost, shape)
        return minimise(propose, take, state, total, _DAMPING, iterations, tolerance=_SETTLED)[0]

    def cost(self, evidence: VehicleEvidence, R: np.ndarray, t: np.ndarray, shape: np.ndarray) -> np.ndarray:
        """(N,) robust costs in squared standard deviations: Huber's of keypoints, Geman and McClure's of headings."""
        points_cam = self._points_cam(evidence, R, t, shape)
        off = self.view.project(points_cam) - evidence.xy
        square = evidence.weight * np.einsum("npi,npi->np", off, off)
        # A point behind the camera is no better than one far away, however it projects.
        square += np.where(points_cam[..., 2] < _NEAREST_M, 1e6, 0) * (evidence.weight > 0)
        k = evidence.robust_scale
        cost = np.where(square > k * k, 2 * k * np.sqrt(square) - k * k, square).sum(axis=1)
        cost = cost + _capped(self._heading_off(evidence, R) ** 2 * evidence.yaw_weight)
        if self.skin is None or evidence.support is None or evidence.support_weight is None:
            return cost
        reach = reach_of(self.skin, self.view.project, R, t, shape[evidence.track]).reach
        return cost + outline_cost(reach - evidence.support, evidence.support_weight)

    def blocks(self, evidence: VehicleEvidence, state: State) -> Blocks:
        """The normal equations at a state."""
        turned = self.model.points(state.shape)[evidence.track] @ state.R.transpose(0, 2, 1)
        points_cam = turned + state.t[:, None]
        off = self.view.project(points_cam) - evidence.xy
        by_point = self._by_point(points_cam)  # (N, 12, 2, 3)
        square = evidence.weight * np.einsum("npi,npi->np", off, off)
        weight = evidence.weight * evidence.robust_scale / np.maximum(np.sqrt(square), evidence.robust_scale)
        components = self.model.components.transpose(1, 2, 0)  # (12, 3, K)
        jacobian = self._by_parameters(by_point, turned, state.R, components)
        jacobian = jacobian.reshape(len(off), -1, jacobian.shape[-1])  # (N, 24, D + K)
        weighted = jacobian * np.repeat(weight, 2, axis=1)[..., None]
        normal = weighted.transpose(0, 2, 1) @ jacobian
        gradient = (weighted.transpose(0, 2, 1) @ off.reshape(len(off), -1, 1))[..., 0]
        self._add_heading(evidence, state, normal, gradient)
        self._add_outline(evidence, state, normal, gradient)
        return Blocks(normal, gradient, evidence.first, evidence.track, state.shape, self.view.dof_basis.shape[1])

    def _by_parameters(
        self, by_point: np.ndarray, turned: np.ndarray, R: np.ndarray, components: np.ndarray
    ) -> np.ndarray:
        """(N, P, R, D + K): derivatives (N, P, R, 3) by camera points carried to poses and shapes, for points turned
        (N, P, 3) that move by components (..., P, 3, K)."""
        spin, shift = self.view.dof_basis[:3], self.view.dof_basis[3:]
        # d(w x RX) = -[RX] w: by dimension d, cross(spin_d, RX) + shift_d.
        moves = (_skew(turned.reshape(-1, 3)) @ -spin).reshape(*turned.shape, -1) + shift
        return np.concatenate([by_point @ moves, (by_point @ R[:, None]) @ components], axis=-1)

    def _add_outline(self, evidence: VehicleEvidence, state: State, normal: np.ndarray, gradient: np.ndarray) -> None:
        if self.skin is None or evidence.support is None or evidence.support_weight is None:
            return
        found = reach_of(self.skin, self.view.project, state.R, state.t, state.shape[evidence.track])
        off = found.reach - evidence.support
        by_point = DIRECTIONS[:, None] @ self._by_point(found.turned + state.t[:, None])  # (N, S, 1, 3)
        components = self.skin.components_of(found.vertex)
        jacobian = self._by_parameters(by_point, found.turned, state.R, components)[:, :, 0]
        weighted = jacobian * outline_weight(off, evidence.support_weight)[..., None]
        normal += weighted.transpose(0, 2, 1) @ jacobian
        gradient += (weighted.transpose(0, 2, 1) @ off[..., None])[..., 0]

    def _points_cam(self, evidence: VehicleEvidence, R: np.ndarray, t: np.ndarray, shape: np.ndarray) -> np.ndarray:
        return self.model.points(shape)[evidence.track] @ R.transpose(0, 2, 1) + t[:, None]

    def _by_point(self, points_cam: np.ndarray) -> np.ndarray:
        depth = np.maximum(points_cam[..., 2], _NEAREST_M)
        by_point = np.zeros((*points_cam.shape[:-1], 2, 3))
        by_point[..., 0, 0] = by_point[..., 1, 1] = 1 / depth
        by_point[..., 2] = -points_cam[..., :2] / depth[..., None] ** 2
        return self.view.K[:2, :2] @ by_point

    def _heading_off(self, evidence: VehicleEvidence, R: np.ndarray) -> np.ndarray:
        """(N,) radians from what motion tells, within half a turn."""
        if self.view.yaw_of is None:
            return np.zeros(len(R))
        return (self.view.yaw_of(R) - evidence.yaw + np.pi) % (2 * np.pi) - np.pi

    def _add_heading(self, evidence: VehicleEvidence, state: State, normal: np.ndarray, gradient: np.ndarray) -> None:
        if self.view.yaw_of is None:
            return
        off = self._heading_off(evidence, state.R)
        weight = evidence.yaw_weight / (1 + off**2 * evidence.yaw_weight / _CAP) ** 2
        normal[:, 2, 2] += weight
        gradient[:, 2] += weight * off

    def _moved(self, evidence: VehicleEvidence, state: State, pose_step: np.ndarray, shape_step: np.ndarray) -> State:
        move = pose_step @ self.view.dof_basis.T
        R, t = turn(move[:, :3]) @ state.R, state.t + move[:, 3:]
        shape = np.clip(state.shape + shape_step, -self.bound, self.bound)
        return State(R, t, shape, self.cost(evidence, R, t, shape))

    def _total(self, evidence: VehicleEvidence, cost: np.ndarray, shape: np.ndarray) -> np.ndarray:
        """(T,) costs of tracks."""
        return np.add.reduceat(cost, evidence.first) + (shape**2).sum(axis=1)


# A heading against motion costs at most this, in squared standard deviations: cars reverse, and tracks swap.
_CAP = 12.0


def _capped(square: np.ndarray) -> np.ndarray:
    """Geman and McClure's cost: quadratic at first, never more than the cap."""
    return square / (1 + square / _CAP)


@dataclass(frozen=True)
class Blocks:
    """Normal equations of N observations, normal (N, D + K, D + K) and gradient (N, D + K) each, pose first, and of
    their tracks' shapes (T, K) under a unit Gaussian prior."""

    normal: np.ndarray
    gradient: np.ndarray
    first: np.ndarray
    track: np.ndarray
    shape: np.ndarray
    dof: int

    def step(self, damping: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Steps of poses (N, D) and shapes (T, K), each track with its damping (T,)."""
        D = self.dof
        solved = np.linalg.solve(self._pose(damping[self.track]), self._right())  # (N, D, K + 1): A^-1 [B g]
        system, right = self._shape_system(solved, damping)
        shape_step = -np.linalg.solve(system, right[..., None])[..., 0]
        pose_step = -solved[..., -1] - (solved[..., :-1] @ shape_step[self.track][..., None])[..., 0]
        return pose_step.reshape(-1, D), shape_step

    def covariance(self) -> tuple[np.ndarray, np.ndarray]:
        """Of poses (N, D, D), the shape's uncertainty included, and of shapes (T, K, K)."""
        none = np.zeros(len(self.first))
        pose = self._pose(none[self.track])
        solved = np.linalg.solve(pose, self._right())
        system, _ = self._shape_system(solved, none)
        shape = np.linalg.inv(system)
        coupling = solved[..., :-1]
        return np.linalg.inv(pose) + coupling @ shape[self.track] @ coupling.transpose(0, 2, 1), shape

    def _pose(self, damping: np.ndarray) -> np.ndarray:
        """(N, D, D), solvable whatever the points."""
        D = self.dof
        diagonal = np.einsum("nii->ni", self.normal)[:, :D]
        raised = diagonal * damping[:, None] + 1e-13 * diagonal.max(axis=1, keepdims=True) + 1e-12
        return self.normal[:, :D, :D] + raised[:, None] * np.eye(D)

    def _right(self) -> np.ndarray:
        D = self.dof
        return np.concatenate([self.normal[:, :D, D:], self.gradient[:, :D, None]], axis=-1)

    def _shape_system(self, solved: np.ndarray, damping: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Schur complements (T, K, K) and right sides (T, K)."""
        D = self.dof
        both = np.concatenate([self.normal[:, D:, D:], self.gradient[:, D:, None]], axis=-1)
        both = np.add.reduceat(both - self.normal[:, D:, :D] @ solved, self.first)
        system, right = both[..., :-1], both[..., -1] + self.shape
        lift = 1 + damping[:, None] * np.abs(np.einsum("tkk->tk", system))
        return system + lift[:, None] * np.eye(system.shape[-1]), right


def _skew(v: np.ndarray) -> np.ndarray:
    """(N, 3, 3) with skew(v) @ x = cross(v, x)."""
    cross = np.zeros((len(v), 3, 3))
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -v[:, 2], v[:, 1], -v[:, 0]
    return cross - cross.transpose(0, 2, 1)
