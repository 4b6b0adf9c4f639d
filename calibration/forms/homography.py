"""A camera by the homography between its pixels and the ground, where its pixels are square.

The homography maps pixels to the ground's own coordinates, metres of any two perpendicular axes, or the other way.
"""

from __future__ import annotations

import numpy as np

from calibration.camera import Camera, GroundPlane
from calibration.forms.poses import camera_of_focal

# Of a true camera the two ground axes come out equally long and perpendicular; more than this is another camera.
_MOST_SKEWED = 0.2


def from_homography(
    pixels_to_ground: np.ndarray, size_hw: tuple[int, int], camera: Camera | None = None,
    principal_point: tuple[float, float] | None = None,
) -> tuple[Camera, GroundPlane]:  # fmt: skip
    """pixels_to_ground (3, 3), metres; camera: where it is known, else square pixels without lens distortion.

    With G the inverse, G = K [r1 r2 t] up to scale: of perpendicular axes of one length follow two equations for
    1 / focal^2 (Zhang 2000, section 3.1), solved together by least squares so that turning the ground changes nothing.
    Raises ValueError where no camera with square pixels sees the ground so.
    """
    G = inverted(pixels_to_ground)
    if camera is None:
        height, width = size_hw
        centre = principal_point or ((width - 1) / 2, (height - 1) / 2)
        camera = camera_of_focal(_focal(G, centre, width), size_hw, None, principal_point)
    return camera, _plane(np.linalg.solve(camera.K, G), camera)


def inverted(homography: np.ndarray) -> np.ndarray:
    """The inverse (3, 3), its largest entry 1. Raises ValueError where there is none."""
    H = np.asarray(homography, float)
    H = H / (np.abs(H).max() or 1)
    if abs(np.linalg.det(H)) < 1e-15:
        raise ValueError("homography: expected one that can be inverted, its determinant is 0")
    inverse = np.linalg.inv(H)
    return inverse / np.abs(inverse).max()


def _focal(G: np.ndarray, centre: tuple[float, float], width: int) -> float:
    """Focal length in pixels of ground-to-pixel G (3, 3) with square pixels about a principal point (x, y)."""
    a, b, c = np.array([[1, 0, -centre[0]], [0, 1, -centre[1]], [0, 0, 1]]) @ G
    left = np.array([2 * (a[0] * a[1] + b[0] * b[1]), a[0] ** 2 + b[0] ** 2 - a[1] ** 2 - b[1] ** 2])
    right = -np.array([2 * c[0] * c[1], c[0] ** 2 - c[1] ** 2])
    # Where the camera looks straight down both sides vanish, and any focal length will do.
    if np.hypot(*right) * width**2 < 1e-6 * (a[:2] ** 2 + b[:2] ** 2).sum():
        raise ValueError(
            "homography: it tells no focal length, the camera looks straight down; give focal_px or K beside it"
        )
    inverse_square = (left @ right) / (left @ left) if left.any() else 0.0
    if not inverse_square > 0:
        raise ValueError(
            "homography: no camera with square pixels sees the ground so; is it the right way round (`maps`), with "
            "the principal point near the picture's centre?"
        )
    return float(inverse_square**-0.5)


def _plane(B: np.ndarray, camera: Camera) -> GroundPlane:
    """The ground plane of B (3, 3) = K^-1 G, a multiple of [r1 r2 t]."""
    first, second = np.linalg.norm(B[:, 0]), np.linalg.norm(B[:, 1])
    skewed = max(abs(np.log(first / second)), abs(B[:, 0] @ B[:, 1]) / (first * second))
    if skewed > _MOST_SKEWED:
        raise ValueError(
            f"homography: the ground's axes come out {first / second:.2f} to 1 and not perpendicular with focal length "
            f"{camera.K[0, 0]:.0f} px; is it of pictures of another size (image_size_wh), or are its axes not in the "
            "same unit?"
        )
    n, t = np.cross(B[:, 0], B[:, 1]), B[:, 2] / np.sqrt(first * second)
    n /= np.linalg.norm(n)
    # The lower edge's middle sees the ground, so n is the side on which the camera is.
    height, width = camera.size_hw
    if camera.rays(np.array([(width - 1) / 2, height - 1.0])) @ n > 0:
        n = -n
    return GroundPlane(n, abs(float(n @ t)))
