"""Where the fit of a vehicle starts: poses of a mean shape near enough for the refinement, and the same turned about.

On a plane every heading of a grid is tried, the place for each in closed form, for all observations at once. With no
plane each observation is solved by EPnP within RANSAC. Pixels are ideal, the lens undone.
"""

from __future__ import annotations

import cv2
import numpy as np

from calibration.camera import GroundPlane
from pipeline.reconstruction.vehicles.solver import View

_YAWS = np.arange(24) * 2 * np.pi / 24
# Turned by half a turn about the vehicle's vertical.
_TURNED = np.diag([-1.0, -1.0, 1.0])


def plane_starts(
    view: View, plane: GroundPlane, mean: np.ndarray, xy: np.ndarray, weight: np.ndarray, robust_scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """R (2, N, 3, 3), t (2, N, 3) of a vehicle with keypoints mean (12, 3): the best heading, and the best of those
    more than a quarter turn from it. xy (N, 12, 2) finite, weight (N, 12) one over the variance, 0 where missing."""
    R_world, R_cam = _about_z(_YAWS), plane.R_cam_world
    body = np.einsum("ij,yjk,pk->ypi", R_cam, R_world, mean)  # (Y, 12, 3)
    place = _places_on_ground(view, plane, body, xy, weight)  # (N, Y, 2)
    t = place @ R_cam[:, :2].T - plane.d * plane.n  # (N, Y, 3)
    points_cam = body[None] + t[:, :, None]
    off = view.project(points_cam) - xy[:, None]
    square = weight[:, None] * (off**2).sum(axis=-1)
    # Far beyond the scale a point says no more: the mean shape fits nobody exactly, but one wild point must not rule.
    cost = np.minimum(square, robust_scale * np.sqrt(square)).sum(axis=-1) + 1e6 * (
        points_cam[..., 2].min(axis=2) < 0.5
    )
    best = cost.argmin(axis=1)
    apart = np.abs((_YAWS[None] - _YAWS[best][:, None] + np.pi) % (2 * np.pi) - np.pi)
    turned = np.where(apart > np.pi / 2, cost, np.inf).argmin(axis=1)
    rows, chosen = np.arange(len(xy)), np.stack([best, turned])
    return R_cam @ R_world[chosen], t[rows, chosen]


def _places_on_ground(
    view: View, plane: GroundPlane, body: np.ndarray, xy: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """World xy (N, Y, 2) that brings bodies (Y, 12, 3) closest to the rays, by linear least squares."""
    K = view.K
    v = (xy[..., 1] - K[1, 2]) / K[1, 1]
    u = (xy[..., 0] - K[0, 2] - K[0, 1] * v) / K[0, 0]
    rays = np.stack([u, v], axis=-1)  # (N, 12, 2)
    across, along = plane.R_cam_world[:2, :2], plane.R_cam_world[2, :2]
    system = across - rays[..., None] * along  # (N, 12, 2, 2): of X - u Z by world xy
    origin = -plane.d * plane.n
    weighted = (system * weight[..., None, None]).reshape(len(xy), -1, 2)
    normal = weighted.transpose(0, 2, 1) @ system.reshape(len(xy), -1, 2)
    normal += 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(2)
    fixed = body[..., :2] + origin[:2], body[..., 2] + origin[2]
    off = fixed[0][None] - rays[:, None] * fixed[1][None, ..., None]  # (N, Y, 12, 2)
    right = off.reshape(len(xy), len(body), -1) @ weighted  # (N, Y, 2)
    return -np.linalg.solve(normal, right.transpose(0, 2, 1)).transpose(0, 2, 1)


def free_starts(
    view: View, mean: np.ndarray, xy: np.ndarray, weight: np.ndarray, reach_px: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """R (2, N, 3, 3), t (2, N, 3) by EPnP within RANSAC, a point belonging within reach_px (N,), and turned about."""
    poses = [
        _epnp(view.K, mean[w > 0], pixels[w > 0], float(reach))
        for pixels, w, reach in zip(xy, weight, reach_px, strict=True)
    ]
    R, t = np.stack([R for R, _ in poses]), np.stack([t for _, t in poses])
    return np.stack([R, R @ _TURNED]), np.stack([t, t])


def _epnp(K: np.ndarray, points: np.ndarray, pixels: np.ndarray, reach_px: float) -> tuple[np.ndarray, np.ndarray]:
    """R (3, 3), t (3,); where RANSAC finds nothing, the pose of all points together."""
    pixels = np.ascontiguousarray(pixels)
    cv2.setRNGSeed(0)
    lens = np.zeros(5)
    found, rotvec, t, _ = cv2.solvePnPRansac(
        points,
        pixels,
        K,
        lens,
        reprojectionError=reach_px,
        iterationsCount=50,
        confidence=0.99,
        flags=cv2.SOLVEPNP_EPNP,
    )
    if not found or not np.isfinite(t).all() or t[2, 0] < 0.5:
        found, rotvec, t = cv2.solvePnP(points, pixels, K, lens, flags=cv2.SOLVEPNP_SQPNP)
    if not found or not np.isfinite(t).all():
        return np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), np.array([0.0, 0.0, 20.0])
    return cv2.Rodrigues(rotvec)[0], t[:, 0]


def _about_z(yaw: np.ndarray) -> np.ndarray:
    """(Y, 3, 3)."""
    cos, sin, zero = np.cos(yaw), np.sin(yaw), np.zeros_like(yaw)
    rows = [cos, -sin, zero, sin, cos, zero, zero, zero, zero + 1]
    return np.stack(rows, axis=-1).reshape(-1, 3, 3)
