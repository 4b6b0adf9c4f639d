"""The boxes that people and cars of given sizes fill in the picture, each shaped as a few points of its outline.

World frame of the ground plane, metres; yaw counter-clockwise from world x. Boxes are xywh in COCO's edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from calibration.camera import Camera, GroundPlane, edge_to_pixel, pixel_to_edge

PERSON, CAR = 0, 1
_ALIGNED = 4  # steps until the outline's box stands on the same bottom: each leaves about a tenth of the way


@dataclass(frozen=True)
class Boxes:
    """B boxes: xywh (B, 4), kind (B,) PERSON or CAR, their pixel bottoms (B, 2)."""

    xywh: np.ndarray
    kind: np.ndarray

    @property
    def bottom_px(self) -> np.ndarray:
        """(B, 2) pixel centres of the middles of the bottom edges."""
        return edge_to_pixel(self.xywh[:, :2] + self.xywh[:, 2:] * [0.5, 1.0])


def _car() -> np.ndarray:
    """(M, 3) fractions of length, width without mirrors and height, x forward, y left.

    Of a passenger car: tyres under its flanks, bumpers that are round at the corners, a roof a third narrower and half
    as long as the body, mirrors that reach 0.1 m beyond it.
    """
    half = [
        (0.29, 0.47, 0.0), (-0.29, 0.47, 0.0),
        (0.5, 0.24, 0.22), (0.5, 0.24, 0.42), (0.46, 0.40, 0.22), (0.46, 0.40, 0.45), (0.40, 0.47, 0.40),
        (-0.5, 0.28, 0.28), (-0.5, 0.28, 0.55), (-0.46, 0.42, 0.28), (-0.46, 0.42, 0.58), (-0.40, 0.48, 0.45),
        (0.30, 0.5, 0.35), (-0.28, 0.5, 0.40), (0.18, 0.56, 0.66),
        (0.06, 0.30, 0.96), (-0.08, 0.30, 1.0), (-0.22, 0.30, 0.99), (-0.36, 0.28, 0.93), (-0.47, 0.36, 0.66),
    ]  # fmt: skip
    return np.array([(x, side * y, z) for (x, y, z), side in product(half, (1, -1))])


def _person(count: int) -> np.ndarray:
    """(M, 3) fractions of the stature: shoes half a stride apart about the ground point, shoulders, and a head."""
    turn = np.arange(8) * np.pi / 4
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    rings = [(0.085, 0.0), (0.13, 0.8), (0.055, 0.95)]
    points = [np.column_stack([radius * ring, np.full(8, up)]) for radius, up in rings]
    all_ = np.concatenate([*points, [[0.0, 0.0, 1.0]]])
    return np.concatenate([all_, np.repeat(all_[-1:], count - len(all_), axis=0)])


_OF_CAR = _car()
OUTLINES = np.stack([_person(len(_OF_CAR)), _OF_CAR])  # (2, M, 3) by kind


def placed(
    camera: Camera, plane: GroundPlane, boxes: Boxes, yaw: np.ndarray, lwh: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Ground points (B, 2) under the middles of outlines of sizes lwh (B, 3) that stand on the boxes' bottoms, heading
    yaw (B,), and the widths and heights (B, 2) in pixels that they fill; NaN above the horizon."""
    outline = _turned(boxes.kind, yaw, lwh)
    bottom = plane.to_world(plane.intersect(camera, boxes.bottom_px))[:, :2]
    centre = bottom.copy()
    for step in range(_ALIGNED):
        left, top, right, low = _extent(camera, plane, outline, centre)
        if step < _ALIGNED - 1:
            stands = np.column_stack([(left + right) / 2, low])
            centre = centre + bottom - plane.to_world(plane.intersect(camera, stands))[:, :2]
    return centre, np.column_stack([right - left, low - top])


def boxes_of(
    camera: Camera, plane: GroundPlane, kind: np.ndarray, centre: np.ndarray, yaw: np.ndarray, lwh: np.ndarray
) -> np.ndarray:
    """(B, 4) xywh that outlines at ground points (B, 2) fill; NaN where one reaches behind the camera."""
    left, top, right, low = _extent(camera, plane, _turned(kind, yaw, lwh), centre)
    return np.column_stack([*pixel_to_edge(np.stack([left, top])), right - left, low - top])


def _turned(kind: np.ndarray, yaw: np.ndarray, lwh: np.ndarray) -> np.ndarray:
    """(3, M, B) metres about the ground points: a box is a column."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    x, y, z = np.moveaxis(OUTLINES[kind] * lwh[:, None], (0, 2), (2, 0))
    return np.stack([cos * x - sin * y, sin * x + cos * y, z])


def _extent(
    camera: Camera, plane: GroundPlane, outline: np.ndarray, centre: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Left, top, right and bottom (B,) of outlines (3, M, B) at ground points (B, 2), pixels."""
    u, v = _seen(camera, plane, outline + np.column_stack([centre, np.zeros(len(centre))]).T[:, None])
    return u.min(axis=0), v.min(axis=0), u.max(axis=0), v.max(axis=0)


def _seen(camera: Camera, plane: GroundPlane, world: np.ndarray) -> np.ndarray:
    """Pixels (2, ...) of world points (3, ...); NaN behind the camera."""
    T, k1 = plane.T_cam_world, camera.distortion[0]
    if camera.fisheye or camera.distortion[1:].any() or camera.K[0, 1]:
        return np.moveaxis(camera.project(np.moveaxis(world, 0, -1) @ T[:3, :3].T + T[:3, 3]), -1, 0)
    # What a fit spends its time on: written out, it takes a fifth of the time of the general lens.
    x, y, z = np.tensordot(T[:3, :3], world, 1) + T[:3, 3, None, None]
    z = np.where(z > 1e-6, z, np.nan)
    x, y = x / z, y / z
    bent = 1 + k1 * (x * x + y * y) if k1 else 1.0
    return np.stack([camera.K[0, 0] * x * bent + camera.K[0, 2], camera.K[1, 1] * y * bent + camera.K[1, 2]])
