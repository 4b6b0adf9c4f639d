"""A pinhole camera with lens distortion and the ground plane it looks at.

Camera frame: OpenCV's, x right, y down, z forward, metres. Pixels: an integer is a pixel's centre.
Ground plane: n . X + d = 0 with n a unit vector pointing up, so d is the camera's height.
World frame: the ground's own; origin on the ground under the camera, x right, y away from the camera along the
optical axis, z up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

# The lenses that OpenCV knows by their numbers of terms.
FISHEYE_TERMS = 4
LENS_TERMS = (FISHEYE_TERMS, 5, 8, 12, 14)
# OpenCV's iterative inversion of the lens: 40 steps reach 1e-9 px even at the corners of most barrels; where they do
# not, as near a lens's fold, Newton's method goes on from there.
_UNDISTORT = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-9)
_SETTLED_PX, _NEWTON_STEPS = 1e-6, 8
# A ray beyond 89.9 degrees from the optical axis has no z = 1: such pixels of a fisheye lens see no ground in front.
_WIDEST = 573.0


@dataclass(frozen=True)
class Camera:
    """K (3, 3) in pixels, size_hw the frame's (height, width), and the lens by its terms as OpenCV orders them.

    distortion: (5,) k1 k2 p1 p2 k3, (8,) with k4 k5 k6 of the rational model, (12,) with a thin prism's s1 to s4, (14,)
    with a tilted sensor's tx ty; or (4,) k1 to k4 of OpenCV's fisheye model, which is known by its four terms.
    """

    K: np.ndarray
    size_hw: tuple[int, int]
    distortion: np.ndarray = field(default_factory=lambda: np.zeros(5))

    def __post_init__(self) -> None:
        K, distortion = np.asarray(self.K, float), np.asarray(self.distortion, float)
        if K.shape != (3, 3) or K[0, 0] <= 0 or K[1, 1] <= 0:
            raise ValueError(f"camera K: expected (3, 3) with positive focals, got {K.tolist()}")
        if distortion.shape not in {(n,) for n in LENS_TERMS}:
            raise ValueError(
                f"camera distortion: expected 5, 8, 12 or 14 numbers from k1 k2 p1 p2 k3 on, or the 4 of a fisheye "
                f"lens, got {distortion.tolist()}"
            )
        object.__setattr__(self, "K", K)
        object.__setattr__(self, "distortion", distortion)

    @property
    def fisheye(self) -> bool:
        """Whether the lens is OpenCV's fisheye model."""
        return len(self.distortion) == FISHEYE_TERMS

    @cached_property
    def five_terms(self) -> np.ndarray:
        """(5,) k1 k2 p1 p2 k3, nearest to this lens over the picture, for what speaks no other lens.

        Least squares over the picture's pixels of the distance in the picture, in which the terms are linear.
        """
        if len(self.distortion) == 5:
            return self.distortion
        height, width = self.size_hw
        pixels = np.stack(np.meshgrid(np.linspace(0, width - 1, 33), np.linspace(0, height - 1, 25)), -1).reshape(-1, 2)
        bent = Camera(self.K, self.size_hw).undistort(pixels)
        straight = self.undistort(pixels)
        known = np.hypot(*straight.T) < 3  # 71 degrees: farther out no polynomial follows a fisheye
        (x, y), (u, v) = straight[known].T, (bent - straight)[known].T
        r2 = x * x + y * y
        across = np.stack([x * r2, x * r2**2, 2 * x * y, r2 + 2 * x * x, x * r2**3], axis=1)
        down = np.stack([y * r2, y * r2**2, r2 + 2 * y * y, 2 * x * y, y * r2**3], axis=1)
        return np.linalg.lstsq(np.concatenate([across, down]), np.concatenate([u, v]), rcond=None)[0]

    def project(self, points_cam: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) of camera-frame points (..., 3), lens included; NaN at and behind the camera."""
        points = np.asarray(points_cam, float)
        flat = points.reshape(-1, 3)
        pixels = np.full((len(flat), 2), np.nan)
        front = flat[:, 2] > 1e-6
        if front.any():
            zero, seen = np.zeros(3), np.ascontiguousarray(flat[front, None])
            through = cv2.fisheye.projectPoints if self.fisheye else cv2.projectPoints
            pixels[front] = through(seen, zero, zero, self.K, self.distortion)[0][:, 0]
        return pixels.reshape(*points.shape[:-1], 2)

    def undistort(self, pixels: np.ndarray) -> np.ndarray:
        """Normalised image coordinates (..., 2), x/z and y/z, of pixels (..., 2): the one place the lens is undone.

        NaN where a fisheye lens sees to the side or behind.
        """
        pixels = np.asarray(pixels, float)
        if not self.fisheye and not self.distortion.any():
            y = (pixels[..., 1] - self.K[1, 2]) / self.K[1, 1]
            x = (pixels[..., 0] - self.K[0, 2] - self.K[0, 1] * y) / self.K[0, 0]
            return np.stack([x, y], axis=-1)
        flat = np.ascontiguousarray(pixels.reshape(-1, 1, 2))
        if not len(flat):
            return np.zeros_like(pixels)
        if self.fisheye:
            normal = cv2.fisheye.undistortPoints(flat, self.K, self.distortion, criteria=_UNDISTORT)
            normal[np.abs(normal).max(axis=-1) > _WIDEST] = np.nan
        else:
            normal = cv2.undistortPointsIter(flat, self.K, self.distortion, np.eye(3), np.eye(3), _UNDISTORT)
            self._polish(normal[:, 0], flat[:, 0])
        return normal.reshape(pixels.shape)

    def _polish(self, normal: np.ndarray, pixels: np.ndarray) -> None:
        """Improve normalised coordinates (N, 2) in place until they project to pixels (N, 2), where they do not yet."""
        open_ = np.arange(len(normal))
        for _ in range(_NEWTON_STEPS):
            at = normal[open_]
            steps = np.array([[0.0, 0], [1e-6, 0], [0, 1e-6]])
            seen = self.project(np.concatenate([at + steps[:, None], np.ones((3, len(at), 1))], axis=2))
            off = pixels[open_] - seen[0]
            left = np.abs(off).max(axis=1) > _SETTLED_PX
            open_, off = open_[left], off[left]
            if not len(open_):
                return
            slope = np.moveaxis((seen[1:, left] - seen[0, left]) / 1e-6, 0, 2)  # (N, 2 pixels, 2 coordinates)
            flat = np.abs(np.linalg.det(slope)) < 1e-3
            slope[flat] = np.eye(2) * self.K[0, 0]
            normal[open_] += np.linalg.solve(slope, off[..., None])[..., 0]

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """Camera-frame directions (..., 3) with z = 1 through pixels (..., 2)."""
        normal = self.undistort(pixels)
        return np.concatenate([normal, np.ones((*normal.shape[:-1], 1))], axis=-1)

    def resized(self, scale: float) -> Camera:
        """The same camera with images scaled by a factor (pixel edges, not centres, are scaled)."""
        K = self.K.copy()
        K[:2] *= scale
        K[:2, 2] += 0.5 * scale - 0.5
        height, width = self.size_hw
        return Camera(K, (round(height * scale), round(width * scale)), self.distortion)


@dataclass(frozen=True)
class GroundPlane:
    """n (3,) unit, up, in the camera frame; d metres, the camera's height."""

    n: np.ndarray
    d: float

    def __post_init__(self) -> None:
        n = np.asarray(self.n, float)
        norm = float(np.linalg.norm(n))
        if n.shape != (3,) or not 0.99 < norm < 1.01:
            raise ValueError(f"ground plane: expected a unit normal (3,), got {n.tolist()} of length {norm:.3f}")
        if not self.d > 0:
            raise ValueError(f"ground plane: the camera must be above it, got height d = {self.d:.3f} m")
        object.__setattr__(self, "n", n / norm)
        object.__setattr__(self, "d", float(self.d) / norm)

    @staticmethod
    def from_tilt(tilt_deg: float, roll_deg: float, height_m: float) -> GroundPlane:
        """Camera looking tilt degrees below the horizon, height metres up.

        Roll is the camera's own, clockwise as seen from behind it, so the picture leans counter-clockwise.
        """
        tilt, roll = np.radians([tilt_deg, roll_deg])
        up = np.array([-np.sin(roll) * np.cos(tilt), -np.cos(roll) * np.cos(tilt), -np.sin(tilt)])
        return GroundPlane(up, height_m)

    def intersect(self, camera: Camera, pixels: np.ndarray) -> np.ndarray:
        """Ground points (..., 3) in the camera frame seen at pixels (..., 2); NaN at and above the horizon.

        z = -d / (n . K^-1 p): WALT3D section 3, after equation for z_b.
        """
        rays = camera.rays(pixels)
        slope = rays @ self.n
        # A ray that meets the ground beyond about 10 000 camera heights is the horizon for every purpose.
        depth = np.where(slope < -1e-4, -self.d / np.minimum(slope, -1e-4), np.nan)
        return rays * depth[..., None]

    @cached_property
    def R_cam_world(self) -> np.ndarray:
        """(3, 3) rotation of world directions into the camera frame."""
        forward = np.array([0.0, 0.0, 1.0]) - self.n[2] * self.n
        if np.linalg.norm(forward) < 1e-6:  # looking straight down: the image's top is "away"
            forward = np.array([0.0, -1.0, 0.0]) - (-self.n[1]) * self.n
        forward /= np.linalg.norm(forward)
        return np.column_stack([np.cross(forward, self.n), forward, self.n])

    @property
    def T_cam_world(self) -> np.ndarray:
        """(4, 4) mapping world points into the camera frame."""
        T = np.eye(4)
        T[:3, :3] = self.R_cam_world
        T[:3, 3] = -self.d * self.n
        return T

    def to_world(self, points_cam: np.ndarray) -> np.ndarray:
        """World points (..., 3) of camera-frame points (..., 3)."""
        return (np.asarray(points_cam, float) + self.d * self.n) @ self.R_cam_world

    def to_camera(self, points_world: np.ndarray) -> np.ndarray:
        """Camera-frame points (..., 3) of world points (..., 3)."""
        return np.asarray(points_world, float) @ self.R_cam_world.T - self.d * self.n

    def pose(self, xy_m: np.ndarray, yaw_rad: float) -> tuple[np.ndarray, np.ndarray]:
        """R (3, 3), t (3,) of an object standing at world xy, x axis turned by yaw from world x towards y."""
        cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
        R_world_obj = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
        return self.R_cam_world @ R_world_obj, self.to_camera(np.array([xy_m[0], xy_m[1], 0.0]))

    def yaw(self, R: np.ndarray) -> np.ndarray:
        """Yaw (...,) radians, in the world frame, of object rotations R (..., 3, 3)."""
        forward = np.asarray(R)[..., :, 0] @ self.R_cam_world
        return np.arctan2(forward[..., 1], forward[..., 0])


def pixel_to_edge(xy_px: np.ndarray) -> np.ndarray:
    """Pixel-centre coordinates as COCO edge coordinates, in which pixel i spans [i, i + 1)."""
    return np.asarray(xy_px, float) + 0.5


def edge_to_pixel(xy_edge: np.ndarray) -> np.ndarray:
    """COCO edge coordinates as pixel-centre coordinates."""
    return np.asarray(xy_edge, float) - 0.5
