"""Fit vehicles to their keypoints: one bounded shape a track, a pose on the ground (or free) for each observation.

Confidence-weighted robust reprojection, a Gaussian prior on the shape, headings from motion; the vehicle frame's z = 0
stands on the plane, so wheels do. Residuals are in ideal pixels, the lens undone. Each track takes the group of
vehicles (car, van, heavy) that explains it best. World frame of the plane, metres, yaw radians from x towards y.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from threadpoolctl import threadpool_limits

from calibration.camera import Camera, GroundPlane
from models.shape_basis import ShapeBasis
from pipeline.core.skeletons import VEHICLE_12
from pipeline.reconstruction.support_function import ideal
from pipeline.reconstruction.vehicles.facing import ABOUT, EXCHANGED, Decision, Facings, decided, trust_in_names
from pipeline.reconstruction.vehicles.outline import VehicleSkin
from pipeline.reconstruction.vehicles.solver import Linear, State, VehicleEvidence, VehicleSolver, View
from pipeline.reconstruction.vehicles.start import free_starts, plane_starts
from pipeline.reconstruction.vehicles.types import VehicleFits, VehicleFitSettings, VehiclesSeen

# A heading less certain than this, a neighbour's or one long past, is a hint and no fact.
_TOLD_RAD = np.radians(10.0)

__all__ = ["VehicleFitSettings", "VehicleFits", "VehiclesSeen", "fit_vehicles"]


def fit_vehicles(
    keypoints: VehiclesSeen,
    camera: Camera,
    plane: GroundPlane | None,
    bases: Mapping[str, ShapeBasis],
    settings: VehicleFitSettings | None = None,
) -> VehicleFits:
    """Every observation's fit, in the order given; what cannot be fitted is refused with a reason, never raised."""
    with threadpool_limits(1, "blas"):  # sums in another order on more cores would end in other bits
        return _VehicleFitter(keypoints, camera, plane, bases, settings or VehicleFitSettings()).fit()


class _VehicleFitter:
    """The steps of one call; `rows` are the observations that can be fitted at all, sorted by track."""

    def __init__(
        self,
        keypoints: VehiclesSeen,
        camera: Camera,
        plane: GroundPlane | None,
        bases: Mapping[str, ShapeBasis],
        settings: VehicleFitSettings,
    ) -> None:
        self.plane, self.bases, self.settings = plane, bases, settings
        self.view = _view(camera, plane)
        self.used = (keypoints.scores >= settings.min_score) & np.isfinite(keypoints.xy).all(axis=-1)
        xy = ideal(camera, np.where(self.used[..., None], keypoints.xy, camera.K[:2, 2]))
        self.refusal = _hopeless(xy, self.used, settings)
        rows = np.flatnonzero(self.refusal == "")
        self.rows = rows[np.argsort(keypoints.track[rows], kind="stable")]
        self.xy, self.used = xy[self.rows], self.used[self.rows]
        self.score = np.where(self.used, keypoints.scores[self.rows], 0.0)
        self.track = np.unique(keypoints.track[self.rows], return_inverse=True)[1]
        self.size_px = _extent(self.xy, self.used)
        self.yaw, self.yaw_weight = _headings(keypoints, self.rows)
        self.guess = None if keypoints.start is None else keypoints.start[self.rows]
        self.support = None if keypoints.support is None else keypoints.support[self.rows]

    def fit(self) -> VehicleFits:
        """All of it."""
        fits = _empty(len(self.refusal), len(next(iter(self.bases.values())).components), self.view, self.refusal)
        if not len(self.rows):
            return fits
        alone = {name: self._facing(basis, *self._alone(basis)) for name, basis in self.bases.items()}
        names = list(alone)
        group = self._groups(names, alone)[self.track]
        for index, name in enumerate(names):
            mine = np.flatnonzero(group == index)
            if len(mine):
                self._together(name, mine, alone[name], fits)
        return fits

    def _evidence(self, depth_m: np.ndarray) -> VehicleEvidence:
        """What is fitted to, with the noise at so many metres."""
        s = self.settings
        model_px = self.view.focal * s.model_noise_m / np.maximum(depth_m, 1.0)
        variance = s.noise_px**2 + (s.noise_fraction * self.size_px) ** 2 + model_px**2
        weight = self.score / variance[:, None]
        return VehicleEvidence(self.xy, weight, self.track, self.yaw, self.yaw_weight, s.robust_scale)

    def _outlined(self, evidence: VehicleEvidence, mine: np.ndarray) -> VehicleEvidence:
        """The same with the outlines of its observations, where there are any."""
        if self.support is None or not np.isfinite(self.support[mine]).any():
            return evidence
        s, support = self.settings, self.support[mine]
        known = np.isfinite(support)
        variance = s.outline_noise_px**2 + (s.outline_noise_fraction * self.size_px[mine]) ** 2
        return replace(evidence, support=np.where(known, support, 0.0), support_weight=known / variance[:, None])

    def _facing(self, basis: ShapeBasis, named: State, turned: np.ndarray) -> Decision:
        """Which way each faces as one of a group, given its best fit and what one facing the other way costs more."""
        evidence = self._evidence(named.t[:, 2]).alone()
        evidence = replace(evidence, xy=evidence.xy[:, EXCHANGED], weight=evidence.weight[:, EXCHANGED])
        solver, none = self._solver(basis), np.zeros_like(named.shape)
        other = solver.solve(evidence, named.R @ ABOUT, named.t, none, self.settings.first_iterations)
        other.cost += (other.shape**2).sum(axis=1) + trust_in_names(self.score)
        told = self.yaw_weight > (1 / np.pi) ** 2
        return decided(Facings(named, other, np.minimum(turned, other.cost - named.cost)), self.track, told)

    def _alone(self, basis: ShapeBasis) -> tuple[State, np.ndarray]:
        """The best of the starts for each observation, and what one that faces the other way costs more (N,)."""
        R, t = self._starts(basis)
        solver = self._solver(basis)
        states = []
        for R_start, t_start in zip(R, t, strict=True):
            evidence = self._evidence(t_start[:, 2]).alone()
            none = np.zeros((len(t_start), len(basis.components)))
            states.append(solver.solve(evidence, R_start, t_start, none, self.settings.first_iterations))
        cost = np.stack([state.cost + (state.shape**2).sum(axis=1) for state in states])
        # Who moves faces where it goes, however well the other way fits.
        against = np.stack([self._against_motion(state.R, slice(None)) for state in states])
        best = np.where(against & ~against.all(axis=0), np.inf, cost).argmin(axis=0)
        rows = np.arange(len(best))
        merged = [np.stack([getattr(s, name) for s in states])[best, rows] for name in ("R", "t", "shape", "cost")]
        state = State(*merged)
        state.cost = cost[best, rows]
        # All starts may end facing one way: then nothing speaks for the other.
        facing = np.stack([(s.R[..., 0] * state.R[..., 0]).sum(axis=-1) for s in states])
        return state, np.where(facing < 0, cost - state.cost, np.inf).min(axis=0)

    def _against_motion(self, R: np.ndarray, mine: np.ndarray | slice) -> np.ndarray:
        """(M,) bool: rotations (M, 3, 3) of some rows face away from where motion goes, where that is known well."""
        known = self.yaw_weight[mine] > 1 / _TOLD_RAD**2
        if self.plane is None or not known.any():
            return np.zeros(len(R), bool)
        return known & (np.cos(self.plane.yaw(R) - self.yaw[mine]) < 0)

    def _starts(self, basis: ShapeBasis) -> tuple[np.ndarray, np.ndarray]:
        variance = self.settings.noise_px**2 + (0.05 * self.size_px) ** 2
        weight = self.score / variance[:, None]
        if self.plane is None:
            return free_starts(self.view, basis.mean, self.xy, weight, 0.1 * self.size_px + 3 * self.settings.noise_px)
        R, t = plane_starts(self.view, self.plane, basis.mean, self.xy, weight, self.settings.robust_scale)
        if self.guess is None:
            return R, t
        poses = [self.plane.pose(guess[:2], guess[2]) for guess in self.guess]
        known = np.isfinite(self.guess).all(axis=1)
        R_guess = np.where(known[:, None, None], np.stack([R for R, _ in poses]), R[0])
        t_guess = np.where(known[:, None], np.stack([t for _, t in poses]), t[0])
        return np.concatenate([R, R_guess[None]]), np.concatenate([t, t_guess[None]])

    def _groups(self, names: list[str], alone: Mapping[str, Decision]) -> np.ndarray:
        """(T,) indices of the groups that explain each track at the lowest price."""
        cost = np.stack([np.bincount(self.track, alone[name].state.cost) for name in names])
        fractions = np.array([self.settings.group_fractions.get(name, 0.01) for name in names])
        return (cost - 2 * np.log(fractions)[:, None]).argmin(axis=0)

    def _solver(self, basis: ShapeBasis, skin: VehicleSkin | None = None) -> VehicleSolver:
        return VehicleSolver(self.view, Linear(basis.mean, basis.components), self._bound(basis), skin)

    def _bound(self, basis: ShapeBasis) -> np.ndarray:
        """(K,) largest coefficients: the basis' own, where it has them."""
        return np.where(np.isfinite(basis.bounds), basis.bounds, self.settings.max_coefficient)

    def _together(self, name: str, mine: np.ndarray, facing: Decision, fits: VehicleFits) -> None:
        """The tracks of one group, each with one shape, written into the fits."""
        basis, start = self.bases[name], facing.state
        taken_for_rear = mine[facing.exchanged[mine]]
        for values in (self.xy, self.used, self.score):
            values[taken_for_rear] = values[taken_for_rear][:, EXCHANGED]
        solver, evidence = self._solver(basis), self._evidence(start.t[:, 2]).at(mine)
        each = np.bincount(evidence.track)[:, None]
        shape = np.add.reduceat(start.shape[mine], evidence.first) / each
        state = solver.solve(evidence, start.R[mine], start.t[mine], shape, self.settings.iterations)
        evidence = self._outlined(evidence, mine)
        if evidence.support is not None:
            solver = self._solver(basis, VehicleSkin.of(basis))
            state = solver.solve(evidence, state.R, state.t, state.shape, self.settings.outline_iterations)
        covariance, _ = solver.blocks(evidence, state).covariance()
        rows, shapes = self.rows[mine], state.shape[evidence.track]
        points_cam = basis.keypoints(shapes) @ state.R.transpose(0, 2, 1) + state.t[:, None]
        fits.R[rows], fits.t[rows], fits.shape[rows], fits.group[rows] = state.R, state.t, shapes, name
        fits.keypoints_3d[rows], fits.dims_lwh_m[rows] = points_cam, basis.dims_lwh_m(shapes)
        off = ((self.view.project(points_cam) - evidence.xy) ** 2).sum(axis=-1)
        fits.residual_px[rows] = np.sqrt((off * evidence.weight).sum(axis=1) / evidence.weight.sum(axis=1))
        fits.covariance[rows], fits.turned_cost[rows] = covariance, facing.turned_cost[mine]
        if self.plane is not None:
            fits.xy_m[rows], fits.yaw[rows] = self.plane.to_world(state.t)[:, :2], self.plane.yaw(state.R)
        outside = (np.abs(shapes) >= self._bound(basis) - 1e-9) & np.isfinite(basis.bounds)
        fits.refusal[rows] = self._refusals(fits, rows, mine, outside.any(axis=1))

    def _refusals(self, fits: VehicleFits, rows: np.ndarray, mine: np.ndarray, outside: np.ndarray) -> np.ndarray:
        """(M,) why each fit is refused, "" where it is not; outside (M,): no vehicle that the basis knows is so."""
        s, covariance = self.settings, fits.covariance[rows]
        depth = np.linalg.norm(fits.t[rows], axis=1)
        place = slice(0, 2) if self.plane is not None else slice(3, 6)
        sigma_m = np.sqrt(np.trace(covariance[:, place, place], axis1=1, axis2=2))
        turn = slice(2, 3) if self.plane is not None else slice(0, 3)
        sigma_rad = np.sqrt(np.trace(covariance[:, turn, turn], axis1=1, axis2=2))
        known_heading = self.yaw_weight[mine] > (1 / np.pi) ** 2
        reasons = {
            "behind_camera": fits.keypoints_3d[rows][..., 2].min(axis=1) < 0.5,
            "residual": fits.residual_px[rows] > s.max_residual_fraction * self.size_px[mine] + 2 * s.noise_px,
            "unsure": ~(
                (sigma_m <= np.maximum(s.max_position_sigma_m, s.max_position_sigma_fraction * depth))
                & (sigma_rad <= np.radians(s.max_yaw_sigma_deg))
            ),
            "unknown_shape": outside,
            "against_motion": self._against_motion(fits.R[rows], mine),
            "ambiguous": ~known_heading & (fits.turned_cost[rows] < s.min_turned_cost),
        }
        refusal = np.full(len(rows), "", dtype=object)
        for reason, bad in reversed(reasons.items()):
            refusal[bad] = reason
        return refusal


def _view(camera: Camera, plane: GroundPlane | None) -> View:
    """The camera's, and how poses move: along the ground and about its normal, or freely."""
    if plane is None:
        return View(camera.K, np.eye(6), None)
    dof_basis = np.zeros((6, 3))
    dof_basis[3:, :2], dof_basis[:3, 2] = plane.R_cam_world[:, :2], plane.n
    return View(camera.K, dof_basis, plane.yaw)


def _hopeless(xy: np.ndarray, used: np.ndarray, settings: VehicleFitSettings) -> np.ndarray:
    """(N,) why keypoints determine no pose whatever the vehicle, "" where they may."""
    count = used.sum(axis=1)
    mean = (xy * used[..., None]).sum(axis=1) / np.maximum(count, 1)[:, None]
    centred = (xy - mean[:, None]) * used[..., None]
    spread = np.linalg.eigvalsh(centred.transpose(0, 2, 1) @ centred / np.maximum(count, 1)[:, None, None])
    # Points on a line within their noise: a vehicle's own are never so from above.
    thin = np.sqrt(np.maximum(spread[:, 0], 0)) < np.maximum(0.25, 0.01 * np.sqrt(np.maximum(spread[:, 1], 0)))
    refusal = np.full(len(xy), "", dtype=object)
    refusal[thin] = "collinear"
    refusal[count < settings.min_points] = "too_few_points"
    return refusal


def _extent(xy: np.ndarray, used: np.ndarray) -> np.ndarray:
    """(N,) the longer side of the box about the used points, pixels."""
    low = np.where(used[..., None], xy, np.inf).min(axis=1)
    high = np.where(used[..., None], xy, -np.inf).max(axis=1)
    return (high - low).max(axis=-1)


def _headings(keypoints: VehiclesSeen, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Headings (M,) and their weights (M,), 0 where motion tells none."""
    if keypoints.heading is None or keypoints.heading_sigma is None:
        return np.zeros(len(rows)), np.zeros(len(rows))
    yaw, sigma = keypoints.heading[rows], keypoints.heading_sigma[rows]
    known = np.isfinite(yaw) & np.isfinite(sigma) & (sigma > 0)
    return np.where(known, yaw, 0.0), np.where(known, 1 / np.where(known, sigma, 1.0) ** 2, 0.0)


def _empty(count: int, components: int, view: View, refusal: np.ndarray) -> VehicleFits:
    """All refused so far."""
    dof = view.dof_basis.shape[1]
    shapes = [(3, 3), (3,), (2,), (), (components,), (len(VEHICLE_12), 3), (3,), (), (dof, dof), ()]
    R, t, xy, yaw, shape, points, dims, residual, covariance, turned = (np.full((count, *s), np.nan) for s in shapes)
    group = np.full(count, "", dtype=object)
    return VehicleFits(R, t, xy, yaw, shape, group, points, dims, residual, covariance, turned, refusal.copy())
