"""Where boxes stand on the ground and how fast their tracks go over it: world frame of the plane, metres, seconds."""

from __future__ import annotations

import numpy as np

from calibration.camera import Camera, GroundPlane, edge_to_pixel


def foot_points(xyxy: np.ndarray, camera: Camera, plane: GroundPlane, noise_px: float) -> tuple[np.ndarray, np.ndarray]:
    """World points (N, 2) on the ground under the boxes' bottom centres, and how far (N,) noise_px moves them, metres.

    NaN and infinite where the bottom is at or above the horizon.
    """
    bottom = edge_to_pixel(np.stack([(xyxy[:, 0] + xyxy[:, 2]) / 2, xyxy[:, 3]], axis=1))
    at = [plane.to_world(plane.intersect(camera, bottom - [0.0, up]))[:, :2] for up in (0.0, noise_px)]
    moved = np.linalg.norm(at[1] - at[0], axis=1)
    return at[0], np.where(np.isfinite(moved), moved, np.inf)


def velocities(ids: np.ndarray, time_s: np.ndarray, foot: np.ndarray, smooth_s: float) -> np.ndarray:
    """(N, 2) slope of a straight line through the track's ground points within smooth_s, at least the neighbours'."""
    velocity = np.full((len(ids), 2), np.nan)
    order = np.argsort(ids, kind="stable")
    order = order[(ids[order] >= 0) & np.isfinite(foot[order]).all(axis=1)]
    for rows in np.split(order, np.flatnonzero(np.diff(ids[order])) + 1):
        if len(rows) > 1:
            velocity[rows] = _local_slopes(time_s[rows], foot[rows], smooth_s)
    return velocity


def _local_slopes(time_s: np.ndarray, values: np.ndarray, smooth_s: float) -> np.ndarray:
    """(T, 2) least-squares slopes of values (T, 2) over intervals of time."""
    t = time_s - time_s[0]
    number = np.arange(len(t))
    first = np.minimum(np.searchsorted(t, t - smooth_s - 1e-6), np.maximum(number - 1, 0))
    last = np.maximum(np.searchsorted(t, t + smooth_s + 1e-6, "right"), np.minimum(number + 2, len(t)))

    def total(x: np.ndarray) -> np.ndarray:
        sums = np.concatenate([np.zeros((1, *x.shape[1:])), np.cumsum(x, axis=0)])
        return sums[last] - sums[first]

    count, sum_t = (last - first).astype(float), total(t)
    spread = total(t * t) - sum_t**2 / count
    together = total(t[:, None] * values) - sum_t[:, None] * total(values) / count[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread[:, None] > 1e-9, together / spread[:, None], np.nan)
