"""Cards and boxes that move over a plane, with poles in front: what is hidden is known exactly."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import cv2
import numpy as np
import pyarrow as pa

from calibration.camera import Camera, GroundPlane
from pipeline.core import masks
from pipeline.core.tables import TRACKS, to_table

HW = (360, 640)
CAMERA = Camera(np.array([[540.0, 0, 319.5], [0, 540.0, 179.5], [0, 0, 1]]), HW)
PLANE = GroundPlane.from_tilt(20, 0, 8.5)
FPS = 5
CAR, MAN, BUS = (4.3, 1.8, 1.5), (0.3, 0.3, 1.7), (11.0, 2.5, 3.1)


@dataclass(frozen=True)
class Mover:
    """A block of size lwh_m that starts at xy and moves by velocity (m, m/s) in world metres."""

    lwh_m: tuple[float, float, float]
    xy: tuple[float, float]
    velocity: tuple[float, float]
    track_id: int

    def at(self, seconds: float) -> np.ndarray:
        return np.array(self.xy) + seconds * np.array(self.velocity)

    def silhouette(self, seconds: float) -> np.ndarray:
        length, width, height = self.lwh_m
        yaw = np.arctan2(self.velocity[1], self.velocity[0])
        corners = np.array(
            [[a * length, b * width, c * 2 * height] for a in (-0.5, 0.5) for b in (-0.5, 0.5) for c in (0, 0.5)]
        )
        turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
        pixels = CAMERA.project(PLANE.to_camera(corners @ turn.T + [*self.at(seconds), 0]))
        image = np.zeros(HW, np.uint8)
        cv2.fillConvexPoly(image, cv2.convexHull(np.round(pixels).astype(np.int32)), 1)
        return image.astype(bool)


@dataclass(frozen=True)
class Pole:
    """Pixels box xywh that hide all that stands farther than range_m."""

    box: tuple[int, int, int, int]
    range_m: float


def watch(movers: list[Mover], poles: list[Pole], frames: int, *, blobs: bool = False) -> tuple[pa.Table, np.ndarray]:
    """TRACKS of what is seen, and the visible fraction of each row. blobs: touching masks become one detection."""
    rows, visible = [], []
    for frame in range(frames):
        seconds = frame / FPS
        taken = np.zeros(HW, bool)
        seen: list[tuple[Mover, np.ndarray, float]] = []
        for mover in sorted(movers, key=lambda m: float(np.hypot(*m.at(seconds)))):
            whole = mover.silhouette(seconds)
            free = ~taken
            for x, y, w, h in (p.box for p in poles if p.range_m < np.hypot(*mover.at(seconds))):
                free[y : y + h, x : x + w] = False
            if whole.any() and (whole & free).sum() > 30:
                seen.append((mover, whole & free, (whole & free).sum() / whole.sum()))
            taken |= whole
        for mover, mask, fraction in _merge(seen) if blobs else seen:
            rows.append(row_of(frame, len(rows) % 1000, mover, mask))
            visible.append(fraction)
    return to_table(rows, TRACKS), np.array(visible)


def _merge(seen: list[tuple[Mover, np.ndarray, float]]) -> list[tuple[Mover, np.ndarray, float]]:
    merged: list[tuple[Mover, np.ndarray, float]] = []
    for mover, mask, fraction in seen:
        near = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        touching = [k for k, other in enumerate(merged) if (other[1] & near).any()]
        if touching:
            first = merged[touching[0]]
            merged[touching[0]] = (first[0], first[1] | mask, 0.0)
        else:
            merged.append((mover, mask, fraction))
    return merged


def row_of(frame: int, number: int, mover: Mover, mask: np.ndarray) -> dict:
    ys, xs = np.nonzero(mask)
    x, y, right, bottom = int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
    foot = PLANE.to_world(PLANE.intersect(CAMERA, np.array([(x + right) / 2 - 0.5, bottom - 0.5])))[:2]
    return {
        "detection_id": frame * 10000 + number,
        "frame_id": frame,
        "category": "person" if mover.lwh_m == MAN else "vehicle",
        "subcategory": None,
        "score": 0.9,
        "bbox_xywh": [x, y, right - x, bottom - y],
        "mask_rle": masks.encode(mask[y:bottom, x:right], (x, y), HW),
        "timestamp": dt.datetime(2025, 5, 14, 8, 30, tzinfo=dt.UTC) + dt.timedelta(seconds=frame / FPS),
        "bucket": "morning",
        "sequence": 0,
        "track_id": mover.track_id,
        "foot_xy_m": foot.tolist(),
        "velocity_xy_mps": list(map(float, mover.velocity)),
    }


def cars(n: int, y: float = 22.0, speed: float = 6.0, size: tuple[float, float, float] = CAR) -> list[Mover]:
    """n of a kind behind each other on a lane across the view."""
    return [Mover(size, (-16.0 - 14 * k * np.sign(speed), y), (speed, 0.0), k) for k in range(n)]
