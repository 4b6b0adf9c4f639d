"""Illumination over the simulated day: where the sun stands, what sun and sky give, when lamps are on.

World frame: x right, y away, z up; directions point towards the light. Radiance is linear RGB, about 1 for a white
surface in full sun.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np


@dataclass(frozen=True)
class Illumination:
    """sun_dir (3,) unit; sun, sky, bounce (3,) radiance; lamps: street lamps are lit; wet: the ground, 0 dry to 1 under
    a film of water."""

    sun_dir: np.ndarray
    sun: np.ndarray
    sky: np.ndarray
    bounce: np.ndarray
    exposure: float
    white: np.ndarray
    lamps: bool
    noise: float
    wet: float = 0.0

    def ambient(self, normals: np.ndarray) -> np.ndarray:
        """(N, 3) light from sky above and ground below at unit normals (N, 3)."""
        up = 0.5 + 0.5 * normals[:, 2:3]
        return up * self.sky + (1 - up) * self.bounce


def sun_direction(moment: datetime, latitude_deg: float, north_deg: float) -> np.ndarray:
    """(3,) unit vector to the sun; north_deg is the bearing of world y, clockwise from north.

    Spencer's declination and the hour angle from local solar time, taken as the clock's.
    """
    day = moment.timetuple().tm_yday
    hour = moment.hour + moment.minute / 60 + moment.second / 3600
    declination = np.radians(23.44) * np.sin(2 * np.pi * (day - 81) / 365.25)
    latitude, angle = np.radians(latitude_deg), np.radians(15 * (hour - 13))  # summer time: noon at one
    up = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(angle)
    east = -np.cos(declination) * np.sin(angle)
    north = np.cos(latitude) * np.sin(declination) - np.sin(latitude) * np.cos(declination) * np.cos(angle)
    turn = np.radians(north_deg)
    return np.array([east * np.cos(turn) - north * np.sin(turn), east * np.sin(turn) + north * np.cos(turn), up])


def illumination_at(moment: datetime, latitude_deg: float, north_deg: float, cloud: float) -> Illumination:
    """Sun and sky of a moment; cloud 0 clear to 1 overcast dims the sun and whitens the sky."""
    direction = sun_direction(moment, latitude_deg, north_deg)
    height = float(direction[2])
    day = float(np.clip((height + 0.02) / 0.25, 0, 1))
    low = float(np.clip(1 - height / 0.5, 0, 1))
    warm = np.array([1.0, 0.93 - 0.25 * low, 0.84 - 0.48 * low])
    sun = 1.45 * day * (1 - 0.92 * cloud) * warm if height > 0.03 else np.zeros(3)
    blue, grey, dusk = np.array([0.20, 0.255, 0.35]), np.array([0.42, 0.44, 0.47]), np.array([0.060, 0.075, 0.125])
    sky = day * ((1 - cloud) * blue + cloud * grey) + (1 - day) * dusk
    bounce = 0.22 * sun * max(height, 0) + 0.35 * sky * np.array([1.0, 0.95, 0.88])
    level = 0.45 * float(sun.mean()) * max(height, 0.2) + float(sky.mean())
    white = np.array([1.0 + 0.06 * (low - 0.5), 1.0, 1.0 - 0.08 * (low - 0.5)])
    direction, sun, sky, bounce, white = np.array([direction, sun, sky, bounce, white], np.float32)
    return Illumination(direction, sun, sky, bounce, 0.80 / level**0.82, white, day < 0.5, 0.004 + 0.010 * (1 - day))


def drift(cloud: float, seconds: float, seed: int) -> float:
    """Factor on the sun while thin cloud drifts by: slow, within about a tenth of its light."""
    rng = np.random.default_rng([seed, 77])
    phases, rates = rng.uniform(0, 2 * np.pi, 3), np.array([0.021, 0.047, 0.09])
    return float(1 + 0.05 * (0.4 + cloud) * np.sin(2 * np.pi * rates * seconds + phases).sum())
