"""Draw what a calibration claims over a picture of the empty street, so that a wrong one is seen at a glance.

On the ground a grid of metres with distances, the horizon, 1.75 m poles (people) and 4.5 x 1.8 x 1.5 m boxes (cars)
here and there: a pole should be as tall as a person there, a box as large as a car.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import cv2
import numpy as np

from calibration.camera import Camera, GroundPlane
from calibration.plausibility import roll_deg, tilt_deg

POLE_M = 1.75
CAR_LWH_M = (4.5, 1.8, 1.5)

_GRID, _AXIS, _HORIZON, _POLE, _CAR, _INK = (
    (225, 225, 225),
    (110, 200, 255),
    (255, 160, 60),
    (90, 230, 90),
    (60, 140, 255),
    (255, 255, 255),
)
_LEFT_OUT = (40, 40, 235)
_STEPS_M = (1, 2, 5, 10, 20, 50, 100)
_SHIFT = 4  # sub-pixel bits of OpenCV's drawing


def draw_calibration(image: np.ndarray, camera: Camera, plane: GroundPlane) -> np.ndarray:
    """A copy of the picture (H, W, 3) BGR uint8 with grid, horizon, poles, boxes and their distances drawn in."""
    pen = Pen(image.copy(), camera, plane)
    near, far = _visible_range(camera, plane)
    if not near < far:
        pen.caption([f"No ground in view: height {plane.d:.2f} m. Is the tilt's sign right?"])
        return pen.image
    step = _grid_step(camera, plane, near)
    pen.grid(near, far, step)
    pen.horizon()
    for number, (x, y) in enumerate(_spread_points(camera, plane, far)):
        if (number + number // 3) % 2:
            pen.car(x, y)
        else:
            pen.pole(x, y)
    tilt, roll = tilt_deg(plane), roll_deg(plane)
    pen.caption(
        [
            f"camera {plane.d:.2f} m above the ground, tilt {tilt:.1f}, roll {roll:.1f} degrees, "
            f"focal {camera.K[0, 0]:.0f} px, grid {step} m",
            f"green poles {POLE_M} m (a person), orange boxes {' x '.join(map(str, CAR_LWH_M))} m (a car)",
        ]
    )
    return pen.image


def _visible_range(camera: Camera, plane: GroundPlane) -> tuple[float, float]:
    """Nearest and farthest distance in metres worth drawing: from the picture's bottom to 6 px a metre or 150 m."""
    height, width = camera.size_hw
    column = np.stack([np.full(height, (width - 1) / 2), np.arange(height)], axis=1)
    away = plane.to_world(plane.intersect(camera, column))[:, 1]
    away = away[np.isfinite(away)]
    if not len(away):
        return 1.0, 0.0
    near = max(float(away.min()), 0.5)
    return near, min(float(away.max()), camera.K[0, 0] / 6, 150.0)


def _grid_step(camera: Camera, plane: GroundPlane, near: float) -> int:
    """Grid spacing in metres whose squares are at least 45 px deep a third of the way up the ground."""
    y = 2 * near
    for step in _STEPS_M:
        pixels = camera.project(plane.to_camera(np.array([[0.0, y, 0.0], [0.0, y + step, 0.0]])))
        if abs(pixels[1, 1] - pixels[0, 1]) >= 45:
            return step
    return _STEPS_M[-1]


def _spread_points(camera: Camera, plane: GroundPlane, far: float) -> Iterator[tuple[float, float]]:
    """Ground points (x, y) spread evenly over the part of the picture that shows ground nearer than far."""
    height, width = camera.size_hw
    top = camera.project(plane.to_camera(np.array([0.0, far, 0.0])))[1]
    for row, v in enumerate(np.linspace(max(top, 0) + 0.06 * height, 0.8 * height, 4)):
        for u in (np.array([0.1, 0.45, 0.8]) + 0.11 * (row % 2)) * width:
            x, y, _ = plane.to_world(plane.intersect(camera, np.array([u, v])))
            if np.isfinite(y):
                yield float(x), float(y)


def draw_points(
    image: np.ndarray, pixels: np.ndarray, seen: np.ndarray, used: np.ndarray, names: Sequence[str]
) -> None:
    """Draw control points into a picture: a ring where each was clicked (N, 2), a cross where the camera sees it, red
    where it was not used (N,)."""
    size = max(image.shape[1] / 1280, 0.5)
    for at, there, good, name in zip(pixels, seen, used, names, strict=True):
        colour = _POLE if good else _LEFT_OUT
        ring = tuple(map(int, np.round(at)))
        cv2.circle(image, ring, round(8 * size), colour, 2, cv2.LINE_AA)
        beside = (ring[0] + round(10 * size), ring[1])
        cv2.putText(image, name, beside, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * size, colour, 1, cv2.LINE_AA)
        if np.isfinite(there).all() and np.abs(there).max() < 1e5:
            cross = tuple(map(int, np.round(there)))
            cv2.drawMarker(image, cross, colour, cv2.MARKER_TILTED_CROSS, round(12 * size), 1, cv2.LINE_AA)
            cv2.line(image, ring, cross, colour, 1, cv2.LINE_AA)


class Pen:
    """Draws world points (x right, y away, z up, metres) with the camera's lens."""

    def __init__(self, image: np.ndarray, camera: Camera, plane: GroundPlane) -> None:
        self.image, self.camera, self.plane = np.ascontiguousarray(image), camera, plane
        self.size = max(image.shape[1] / 1280, 0.5)
        height, width = camera.size_hw
        rim = np.array([[x, y] for x in (0, width / 2, width) for y in (0, height / 2, height)])
        # Beyond the picture's corners a lens polynomial may turn over and fold far points back in.
        self.reach = 1.1 * float(np.nanmax(np.hypot(*camera.undistort(rim).T)))

    def path(self, points: np.ndarray, colour: tuple[int, int, int], width: int = 1) -> None:
        """A polyline through world points (N, 3), bent as the lens bends it, broken behind the camera."""
        fine = np.concatenate([np.linspace(a, b, 200) for a, b in pairwise(points)])
        cam = self.plane.to_camera(fine)
        near = (cam[:, 2] > 0.05) & (np.hypot(cam[:, 0], cam[:, 1]) < self.reach * np.maximum(cam[:, 2], 0.05))
        pixels = self.camera.project(cam)
        for run in np.split(np.arange(len(fine)), np.flatnonzero(~near)):
            run = run[near[run]]
            if len(run) > 1:
                fixed = np.round(pixels[run] * (1 << _SHIFT)).astype(np.int32)
                cv2.polylines(self.image, [fixed], False, colour, width, cv2.LINE_AA, _SHIFT)

    def grid(self, near: float, far: float, step: int) -> None:
        """Lines across and away, each line across with its distance."""
        reach = far * self.camera.size_hw[1] / self.camera.K[0, 0]
        side = int(np.ceil(reach / step)) * step
        rows = self._rows(near, far, step)
        before = self.image.copy()
        for y in rows:
            self.path(np.array([[-side, y, 0], [side, y, 0]]), _GRID)
        for x in np.arange(-side, side + 1, step):
            self.path(np.array([[x, near, 0], [x, far, 0]]), _AXIS if x == 0 else _GRID)
        cv2.addWeighted(self.image, 0.6, before, 0.4, 0, dst=self.image)
        last = np.inf
        for y in rows:
            pixel = self.camera.project(self.plane.to_camera(np.array([0.0, y, 0.0])))
            if last - pixel[1] > 22 * self.size:  # labels need their room
                self.text(f"{y:.0f} m", pixel + np.array([6, -4]))
                last = pixel[1]

    def _rows(self, near: float, far: float, step: int) -> np.ndarray:
        """Distances of the lines across: where they would run together, every second, fifth, tenth of them."""
        rows = np.arange(np.ceil(near / step), np.floor(far / step) + 1) * step
        v = self.camera.project(self.plane.to_camera(np.stack([0 * rows, rows, 0 * rows], axis=1)))[:, 1]
        gap = np.abs(np.gradient(v)) if len(v) > 1 else np.full(len(v), 99.0)
        every = np.select([gap > 14, gap > 7, gap > 3], [1, 2, 5], 10)
        return rows[np.round(rows / step) % every == 0]

    def horizon(self) -> None:
        """Where the ground's far end would be, if the picture reaches so high."""
        far = 1e5
        x = np.linspace(-2, 2, 60) * far
        self.path(np.stack([x, np.full_like(x, far), np.full_like(x, self.plane.d)], axis=1), _HORIZON, 2)
        middle = self.camera.project(self.plane.to_camera(np.array([0, far, self.plane.d])))
        if 0 < middle[1] < self.camera.size_hw[0]:
            self.text("horizon", np.array([12, middle[1] - 8]), _HORIZON)

    def pole(self, x: float, y: float) -> None:
        """A person's height, with a foot."""
        self.path(np.array([[x, y, 0], [x, y, POLE_M]]), _POLE, max(round(3 * self.size), 2))
        turn = np.linspace(0, 2 * np.pi, 13)
        self.path(np.stack([x + 0.25 * np.cos(turn), y + 0.25 * np.sin(turn), 0 * turn], axis=1), _POLE)
        self._label(x, y, POLE_M, _POLE)

    def car(self, x: float, y: float) -> None:
        """A car heading away."""
        length, width, height = CAR_LWH_M
        corner = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]) / 2 * [width, length] + [x, y]
        for z in (0.0, height):
            self.path(np.column_stack([corner, np.full(5, z)]), _CAR, max(round(2 * self.size), 1))
        for cx, cy in corner[:4]:
            self.path(np.array([[cx, cy, 0], [cx, cy, height]]), _CAR, max(round(2 * self.size), 1))
        self._label(x, y, height, _CAR)

    def _label(self, x: float, y: float, z: float, colour: tuple[int, int, int]) -> None:
        top = self.camera.project(self.plane.to_camera(np.array([x, y, z])))
        if np.all(np.isfinite(top)):
            self.text(f"{np.hypot(x, y):.0f} m", top - np.array([14, 7]) * self.size, colour)

    def text(self, text: str, at: np.ndarray, colour: tuple[int, int, int] = _INK) -> None:
        """Small letters with a dark rim, inside the picture only."""
        height, width = self.camera.size_hw
        if not (0 <= at[0] < width and 0 <= at[1] < height):
            return
        corner, scale = (round(float(at[0])), round(float(at[1]))), max(0.5 * self.size, 0.36)
        for tone, thick in (((0, 0, 0), 3), (colour, 1)):
            cv2.putText(self.image, text, corner, cv2.FONT_HERSHEY_SIMPLEX, scale, tone, thick, cv2.LINE_AA)

    def caption(self, lines: list[str]) -> None:
        """Lines at the foot of the picture, on a darkened strip."""
        row = round(max(22 * self.size, 16))
        strip = self.image[-row * len(lines) - row // 2 :]
        strip[:] = (strip * 0.35).astype(np.uint8)
        for number, line in enumerate(reversed(lines)):
            self.text(line, np.array([10, self.image.shape[0] - row // 2 - number * row]))
