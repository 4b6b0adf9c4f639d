"""Objects out of changed pixels: what belongs together, without specks, holes and notches, and what it is by its size.

Masks are (h, w) bool crops.
"""

from __future__ import annotations

import cv2
import numpy as np

Box = tuple[int, int, int, int]
_RIM = 2  # pixels
_GLASS_M, _SLEEVE_M = 0.6, 0.12  # half widths of notches that are filled, of a vehicle and of a person
_MOST_PX = 40
# Half a torso's width; how far mirrors and bumpers reach; area and length from which what sticks out is a limb.
_TORSO_M, _MIRROR_M, _LIMB_M2, _LIMB_M = 0.33, 0.22, 0.12, 0.55
_SMALL = 10.0  # radius, pixels, up to which structuring elements are the faster way


def disk(radius_px: float) -> np.ndarray:
    """A disc as structuring element."""
    side = 2 * max(round(radius_px), 0) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def opened(mask: np.ndarray, radius_px: float) -> np.ndarray:
    """The mask without what a disk does not fit into."""
    if radius_px < 0.5:
        return mask
    return cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, disk(radius_px)).astype(bool)


def opened_by_two(mask: np.ndarray) -> np.ndarray:
    """A mask (h, w) uint8 without what a square of two pixels does not fit into, unmoved."""
    square = np.ones((2, 2), np.uint8)
    return cv2.dilate(cv2.erode(mask, square, anchor=(0, 0)), square, anchor=(1, 1))


def closed(mask: np.ndarray, radius_px: float) -> np.ndarray:
    """The mask with the gaps filled that a disk does not fit into; outside the crop is empty."""
    if radius_px < 0.5 or not mask.any():
        return mask
    pad = round(radius_px) + 1
    padded = cv2.copyMakeBorder(mask.view(np.uint8), pad, pad, pad, pad, cv2.BORDER_CONSTANT)
    if radius_px < _SMALL:
        done = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disk(radius_px)).astype(bool)
    else:
        # Distances cost the same for every radius; structuring elements grow with its square.
        grown = cv2.distanceTransform(1 - padded, cv2.DIST_L2, 5) <= radius_px
        done = cv2.distanceTransform(grown.view(np.uint8), cv2.DIST_L2, 5) > radius_px
    return mask | done[pad : done.shape[0] - pad, pad : done.shape[1] - pad]


def trimmed(mask: np.ndarray, difference: np.ndarray, fraction: float) -> np.ndarray:
    """The mask without the pixels near its edge that differ by less than a fraction of the most different one beside
    them.

    Blur and chroma subsampling spread a strong difference over two or three pixels; the object ends half way.
    """
    padded = cv2.copyMakeBorder(mask.view(np.uint8), _RIM, _RIM, _RIM, _RIM, cv2.BORDER_CONSTANT)
    kernel = np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8)
    inner = cv2.erode(padded, kernel)[_RIM:-_RIM, _RIM:-_RIM].astype(bool)
    strongest = cv2.dilate(np.where(mask, difference, 0), kernel)
    return mask & (inner | (difference >= fraction * strongest))


def mask_outline(mask: np.ndarray) -> np.ndarray:
    """Pixels within one of the mask's edge."""
    padded = cv2.copyMakeBorder(mask.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    return cv2.morphologyEx(padded, cv2.MORPH_GRADIENT, disk(1))[1:-1, 1:-1].astype(bool)


def hysteresis(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The 8-connected parts of `low` that hold a pixel of `high`."""
    count, labels = cv2.connectedComponents(low.view(np.uint8))
    keep = np.zeros(count, bool)
    keep[labels[high & low]] = True
    keep[0] = False
    return keep[labels]


def fill_holes(mask: np.ndarray, most_px: float = np.inf) -> np.ndarray:
    """The mask with its enclosed holes of at most so many pixels filled."""
    outside = cv2.copyMakeBorder((~mask).view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    fill = stats[:, cv2.CC_STAT_AREA] <= most_px
    fill[[0, labels[0, 0]]] = False
    return mask | fill[labels[1:-1, 1:-1]]


def components(mask: np.ndarray, least_px: float) -> list[tuple[np.ndarray, Box]]:
    """Each 8-connected part of at least so many pixels: its crop and its box xywh in the mask."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    found = []
    for k in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[k])
        if area >= least_px:
            found.append((labels[y : y + h, x : x + w] == k, (x, y, w, h)))
    return found


def without_limbs(mask: np.ndarray, scale: float) -> list[np.ndarray]:
    """A wide mask (h, w) without what sticks out of it, and each of what did: somebody who walks before or behind a
    vehicle, or a tongue of its shadow.

    A vehicle has no part that is as thin as a person and as long as one's upper body. The vehicle comes first.
    """
    core = opened(mask, _TORSO_M * scale)
    if not core.any():
        return [mask]
    near = cv2.dilate(core.view(np.uint8), disk(max(_MIRROR_M * scale, 1))).astype(bool)
    limbs = np.zeros_like(mask)
    for part, (x, y, w, h) in components(mask & ~near, _LIMB_M2 * scale**2):
        if np.hypot(w, h) > _LIMB_M * scale:
            limbs[y : y + h, x : x + w] |= part
    if not limbs.any():
        return [mask]
    # What is left between body and limb goes to the nearer of the two.
    to_core, to_limb = (cv2.distanceTransform((~part).view(np.uint8), cv2.DIST_L2, 3) for part in (core, limbs))
    limbs = mask & (to_limb < to_core)
    apart = []
    for part, (x, y, w, h) in components(limbs, 1):
        apart.append(np.zeros_like(mask))
        apart[-1][y : y + h, x : x + w] = part
    return [mask & ~limbs, *apart]


def solidity(mask: np.ndarray) -> float:
    """The fraction of its convex hull that a mask (h, w) fills."""
    points = cv2.findNonZero(mask.view(np.uint8))
    if points is None:
        return 0.0
    hull = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    return float(np.count_nonzero(mask) / np.count_nonzero(hull))


def outline_fraction(mask: np.ndarray, frame_edges: np.ndarray, background_edges: np.ndarray) -> tuple[float, float]:
    """How much of the contrast along a mask's outline is the frame's rather than the background's, 0 to 1 (median).

    And which fraction of the outline clearly is the background's. What stood there while the background was made, and
    is gone, leaves its outline in the background only; one that is partly hidden by it, a part of it.
    """
    band = mask_outline(mask)
    # The mask's outline may lie a pixel beside the contrast.
    frame, background = (
        cv2.dilate(edges, np.ones((3, 3), np.uint8))[band] for edges in (frame_edges, background_edges)
    )
    return float(np.median((frame + 0.5) / (frame + background + 1.0))), float((background > 2 * frame + 2).mean())


def shaped(confident: np.ndarray, changed: np.ndarray, ground: np.ndarray, scale: float) -> np.ndarray:
    """An object's mask (h, w) from its confident pixels, all changed ones and those that confidently are ground.

    Glass and flat dark panels pass for shadow or for the street; where they lie in notches and holes of the confident
    pixels they are taken back. A person has gaps between the limbs, a vehicle has none. scale: pixels a metre.
    """
    h, w = confident.shape
    wide = w > 0.9 * h or w > 1.4 * scale
    if wide:
        mask = confident | (closed(confident, min(_GLASS_M * scale, _MOST_PX)) & ~ground)
    else:
        mask = closed(confident | (closed(confident, _SLEEVE_M * scale) & changed & ~ground), 0.03 * scale)
    mask = fill_holes(mask, np.inf if wide else 0.02 * w * h)
    return opened(mask, min((0.05 if wide else 0.02) * scale, 4))


def classify(size: tuple[float, float], max_person_width_m: float) -> tuple[str, float]:
    """Category of a blob of that width and height, and how well the size fits it, 0 to 1."""
    width, height = size
    if not np.isfinite(width + height):
        return "vehicle", 0.1
    if width <= max_person_width_m and height > 1.15 * width:
        return "person", _fit(width, 0.25, 0.9, 0.2) * _fit(height, 1.25, 2.0, 0.3)
    # A vehicle's box holds its length on the ground too, seen at a slant: tall and wide both have room.
    return "vehicle", _fit(width, 1.5, 13.0, 0.7) * _fit(height, 1.2, 9.0, 0.5)


def _fit(value: float, low: float, high: float, slack: float) -> float:
    """1 between low and high, falling off over the slack beyond."""
    return float(np.exp(-(((low - value) / slack) ** 2 if value < low else max((value - high) / slack, 0) ** 2)))
