"""How sure a place on the ground is: covariances (N, 3, 3) of world x and y, metres, and yaw, radians."""

from __future__ import annotations

import numpy as np

from calibration.camera import Camera, GroundPlane

_STEP_M = 1e-3
# What nothing tells better: the point under an object to a pixel, its heading to three degrees.
_FLOOR_PX, _FLOOR_RAD = 1.0, 0.05


def ground_floor(t: np.ndarray, camera: Camera, plane: GroundPlane) -> np.ndarray:
    """(N, 3, 3) of objects that stand at t (N, 3), camera frame, when the pixel under them is off by _FLOOR_PX.

    With A the pixel's derivatives (2, 2) by x and y, the covariance is _FLOOR_PX^2 (A^T A)^-1: along the ray it grows
    with distance^2 / height, across it with distance. No mask is cut more exactly.
    """
    xy = plane.to_world(np.reshape(t, (-1, 3)))[:, :2]
    ground = np.concatenate([xy, np.zeros((len(xy), 1))], axis=1)
    steps = np.stack([np.zeros(3), [_STEP_M, 0, 0], [0, _STEP_M, 0]])
    pixels = camera.project(plane.to_camera(ground[:, None] + steps))  # (N, 3, 2)
    A = np.moveaxis((pixels[:, 1:] - pixels[:, :1]) / _STEP_M, 1, 2)
    covariance = np.zeros((len(xy), 3, 3))
    # Where the lens folds or the point is behind the camera nothing is known of the place.
    seen = np.isfinite(A).all(axis=(1, 2))
    A[~seen] = 1e-3 * np.eye(2)
    normal = A.transpose(0, 2, 1) @ A + 1e-12 * np.eye(2)
    covariance[:, :2, :2] = _FLOOR_PX**2 * np.linalg.inv(normal)
    covariance[:, 2, 2] = _FLOOR_RAD**2
    return covariance
