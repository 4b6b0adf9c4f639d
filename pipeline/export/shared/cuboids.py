"""Objects as boxes in space: their corners, and the frames and axes that formats of 3D boxes have.

The box's own frame, of KITTI and of Omni3D alike: x forward, y down, z to the left, so that it is this project's
object frame (x forward, y left, z up) turned a quarter about x. Metres; camera frame as
everywhere, x right, y down, z forward.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration.camera import GroundPlane

# X_obj = _OBJ_BOX X_box
_OBJ_BOX = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
# Omni3D's order of the corners: x by length, y by height, z by width.
_SIGNS = np.array([
    [-1, -1, -1], [1, -1, -1], [1, 1, -1], [-1, 1, -1], [-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1],
])  # fmt: skip


@dataclass(frozen=True)
class Cuboid:
    """R_cam_box (3, 3); centre_m (3,) of the box, camera frame; dims_lwh_m (3,)."""

    R_cam_box: np.ndarray
    centre_m: np.ndarray
    dims_lwh_m: np.ndarray

    @property
    def corners_m(self) -> np.ndarray:
        """(8, 3) in the camera frame, in Omni3D's order."""
        length, width, height = self.dims_lwh_m
        return _SIGNS * [length / 2, height / 2, width / 2] @ self.R_cam_box.T + self.centre_m

    @property
    def bottom_m(self) -> np.ndarray:
        """(3,) under the centre, where the object stands."""
        return self.centre_m + self.R_cam_box @ [0, self.dims_lwh_m[2] / 2, 0]

    @property
    def forward(self) -> np.ndarray:
        """(3,) unit, the way it faces."""
        return self.R_cam_box[:, 0]


def cuboid_of(row: Mapping[str, Any]) -> Cuboid | None:
    """The box of a row with R, t and dims_lwh_m; None where its place or size is not known."""
    if any(row[name] is None for name in ("R", "t", "dims_lwh_m")):
        return None
    R, t, dims = np.reshape(row["R"], (3, 3)), np.array(row["t"]), np.array(row["dims_lwh_m"])
    if not all(np.isfinite(value).all() for value in (R, t, dims)):
        return None
    return Cuboid(R @ _OBJ_BOX, t + R @ [0, 0, dims[2] / 2], dims)


def row_of(cuboid: Cuboid) -> dict[str, list[float]]:
    """R, t and dims_lwh_m of a box: the inverse of `cuboid_of`."""
    R = cuboid.R_cam_box @ _OBJ_BOX.T
    return {"R": R.ravel().tolist(), "t": cuboid.bottom_m.tolist(), "dims_lwh_m": list(map(float, cuboid.dims_lwh_m))}


def levelled(plane: GroundPlane) -> np.ndarray:
    """R_level_cam (3, 3), from the camera frame to that of a camera at the same place that looks at the horizon: y is
    down as gravity has it, z the way the camera looks, along the ground."""
    right, forward, up = plane.R_cam_world.T
    return np.stack([right, -up, forward])


def heading_rad(forward: np.ndarray) -> float:
    """KITTI's rotation_y of a direction (3,), in [-pi, pi]: the turn about y, which is down, that takes +x there."""
    return float(np.arctan2(-forward[2], forward[0]))


def observed_rad(heading: float, place_m: np.ndarray) -> float:
    """KITTI's alpha, in [-pi, pi): the heading as seen along the ray to a place (3,)."""
    return float((heading - np.arctan2(place_m[0], place_m[2]) + np.pi) % (2 * np.pi) - np.pi)
