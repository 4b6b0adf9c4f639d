"""A camera by the vanishing points of two perpendicular directions of the road, and one length on it.

Vanishing points are pixels of an ideal lens: two lines that are straight and parallel on the road meet there.
"""

from __future__ import annotations

import numpy as np

from calibration.camera import Camera, GroundPlane
from calibration.forms.poses import camera_of_focal


def from_vanishing_points(
    points_px: np.ndarray, size_hw: tuple[int, int], *, height_m: float | None = None,
    ends_px: np.ndarray | None = None, distance_m: float | None = None,
    principal_point: tuple[float, float] | None = None,
) -> tuple[Camera, GroundPlane]:  # fmt: skip
    """points_px (2, 2), and either the camera's height or a distance between two ground pixels ends_px (2, 2).

    Rays to perpendicular directions are perpendicular: (v1 - c) . (v2 - c) + focal^2 = 0. Raises ValueError where no
    focal length makes them so, and where an end of the distance is not on the ground.
    """
    height, width = size_hw
    v1, v2 = np.asarray(points_px, float)
    c = np.array(principal_point or ((width - 1) / 2, (height - 1) / 2))
    square = -float((v1 - c) @ (v2 - c))
    if not square > 0:
        raise ValueError(
            f"vanishing_points: {v1.tolist()} and {v2.tolist()} cannot belong to perpendicular directions: seen from "
            f"the principal point {c.tolist()} they must lie more than 90 degrees apart"
        )
    camera = camera_of_focal(float(np.sqrt(square)), size_hw, None, principal_point)
    n = np.cross(*camera.rays(np.stack([v1, v2])))
    length = np.linalg.norm(n)
    if length < 1e-9:
        raise ValueError("vanishing_points: the two are one point; expected those of perpendicular directions")
    n *= -np.sign(n[1] or n[2]) / length
    if height_m is not None:
        return camera, GroundPlane(n, height_m)
    ground = GroundPlane(n, 1.0).intersect(camera, np.asarray(ends_px, float))
    apart = float(np.linalg.norm(ground[1] - ground[0]))
    if not apart > 1e-9:
        raise ValueError(
            f"distance: expected two pixels on the ground, below the vanishing line, got {np.asarray(ends_px).tolist()}"
        )
    return camera, GroundPlane(n, float(distance_m or 0) / apart)
