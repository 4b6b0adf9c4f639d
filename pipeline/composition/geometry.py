"""Depth and normals of a composed scene: its objects' solids and the ground plane, the nearest of both.

Camera frame, metres along z. What of the background is not the ground is not known and counts as ground; above the
horizon there is nothing. As pictures: depth in centimetres as 16-bit PNG, 0 none; normals n * 127.5 + 127.5 as RGB
PNG, 0 0 0 none, which no unit vector gives.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from calibration.camera import Camera, GroundPlane
from pipeline.composition.meshes import Solid, extent, first_hits, pixel_grid

_CM, _FARTHEST_CM = 100.0, 65535


class SceneGeometry:
    """Renders the scenes of one camera, whose rays and ground are found once."""

    def __init__(self, camera: Camera, plane: GroundPlane) -> None:
        height, width = camera.size_hw
        pixels = pixel_grid(0, 0, width, height)
        self.camera = camera
        self.rays = camera.rays(pixels).astype(np.float32)  # (H, W, 3), z = 1
        # z = -d / (n . K^-1 p): WALT3D section 3.
        ground = np.nan_to_num(plane.intersect(camera, pixels)[..., 2])  # 0 where none
        self.ground_m = ground.astype(np.float32)  # (H, W)
        self.ground_normals = np.where(ground[..., None] > 0, plane.n, 0.0).astype(np.float32)  # (H, W, 3)

    def render(self, bodies: Sequence[Solid]) -> tuple[np.ndarray, np.ndarray]:
        """float32 depth (H, W) metres, 0 none, and normals (H, W, 3) unit, towards the camera, 0 none."""
        depth, normals = self.ground_m.copy(), self.ground_normals.copy()
        near = np.zeros(self.camera.size_hw, bool)
        for body in bodies:
            x0, y0, x1, y1 = extent(body, self.camera)
            near[y0:y1, x0:x1] = True
        if not near.any():
            return depth, normals
        hits = first_hits(bodies, self.rays[near])
        ground = depth[near]
        # Wheels touch the ground: of two surfaces at one place the object's is the one that is seen.
        first = (hits.depth_m > 0) & ((ground == 0) | (hits.depth_m <= ground))
        depth[near] = np.where(first, hits.depth_m, ground)
        normals[near] = np.where(first[:, None], hits.normals, normals[near])
        return depth, normals


def depth_png(depth_m: np.ndarray) -> bytes:
    """16-bit PNG of depths (H, W) metres in centimetres; 0 for none and for what is beyond 655.35 m."""
    centimetres = np.rint(depth_m * _CM)
    return _png(np.where(centimetres <= _FARTHEST_CM, centimetres, 0).astype(np.uint16))


def normals_png(normals: np.ndarray) -> bytes:
    """8-bit RGB PNG of unit normals (H, W, 3) in the camera frame; 0 0 0 for none."""
    rgb = np.rint(normals * 127.5 + 127.5).astype(np.uint8)
    rgb[cv2.inRange(normals, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)) > 0] = 0
    return _png(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))


def _png(picture: np.ndarray) -> bytes:
    # Level 3 is a third of the time of the default and a tenth larger.
    return cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()
