"""Places on the earth as metres east, north and up of an origin, on the WGS84 ellipsoid."""

from __future__ import annotations

import numpy as np

# WGS84: equatorial radius in metres, and the first eccentricity squared, f (2 - f) of the flattening 1 / 298.257223563.
_RADIUS_M = 6378137.0
_E2 = (1 / 298.257223563) * (2 - 1 / 298.257223563)


def to_earth(lat_lon_deg: np.ndarray, height_m: np.ndarray) -> np.ndarray:
    """Earth-centred metres (..., 3) of latitude and longitude (..., 2) in degrees and height above the ellipsoid."""
    lat, lon = np.moveaxis(np.radians(lat_lon_deg), -1, 0)
    across = _RADIUS_M / np.sqrt(1 - _E2 * np.sin(lat) ** 2)  # radius of curvature in the prime vertical
    flat = (across + height_m) * np.cos(lat)
    return np.stack([flat * np.cos(lon), flat * np.sin(lon), (across * (1 - _E2) + height_m) * np.sin(lat)], axis=-1)


def to_metres(lat_lon_deg: np.ndarray, height_m: np.ndarray, origin_deg: np.ndarray) -> np.ndarray:
    """East, north, up (..., 3) in metres, of the plane that touches the earth at origin (2,) and height 0."""
    lat, lon = np.radians(origin_deg)
    east = np.array([-np.sin(lon), np.cos(lon), 0])
    up = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    apart = to_earth(lat_lon_deg, height_m) - to_earth(np.asarray(origin_deg, float), np.array(0.0))
    return apart @ np.stack([east, np.cross(up, east), up]).T
