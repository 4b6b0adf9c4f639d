"""Draw simulated cameras that nobody tuned on: each a manifest, a pure function of a seed and the camera's number.

Of six that follow each other three see the horizon, and every size of the frames, layout and density turns up.
"""

from __future__ import annotations

from typing import Any

import numpy as np

SIZES_WH = ((1280, 720), (640, 360), (1920, 1080), (960, 720), (1024, 576), (800, 600))
NEAR_LAYOUTS = ("crossroads", "junction")
# Vehicles and people a minute, from sparse to queueing.
DENSITIES = ((5, 10), (9, 20), (13, 32), (18, 20), (26, 14))
MIXES: tuple[dict[str, float], ...] = (
    {},
    {"hatchback": 0.3, "sedan": 0.2, "suv": 0.2, "van": 0.1, "bus": 0.15, "lorry": 0.05},
    {"hatchback": 0.2, "wagon": 0.1, "pickup": 0.1, "van": 0.25, "minibus": 0.1, "lorry": 0.25},
    {"city_car": 0.2, "hatchback": 0.2, "sedan": 0.2, "suv": 0.2, "wagon": 0.1, "mpv": 0.1},
)
# Summer days in London: high and low sun, an overcast noon, dusk; any of them may be after rain.
ILLUMINATIONS = (
    ("high", "12:40", (0.0, 0.2)),
    ("low", "18:40", (0.0, 0.2)),
    ("overcast", "11:10", (0.8, 1.0)),
    ("dusk", "21:15", (0.1, 0.5)),
)
_BURSTS, _BURST_S, _FPS = 7, 2.8, 5  # 98 frames of each of two illuminations
_RAIN = 0.3  # of the illuminations
_LENS = 0.4  # of the cameras have one that bends


def camera_id(seed: int, number: int) -> str:
    """Its name."""
    return f"drawn{seed}-{number}"


def draw_camera(seed: int, number: int) -> dict[str, Any]:
    """The manifest of the numbered camera of a seed, 0 and up."""
    rng = np.random.default_rng([seed, number, 0xCA3])
    width, height = SIZES_WH[(number + seed) % len(SIZES_WH)]
    vehicles, people = DENSITIES[(2 * number + seed) % len(DENSITIES)]
    return {
        "description": "A simulated camera that was drawn by chance",
        "source": {
            "kind": "simulated",
            "layout": NEAR_LAYOUTS[(number + number // 2) % len(NEAR_LAYOUTS)],
            "seed": int(rng.integers(1000, 1 << 20)),
            "date": "2024-06-11",
            "time_zone": "Europe/London",
            "size_wh": [width, height],
            "buckets": _buckets(rng),
            "bursts_per_bucket": _BURSTS,
            "burst_s": _BURST_S,
            "fps": _FPS,
            "vehicles_per_minute": vehicles,
            "people_per_minute": people,
            "vehicle_mix": MIXES[int(rng.integers(len(MIXES)))],
        },
        "calibration": _calibration(rng, (width, height), sees_horizon=number % 2 == 0),
    }


def _buckets(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Two illuminations, in the order of the day."""
    chosen = sorted(rng.choice(len(ILLUMINATIONS), 2, replace=False), key=lambda k: ILLUMINATIONS[k][1])
    buckets = []
    for name, start, cloud in (ILLUMINATIONS[k] for k in chosen):
        wet = round(float(rng.uniform(0.5, 1.0)), 2) if rng.random() < _RAIN else 0.0
        buckets.append({"name": name, "start": start, "cloud": round(float(rng.uniform(*cloud)), 2), "wet": wet})
    return buckets


def _calibration(rng: np.random.Generator, size_wh: tuple[int, int], *, sees_horizon: bool) -> dict[str, Any]:
    """A lens and a place from which the crossing, 20 to 40 m away, is in view; tilt and lens decide on the horizon."""
    width, height = size_wh
    focal_px = float(rng.uniform(0.75, 1.15)) * width
    half_view_deg = float(np.degrees(np.arctan(height / 2 / focal_px)))
    height_m = float(rng.uniform(4.0, 8.0) if sees_horizon else rng.uniform(7.0, 14.0))
    low, high = (0.45, 0.85) if sees_horizon else (1.1, 1.5)
    tilt_deg = half_view_deg * float(rng.uniform(low, high))
    lens = [round(float(rng.uniform(-0.15, -0.05)), 3), 0.02] if rng.random() < _LENS else []
    return {
        "focal_px": round(focal_px, 1),
        "tilt_deg": round(tilt_deg, 2),
        "roll_deg": round(float(rng.normal(scale=1.5)), 2),
        "height_m": round(height_m, 2),
        "distortion": lens,
    }
