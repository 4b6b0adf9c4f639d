"""The page on which control points are clicked: the camera's picture, beside it a map picture or typed coordinates.

Whom it answers, pipeline/core/local_page says. Every change rewrites at once the one CSV that was named before.
"""

from __future__ import annotations

import csv
import html
import io
import math
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from calibration.points_file import EXPECTED
from pipeline.core.storage import write_bytes

PAGE = Path(__file__).with_name("click_page.html")
METRES, DEGREES = ("east_m", "north_m"), ("lat_deg", "lon_deg")
_LAST = ("height_m", "ground", "name")
_MOST_POINTS, _LONGEST_NAME = 500, 60


@dataclass
class ClickSession:
    """picture: the camera's JPEG; map_picture: a map's or satellite picture's JPEG, north up, of map_metres a pixel, or
    None; out: the CSV. Points that the CSV holds already are kept."""

    title: str
    picture: bytes
    out: Path
    map_picture: bytes | None = None
    map_metres: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        if self.out.exists():
            with self.out.open(encoding="utf-8-sig", newline="") as file:
                self.rows = [_row(row) for row in csv.DictReader(file)]
        if self.rows:
            self._write()  # a file that cannot be written is told before any work is lost

    def content(self, path: str) -> tuple[bytes, str] | None:
        """The page and its two pictures."""
        if not path:
            text = PAGE.read_text(encoding="utf-8").replace("@TITLE@", html.escape(self.title))
            return text.encode(), "text/html; charset=utf-8"
        picture = {"picture": self.picture, "map": self.map_picture}.get(path)
        return None if picture is None else (picture, "image/jpeg")

    def state(self) -> dict[str, Any]:
        """The points, and what a map pixel is."""
        return {"points": self.rows, "map_metres": self.map_metres, "has_map": self.map_picture is not None}

    def act(self, path: str, said: dict[str, Any]) -> None:
        """Add a point, or remove the one of a number."""
        with self.lock:
            before = list(self.rows)
            if path == "/add":
                self._add(_row(said))
            elif path == "/remove":
                if type(said["number"]) is not int or not 0 <= said["number"] < len(self.rows):
                    raise ValueError("no such point")
                del self.rows[said["number"]]
            else:
                raise ValueError("no such action")
            try:
                self._write()
            except OSError:
                self.rows = before
                raise

    def _add(self, row: dict[str, Any]) -> None:
        if len(self.rows) >= _MOST_POINTS:
            raise ValueError("too many points")
        if self.rows and list(self.rows[0]) != list(row):
            raise ValueError("expected all points in metres, or all by latitude and longitude")
        self.rows.append(row)

    def _write(self) -> None:
        text = io.StringIO(newline="")
        names = list(self.rows[0]) if self.rows else ["pixel_x", "pixel_y", *METRES, *_LAST]
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_bytes(self.out, text.getvalue().encode())


def _row(said: dict[str, Any]) -> dict[str, Any]:
    """A point's row, checked. Raises ValueError for what is no point."""
    places = DEGREES if said.get(DEGREES[0]) not in (None, "") else METRES
    names = ("pixel_x", "pixel_y", *places)
    try:
        row: dict[str, Any] = {name: float(said[name]) for name in names}
        row["height_m"] = float(said.get("height_m") or 0)
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"a control point: expected {EXPECTED}, got {str(dict(said))[:80]}") from None
    if not all(map(math.isfinite, row.values())):
        raise ValueError("a control point: expected finite numbers")
    row["ground"] = "no" if str(said.get("ground", "yes")).strip().lower() in ("no", "false", "0") else "yes"
    row["name"] = " ".join(str(said.get("name") or "").split())[:_LONGEST_NAME]
    return row
