"""A street seen from 8 m, who walks and drives on it, and what they wear."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from calibration.camera import Camera, GroundPlane, pixel_to_edge
from pipeline.core.tables import FRAMES

CAMERA = Camera(np.array([[1000.0, 0, 639.5], [0, 1000.0, 359.5], [0, 0, 1]]), (720, 1280))
PLANE = GroundPlane.from_tilt(20.0, 0.0, 8.0)
RED, BLUE, GREEN = (40, 40, 200), (200, 60, 40), (60, 180, 60)  # BGR
START = datetime(2024, 5, 1, 9, 0, tzinfo=UTC)


def box_at(x_m: float, y_m: float, width_m: float, height_m: float) -> list[float]:
    """Box xywh of an upright board standing at a world point."""
    foot = PLANE.to_camera(np.array([x_m, y_m, 0.0]))
    top = CAMERA.project(foot + height_m * PLANE.n)
    x, y = pixel_to_edge(CAMERA.project(foot))
    half = 0.5 * width_m * 1000.0 / foot[2]
    return [x - half, y - (y - pixel_to_edge(top)[1]), 2 * half, y - pixel_to_edge(top)[1]]


def frames_of(count: int, fps: float = 5.0, sequence: list[int] | None = None) -> pa.Table:
    rows = [
        {
            "frame_id": k,
            "timestamp": START + timedelta(seconds=k / fps),
            "bucket": "09",
            "sequence": sequence[k] if sequence else 0,
            "source": f"{k:06d}.jpg",
            "position": -1,
            "width": 1280,
            "height": 720,
            "status": "ok",
        }
        for k in range(count)
    ]
    return pa.Table.from_pylist(rows, schema=FRAMES)


def car(x_m: float, y_m: float) -> list[float]:
    return box_at(x_m, y_m, 4.0, 1.5)


def person(x_m: float, y_m: float) -> list[float]:
    return box_at(x_m, y_m, 0.6, 1.75)


def board(upper: tuple, lower: tuple, size_hw: tuple[int, int] = (40, 16)) -> np.ndarray:
    """A person of two colours, uint8 (H, W, 3)."""
    image = np.zeros((*size_hw, 3), np.uint8)
    image[: size_hw[0] // 2], image[size_hw[0] // 2 :] = upper, lower
    return image
