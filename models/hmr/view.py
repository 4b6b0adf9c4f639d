"""Turn between a camera and the crop's own camera, whose axis goes through the middle of the crop.

In a wide picture a person at the rim is seen from another side than one in the middle who stands the same way. What a
crop shows is therefore the orientation in its own camera; both cameras share their centre.
"""

from __future__ import annotations

import numpy as np


def crop_from_camera(rays: np.ndarray) -> np.ndarray:
    """(N, 3, 3) the least rotations that turn rays (N, 3) of positive depth onto the z axis."""
    x, y, z = (rays / np.linalg.norm(rays, axis=1, keepdims=True)).T
    share = 1 / (1 + z)
    rows = [1 - x * x * share, -x * y * share, -x, -x * y * share, 1 - y * y * share, -y, x, y, z]
    return np.stack(rows, axis=1).reshape(-1, 3, 3)
