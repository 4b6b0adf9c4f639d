"""What a fitted object takes of the ground, and how certain its place there is.

Covariances (N, 3, 3) are of world x and y, metres, and yaw, radians.
"""

from __future__ import annotations

import cv2
import numpy as np

from calibration.camera import Camera, GroundPlane

_STEP_M = 1e-3
# What nothing measures better: the point under an object to most of a pixel, its heading to two degrees.
_FLOOR_PX, _FLOOR_RAD = 0.7, 0.035
# What the variances of fits were to be multiplied by on cam07 for half of its cutouts to be within the half of the
# distribution. Vehicles' keypoints err together, people's outlines are more exact than their fits assume.
_CALIBRATED = {"vehicle": 2.0, "person": 0.45}
# Of the squared distance between two fits of one object; and what a variance is multiplied by where one of them failed.
_DISPUTED, _CONTRADICTED = 0.5, 25.0
# How tall people mostly are, and how much more or less is nothing unusual.
_STATURE_M, _USUAL_M = 1.7, 0.1
# A footprint keeps its farthest corners in so many directions: a car's outline to a centimetre or two.
_TURNS = np.arange(24) * np.pi / 12
_CORNERS = np.stack([np.cos(_TURNS), np.sin(_TURNS)])


def footprint_of(points: np.ndarray) -> np.ndarray:
    """(C, 2) convex outline on the ground, counter-clockwise, of a mesh's points (V, 3) in the object's frame."""
    hull = cv2.convexHull(np.ascontiguousarray(points[:, :2], np.float32))[:, 0].astype(float)
    corners = hull[(hull @ _CORNERS).argmax(axis=0)]
    return corners[np.r_[True, (np.diff(corners, axis=0) != 0).any(axis=1)]]


def ground_covariance(
    category: str, fitted: np.ndarray, t: np.ndarray, camera: Camera, plane: GroundPlane
) -> np.ndarray:
    """(N, 3, 3) of fits of a category whose normal equations say `fitted` (N, 3, 3), of objects at t (N, 3), camera
    frame: made to agree with exact truth, and what no fit knows of added, `ground_floor`."""
    return _CALIBRATED[category] * fitted + ground_floor(t, camera, plane)


def disputed(covariance: np.ndarray, xy_m: np.ndarray, other_m: np.ndarray, accepted: np.ndarray) -> np.ndarray:
    """Covariances (N, 3, 3) of objects that two fits place at (N, 2) each, of which the first is accepted (N,) or not.

    What the two are apart is part of the doubt. Where the first fit failed, so may have the other, which is kept.
    """
    apart = np.nan_to_num(xy_m - other_m)
    result = covariance.copy()
    result[:, :2, :2] += _DISPUTED * apart[:, :, None] * apart[:, None] * accepted[:, None, None]
    result[~accepted] *= _CONTRADICTED
    return result


def unusually_tall(xy_m: np.ndarray, height_m: np.ndarray, plane: GroundPlane) -> np.ndarray:
    """(N, 3, 3) more doubt of people at (N, 2), along the ray, whose fitted heights (N,) are unusual: more likely their
    masks lack feet or end in something else, and a foot off by dh in height is off by dh * distance / camera height."""
    off = np.maximum(np.abs(np.nan_to_num(height_m, nan=_STATURE_M) - _STATURE_M) - _USUAL_M, 0) / plane.d
    result = np.zeros((len(xy_m), 3, 3))
    reach = off[:, None] * np.nan_to_num(xy_m)
    result[:, :2, :2] = reach[:, :, None] * reach[:, None]
    return result


def ground_floor(t: np.ndarray, camera: Camera, plane: GroundPlane) -> np.ndarray:
    """(N, 3, 3) of objects that stand at t (N, 3), camera frame, when the pixel under them is off by _FLOOR_PX.

    With A the pixel's derivatives (2, 2) by x and y, the covariance is _FLOOR_PX^2 (A^T A)^-1: along the ray it grows
    with distance^2 / height, across it with distance. No mask is more exact.
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
