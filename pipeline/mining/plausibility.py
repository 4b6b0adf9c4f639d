"""Whether a detection has the size and the shape that one person or one vehicle can have.

Sizes are metres as of a card that stands at the foot point (pipeline.mining.observations); masks are crops (h, w) bool.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core import masks
from pipeline.mining.observations import Observations

# Metres (width, height) of the box, as a card at its foot: low and high. Vehicles show their length too, and from
# above a long one that drives away seems tall. Two people side by side have more than one's width or area.
_SIZES_M = {True: ((0.25, 1.2), (1.1, 2.15)), False: ((1.2, 1.2), (20.0, 12.0))}
_AREA_M2 = {True: (0.25, 0.9), False: (2.2, 90.0)}
# Fraction of its convex hull that a silhouette fills: cars are nearly convex, people with their legs apart less so.
_SOLIDITY = {True: 0.45, False: 0.80}
# Depth of a vehicle's deepest notch, fraction of its size (the root of its area): a pick-up's bed is shallower than
# what a sign or a second car leaves.
_NOTCH = 0.20
_HOLES = 0.04  # more than an arm on the hip leaves


def implausible(seen: Observations) -> np.ndarray:
    """(N,) bool: the box or the mask is of no size that a person or a vehicle has."""
    bad = np.zeros(len(seen), bool)
    with np.errstate(invalid="ignore"):
        for person in (True, False):
            (low, high), (least, most) = _SIZES_M[person], _AREA_M2[person]
            wrong = (seen.size_m < low).any(axis=1) | (seen.size_m > high).any(axis=1)
            wrong |= (seen.area_m2 < least) | (seen.area_m2 > most)
            bad |= wrong & (seen.is_person == person)
    return bad


def hollow(seen: Observations, size_hw: tuple[int, int]) -> np.ndarray:
    """(N,) bool: the mask fills too little of its convex hull: notched, torn, or several objects in one."""
    bad = np.zeros(len(seen), bool)
    for i, (rle, person) in enumerate(zip(seen.rle, seen.is_person.tolist(), strict=True)):
        crop, _ = masks.decode(rle, size_hw)
        solidity, holes = fullness(crop)
        bad[i] = solidity < _SOLIDITY[person] or holes > _HOLES or (not person and notch(crop) > _NOTCH)
    return bad


def notch(crop: np.ndarray) -> float:
    """Depth of the deepest notch in a mask's (h, w) largest part, below its convex hull, over the root of its area."""
    contours, _ = cv2.findContours(crop.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return 0.0
    outline = max(contours, key=cv2.contourArea)
    if len(outline) < 4 or cv2.contourArea(outline) < 4:
        return 0.0
    try:
        defects = cv2.convexityDefects(outline, cv2.convexHull(outline, returnPoints=False))
    except cv2.error:  # an outline that touches itself has no ordered hull
        return 0.0
    # OpenCV gives depths in 1/256 pixel.
    return 0.0 if defects is None else float(defects[:, 0, 3].max()) / 256 / float(np.sqrt(crop.sum()))


def fullness(crop: np.ndarray) -> tuple[float, float]:
    """Fraction of its convex hull that a mask (h, w) fills, and the fraction of its own outline that is holes; 0 to
    1."""
    if not crop.any():
        return 0.0, 0.0
    contours, _ = cv2.findContours(crop.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(np.concatenate(contours))
    filled = cv2.drawContours(np.zeros(crop.shape, np.uint8), contours, -1, 1, cv2.FILLED)
    # Contours run through pixel centres: half a pixel outwards is missing all around.
    area = cv2.contourArea(hull) + 0.5 * cv2.arcLength(hull, True) + 1
    return float(crop.sum()) / area, 1 - float(crop.sum()) / float(filled.sum())
