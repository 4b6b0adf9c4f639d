"""Trackers by their names: what joins boxes from frame to frame.

A new tracker is one module of this folder with a `TRACKER`, or a package's entry point of the group `walt3d.trackers`
that names one. `tracker` and `NAME_<setting>` under [TrackObjects] in luigi.cfg then know it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from pipeline.core.registry import choose, offered

GROUP = "walt3d.trackers"


@dataclass(frozen=True)
class Tracker:
    """A tracker before it is made.

    make: of TrackingSettings and a sequence's frames a second, for each sequence anew. What it gives has an
    `update(detections, timestamp=seconds)` as those of roboflow's `trackers`: supervision's Detections of one frame in,
    those that belong to a track out, with a tracker_id from 0; data travel with them. settings: a frozen dataclass of
    its own, if it has any, which TrackingSettings hold as `options`.
    """

    name: str
    make: Callable[[Any, float], Any]
    settings: type | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z][a-z0-9_]*", self.name):
            raise ValueError(f"tracker: name: expected a-z, 0-9 and _ only, got {self.name!r}")


@cache
def trackers() -> dict[str, Tracker]:
    """Every tracker by its name."""
    return offered(Tracker, __package__, "TRACKER", GROUP)


def tracker_of(name: str) -> Tracker:
    """The tracker of a name. Raises ValueError that names the known ones."""
    return choose(trackers(), name, "tracker")
