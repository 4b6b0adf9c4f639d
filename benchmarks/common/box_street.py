"""A street of boxes: cars and people drive and walk past a camera one after another and in front of each other.

Half a minute of small video that goes through the whole job in half a minute: for what is tried many times.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import cv2
import numpy as np

from calibration.camera import Camera, GroundPlane

SIZE_HW = (360, 480)
CALIBRATION = {"focal_px": 520, "tilt_deg": 22, "roll_deg": 0, "height_m": 6}
CAMERA = Camera(np.array([[520, 0, 239.5], [0, 520, 179.5], [0, 0, 1]]), SIZE_HW)
PLANE = GroundPlane.from_tilt(22, 0, 6)
CAR, PERSON = (4.2, 1.8, 1.5), (0.35, 0.3, 1.7)

# (size, distance of the lane, speed along x in m/s, second at which it is in the middle, colour)
TRAFFIC = [
    (CAR, 10.0, 4.0, 4.0, (40, 40, 200)),
    (CAR, 15.0, -4.0, 7.0, (200, 90, 40)),
    (CAR, 10.0, 4.0, 12.0, (30, 160, 160)),
    (PERSON, 12.5, 1.3, 9.0, (160, 40, 160)),
    (CAR, 15.0, -4.0, 16.0, (220, 220, 220)),
    (PERSON, 18.0, -1.3, 20.0, (40, 200, 40)),
    (CAR, 10.0, 4.0, 21.0, (90, 30, 30)),
    (PERSON, 21.0, 1.5, 5.0, (20, 120, 250)),
    (PERSON, 24.0, -1.5, 13.0, (250, 60, 60)),
]


def write_street(
    path: Path, fps: int = 5, seconds: int = 26, plane: GroundPlane = PLANE, flying: Sequence[tuple] = ()
) -> int:
    """A motion-JPEG AVI of the street over a plane; number of frames. flying: (radius, x, y, speed along x), pixels."""
    rng = np.random.default_rng(1)
    ground = cv2.GaussianBlur(rng.normal(120, 40, (*SIZE_HW, 3)), (0, 0), 2) + rng.normal(0, 8, (*SIZE_HW, 3))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, SIZE_HW[::-1])
    writer.set(cv2.VIDEOWRITER_PROP_QUALITY, 97)
    for number in range(fps * seconds):
        frame = ground + rng.normal(0, 2, (*SIZE_HW, 3))
        for thing in sorted(TRAFFIC, key=lambda thing: -thing[1]):
            _paint(frame, thing, number / fps, plane)
        for radius, x, y, speed in flying:
            at = (round(x + speed * number / fps), y)
            cv2.circle(frame, at, radius, (250, 250, 250), cv2.FILLED)
        writer.write(frame.clip(0, 255).astype(np.uint8))
    writer.release()
    return fps * seconds


def _paint(frame: np.ndarray, thing: tuple, now: float, plane: GroundPlane) -> None:
    (length, width, height), y, speed, middle, colour = thing
    x = speed * (now - middle)
    corners = np.array(
        [[x + a * length / 2, y + b * width / 2, c * height] for a, b, c in product((-1, 1), (-1, 1), (0, 1))]
    )
    pixels = CAMERA.project(plane.to_camera(corners))
    hull = cv2.convexHull(np.round(pixels).astype(np.int32))
    cv2.fillConvexPoly(frame, hull, tuple(map(float, colour)))
