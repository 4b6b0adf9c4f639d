"""Our twelve keypoints among those of other datasets."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from models.labels import carfusion
from pipeline.core.skeletons import VEHICLE_12

# Of each of our twelve the points whose mean it is. CarFusion has our order with an exhaust, 8, before the roof and a
# centre, 13; of ApolloCar3D's 66 a lamp is the mean of its four corners.
PRESETS = {
    "carfusion": ",".join(map(str, carfusion.OURS)),
    "apollocar3d": "50,7,37,20,54+55+56+57,0+1+2+3,31+32+34+35,22+23+25+26,49,8,33,24",
}
_POINTS_OF = {"carfusion": carfusion.POINTS, "apollocar3d": 66}


@dataclass(frozen=True)
class KeypointMap:
    """groups: of each of our twelve, in their order, the indices of a network's points whose mean it is."""

    groups: tuple[tuple[int, ...], ...]

    def twelve(self, xy: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """xy (..., 12, 2) and score (..., 12), the least of its points', of points (..., K, 2) and scores (..., K)."""
        points = [xy[..., list(group), :].mean(axis=-2) for group in self.groups]
        scores = [score[..., list(group)].min(axis=-1) for group in self.groups]
        return np.stack(points, axis=-2), np.stack(scores, axis=-1)


def parse_map(text: str, points: int) -> KeypointMap:
    """The map that a setting says for a network of so many points: a preset's name, or twelve numbers.

    Numbers count from 0 and are separated by commas; 3+4 is the mean of two points. Empty: the twelve as they are.
    Raises ValueError, one line, for anything else and for points that the network has not.
    """
    name = text.strip().lower()
    if not name and points != len(VEHICLE_12):
        raise ValueError(
            f"keypoint_map: the network has {points} points, not the twelve; give one of {', '.join(PRESETS)}, "
            "or for each of the twelve the number of its point"
        )
    if name in _POINTS_OF and points != _POINTS_OF[name]:
        raise ValueError(f"keypoint_map: {name} is of {_POINTS_OF[name]} points, the network has {points}")
    numbers = PRESETS.get(name, name or ",".join(str(k) for k in range(len(VEHICLE_12))))
    parts = [part.strip() for part in numbers.split(",")]
    if len(parts) != len(VEHICLE_12) or not all(re.fullmatch(r"\d+( *\+ *\d+)*", part) for part in parts):
        raise ValueError(
            f"keypoint_map: expected one of {', '.join(PRESETS)} or twelve numbers with commas between, got {text!r}"
        )
    groups = tuple(tuple(int(k) for k in part.split("+")) for part in parts)
    largest = max(max(group) for group in groups)
    if largest >= points:
        raise ValueError(f"keypoint_map: point {largest} is not among the network's {points}, 0 to {points - 1}")
    return KeypointMap(groups)
