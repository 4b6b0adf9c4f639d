"""Control points in a CSV: a pixel each, and where it is, in metres or as latitude and longitude.

Columns are known by their names, in any order; others are left alone.
"""

from __future__ import annotations

import contextlib
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.geodesy import to_metres

_COLUMNS = {
    "x": ("pixel_x", "x_px", "u", "px"),
    "y": ("pixel_y", "y_px", "v", "py"),
    "east": ("east_m", "x_m", "east"),
    "north": ("north_m", "y_m", "north"),
    "up": ("height_m", "up_m", "z_m", "alt_m", "height"),
    "lat": ("lat_deg", "latitude", "lat"),
    "lon": ("lon_deg", "longitude", "lon", "lng"),
    "ground": ("ground",),
    "name": ("name", "label", "id"),
}
EXPECTED = "pixel_x, pixel_y and east_m, north_m or lat_deg, lon_deg, perhaps height_m, ground (yes or no) and name"
_NO = ("no", "n", "0", "false")


@dataclass(frozen=True)
class ControlPoints:
    """pixels (N, 2), metres (N, 3) east, north, up, on_ground (N,) bool, names; origin_deg (2,) where they were given
    by latitude and longitude."""

    pixels: np.ndarray
    metres: np.ndarray
    on_ground: np.ndarray
    names: tuple[str, ...]
    origin_deg: tuple[float, float] | None = None


def read_points(path: Path) -> ControlPoints:
    """Raises ValueError, one line with the file's name, for a column that lacks or a row that holds no numbers."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, skipinitialspace=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: not a CSV: {error}") from None
    columns = _columns(path, [str(name) for name in rows[0]] if rows else [])
    lat_lon = "lat" in columns and "lon" in columns
    place = [columns[k] for k in (("lat", "lon") if lat_lon else ("east", "north"))]
    numbers = _numbers(path, rows, [columns["x"], columns["y"], *place])
    up = _numbers(path, rows, [columns["up"]])[:, 0] if "up" in columns else np.zeros(len(rows))
    origin = None
    metres = np.column_stack([numbers[:, 2:], up])
    if lat_lon:
        if np.abs(numbers[:, 2]).max() > 90:
            raise ValueError(f"{path}: {place[0]}: expected latitudes from -90 to 90, got {numbers[:, 2].max():g}")
        centre = numbers[:, 2:].mean(axis=0)
        # Heights count from the points' lowest: the ellipsoid's own are tens of metres off.
        up = up - up.min()
        metres, origin = to_metres(numbers[:, 2:], up, centre), (float(centre[0]), float(centre[1]))
    ground = [str(row.get(columns.get("ground", ""), "yes")).strip().lower() not in _NO for row in rows]
    names = tuple(str(row.get(columns.get("name", ""), "") or number) for number, row in enumerate(rows, start=1))
    return ControlPoints(numbers[:, :2], metres, np.array(ground), names, origin)


def _columns(path: Path, header: list[str]) -> dict[str, str]:
    """The header's own name of each column that is there."""
    known = {name.strip().lower(): name for name in header}
    found = {}
    for key, names in _COLUMNS.items():
        name = next((known[n] for n in names if n in known), None)
        if name is not None:
            found[key] = name
    placed = {"lat", "lon"} <= set(found) or {"east", "north"} <= set(found)
    if not {"x", "y"} <= set(found) or not placed:
        raise ValueError(f"{path}: expected columns {EXPECTED}, got {', '.join(header) or 'an empty file'}")
    return found


def _numbers(path: Path, rows: list[dict[str, str]], names: list[str]) -> np.ndarray:
    values = np.full((len(rows), len(names)), np.nan)
    for number, row in enumerate(rows):
        for column, name in enumerate(names):
            with contextlib.suppress(TypeError, ValueError):
                values[number, column] = float(row[name] or "")
            if not np.isfinite(values[number, column]):
                raise ValueError(f"{path}: line {number + 2}: {name}: expected a number, got {row[name]!r}")
    return values
