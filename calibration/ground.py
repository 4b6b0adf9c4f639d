"""Sizes in metres of things that stand on the ground.

Image sizes are pixels, (across, up) pairs in that order; foot points are pixel centres.
"""

from __future__ import annotations

import numpy as np

from calibration.camera import Camera, GroundPlane, edge_to_pixel


def pixels_per_metre(camera: Camera, plane: GroundPlane, foot_px: np.ndarray) -> np.ndarray:
    """Pixels (..., 2) that one metre across the view and one metre up takes at ground pixels (..., 2).

    NaN at and above the horizon.
    """
    foot_px = np.asarray(foot_px, float)
    ground = plane.intersect(camera, foot_px)
    # Half a metre to both sides: the scale where the object stands, not that of its far end.
    right = 0.5 * plane.R_cam_world[:, 0]
    across = camera.project(ground + right) - camera.project(ground - right)
    up = camera.project(ground + plane.n) - camera.project(ground)
    return np.stack([np.linalg.norm(across, axis=-1), np.linalg.norm(up, axis=-1)], axis=-1)


def size_m(camera: Camera, plane: GroundPlane, box_xywh: tuple[float, ...]) -> tuple[float, float]:
    """Width and height in metres of an upright board that fills the box and stands on the ground at its bottom.

    NaN where the bottom is at or above the horizon.
    """
    x, y, w, h = box_xywh
    across, up = pixels_per_metre(camera, plane, edge_to_pixel(np.array([x + w / 2, y + h])))
    return w / across, h / up
