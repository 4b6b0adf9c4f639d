"""A camera by K and its ground plane, by K and its pose in a world, or by focal length, tilt, roll and height.

Every function returns (Camera, GroundPlane). Lengths are metres unless `metres_per_unit` says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.camera import Camera, GroundPlane

POSES = ("world_to_camera", "camera_to_world")
AXES = ("opencv", "opengl")
# The world's direction that points up, by its name in a manifest.
UP = {
    f"{sign}{name}": (1 if sign == "" else -1) * np.eye(3)[i]
    for i, name in reversed(list(enumerate("xyz"))) for sign in ("", "-")
}  # fmt: skip
METRES_PER_UNIT = {"m": 1.0, "cm": 0.01, "mm": 0.001, "ft": 0.3048}
# OpenGL's camera looks along -z with y up, OpenCV's along z with y down.
_OPENCV_OPENGL = np.diag([1.0, -1.0, -1.0])


@dataclass(frozen=True)
class Convention:
    """What R and t say: pose, whose points X are mapped (`X_cam = R X_world + t`, or the other way round); axes, of the
    camera; up, the world's direction that points up, from the ground, which holds the world's origin."""

    pose: str = "world_to_camera"
    axes: str = "opencv"
    up: str = "z"
    metres_per_unit: float = 1.0


def from_plane(camera: Camera, ground_plane: np.ndarray, axes: str = "opencv") -> tuple[Camera, GroundPlane]:
    """n . X + d = 0 in the camera frame as (nx, ny, nz, d); n points up, d is the camera's height in metres.

    The same plane with all four signs turned is the same plane.
    """
    n, d = np.array(ground_plane[:3], float), float(ground_plane[3])
    if axes == "opengl":
        n = _OPENCV_OPENGL @ n
    return camera, GroundPlane(-n, -d) if d < 0 else GroundPlane(n, d)


def from_world(
    camera: Camera, R: np.ndarray, t: np.ndarray, convention: Convention | None = None
) -> tuple[Camera, GroundPlane]:
    """R (3, 3) and t (3,) between the camera and a world whose ground holds its origin.

    Raises ValueError where R is no rotation, or the camera is not above the ground.
    """
    R_cam_world, t_cam_world = to_opencv(R, t, convention or Convention())
    up = R_cam_world @ UP[(convention or Convention()).up]
    return camera, GroundPlane(up, float(-up @ t_cam_world))


def to_opencv(R: np.ndarray, t: np.ndarray, convention: Convention) -> tuple[np.ndarray, np.ndarray]:
    """R (3, 3) and t (3,) metres of X_cam = R X_world + t in OpenCV's camera frame, of a pose said in another way."""
    R, t = np.asarray(R, float), np.asarray(t, float) * convention.metres_per_unit
    check_rotation(R)
    if convention.pose == "camera_to_world":
        R, t = R.T, -R.T @ t
    if convention.axes == "opengl":
        R, t = _OPENCV_OPENGL @ R, _OPENCV_OPENGL @ t
    return R, t


def check_rotation(R: np.ndarray) -> None:
    """Raises ValueError that says how R differs from a rotation."""
    off = float(np.abs(R @ R.T - np.eye(3)).max())
    if off > 1e-3:
        raise ValueError(f"R: expected a rotation, with orthonormal rows; theirs are off by {off:.2g}")
    if np.linalg.det(R) < 0:
        raise ValueError(
            "R: expected a rotation, its determinant is -1: a left-handed (mirrored) world, as Unity and Unreal have; "
            "turn the sign of one of the world's axes, a column of R"
        )


def from_tilt(camera: Camera, tilt_deg: float, roll_deg: float, height_m: float) -> tuple[Camera, GroundPlane]:
    """What can be measured on site: degrees below the horizon, the camera's own roll, height."""
    return camera, GroundPlane.from_tilt(tilt_deg, roll_deg, height_m)


def camera_of_focal(
    focal_px: float,
    size_hw: tuple[int, int],
    distortion: np.ndarray | None = None,
    principal_point: tuple[float, float] | None = None,
) -> Camera:
    """Square pixels of one focal length; the principal point (x, y) is the image's centre where it is not given."""
    height, width = size_hw
    cx, cy = principal_point or ((width - 1) / 2, (height - 1) / 2)
    K = np.array([[focal_px, 0, cx], [0, focal_px, cy], [0, 0, 1]])
    return Camera(K, size_hw) if distortion is None else Camera(K, size_hw, distortion)
