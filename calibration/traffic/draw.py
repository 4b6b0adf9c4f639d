"""Draw the evidence of a camera found from traffic: the ways of its main directions, on to where they vanish."""

from __future__ import annotations

import cv2
import numpy as np

from calibration.camera import Camera, GroundPlane
from calibration.draw import Pen
from calibration.traffic.fit import TrafficFit

_COLOURS = ((60, 200, 255), (255, 140, 200), (140, 255, 140), (255, 220, 80))
_SHOWN, _FAR_M = 25, 2000.0


def draw_directions(image: np.ndarray, fit: TrafficFit) -> np.ndarray:
    """A copy of a frame (H, W, 3) BGR uint8: ways of up to 25 tracks of each main direction, a colour each, thin on to
    the vanishing point, which has a ring where the picture shows it, and the horizon."""
    pen = Pen(image.copy(), fit.camera, fit.plane)
    pen.horizon()
    feet, there = fit.tracks.foot_px, fit.tracks.there
    for g, point in enumerate(fit.vanishing_px):
        colour = _COLOURS[g % len(_COLOURS)]
        for t in np.flatnonzero((fit.group == g) & (fit.weight > 0.3))[:_SHOWN]:
            _draw_way(pen, fit.camera, fit.plane, feet[t][there[t]], colour)
        if np.isfinite(point).all() and np.abs(point).max() < 4 * max(image.shape):
            cv2.circle(pen.image, tuple(map(int, np.round(point))), round(9 * pen.size), colour, 2, cv2.LINE_AA)
    return pen.image


def _draw_way(pen: Pen, camera: Camera, plane: GroundPlane, feet: np.ndarray, colour: tuple[int, int, int]) -> None:
    ground = plane.to_world(plane.intersect(camera, feet[[0, -1]]))
    way = ground[1] - ground[0]
    length = float(np.linalg.norm(way))
    if not length > 0.1:
        return
    pen.path(ground, colour, max(round(2 * pen.size), 1))
    towards = way / length * np.sign(way[1] or 1)  # the end that is away from the camera
    pen.path(np.stack([ground[0], ground[0] + towards * _FAR_M]), colour)
