"""How far the points of other data sets lie from ours, and labels of theirs moved to ours (docs/vehicle_keypoints.md).

Offsets are metres in the vehicle frame, x forward, y left, z up, of the left side; the right side is its mirror image.
They follow from what the data sets say their points are and from how cars are built, not from anybody's labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from models.shape_basis import load_bases

LEAST_POINTS = 6  # labelled points that tell how a car lies in the picture
_MOST_RESIDUAL = 0.10  # of the points' extent: labels that no car explains better stay where they are
_LEAST_SPREAD_M = 0.3  # of the labelled points along each of the car's axes


@dataclass(frozen=True)
class Definition:
    """left: for front wheel, back wheel, headlight, back light, front and back roof corner how far ours lies from
    theirs, and sigma_m, how much that differs from car to car."""

    left: tuple[tuple[float, float, float], ...]
    sigma_m: tuple[float, ...]

    @property
    def offset(self) -> np.ndarray:
        """(12, 3) metres from theirs to ours, in the order of VEHICLE_12."""
        both = np.repeat(np.array(self.left), 2, axis=0)
        both[0::2, 1] *= -1
        return both


_SAME = (0.0, 0.0, 0.0)
DEFINITIONS: dict[str, Definition] = {
    # Wheels' centres, lamps' centres and the corners of the roof, as ours.
    "carfusion": Definition((_SAME,) * 6, (0.03, 0.03, 0.06, 0.06, 0.08, 0.10)),
    # The boot's upper edge is a hand above the lamp. The screens' glass ends inside the pillars, which are about 0.1 m
    # wide with their trim; the windscreen's reaches farther ahead at its corners, the rear one's ends below a spoiler.
    "pascal3d": Definition(
        (_SAME, _SAME, _SAME, (0.0, 0.04, -0.14), (-0.05, 0.12, 0.02), (-0.08, 0.12, 0.02)),
        (0.03, 0.03, 0.05, 0.12, 0.08, 0.12),
    ),
}


@cache
def _typical(name: str) -> np.ndarray:
    """(12, 3) where the points of a data set lie on a typical car, metres."""
    return load_bases()["car"].mean - DEFINITIONS[name].offset


def to_ours(name: str, xy: np.ndarray) -> np.ndarray:
    """Labels (12, 2) of a data set, px, NaN where there are none, moved to where our points lie.

    The labels themselves tell how a metre along each axis of the car looks in the picture: an affine camera, least
    squares, of a typical car. Where they do not, being few, on one plane or of no car, they stay.
    """
    offset, known = DEFINITIONS[name].offset, np.isfinite(xy).all(axis=1)
    if not offset.any() or known.sum() < LEAST_POINTS:
        return xy
    points = np.c_[_typical(name)[known], np.ones(known.sum())]
    centred = points[:, :3] - points[:, :3].mean(axis=0)
    affine, *_ = np.linalg.lstsq(points, xy[known], rcond=None)  # (4, 2)
    residual = np.sqrt(np.mean(np.sum((points @ affine - xy[known]) ** 2, axis=1)))
    spread = np.linalg.svd(centred, compute_uv=False)[-1] / np.sqrt(known.sum())
    large, small = np.linalg.svd(affine[:3], compute_uv=False)  # equal where a car is seen from far away
    if residual > _MOST_RESIDUAL * np.ptp(xy[known], axis=0).max() or spread < _LEAST_SPREAD_M or small < 0.4 * large:
        return xy
    return xy + offset @ affine[:3]
