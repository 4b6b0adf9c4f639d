"""What an object does to the street's light, painted into training crops: cast shadows, headlights' beams, and what a
wet road mirrors. All of it is street, however much it moves with the object.

The training cameras show each of these in a few poses of the sun and few pairs of lamps; drawn ones vary without end.
Images (h, w, 3) float32 grey levels, masks (h, w) bool; where the object is, nothing changes.
"""

from __future__ import annotations

import cv2
import numpy as np

_EDGE_PX = 0.7  # standard deviation of the object's edge, as the camera blurs it
_CHANGED = 0.2  # ln ratio beyond which a detector of change takes the street for the object
_BEAM_BGR = np.array([0.82, 1.0, 1.08], np.float32)
_SKY_BGR = np.array([1.06, 1.0, 0.97], np.float32)  # a shadow is lit by the sky alone


def with_cast_light(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The image with a shadow, a beam or a reflection, now and then several, and where it changed much (h, w) bool."""
    if not mask.any():
        return image, np.zeros_like(mask)
    lit = image
    if rng.random() < 0.5:
        lit = lit * _shadow(mask, rng)
    if rng.random() < 0.5:
        lit = lit * _beam(mask, rng) + rng.uniform(0, 4)
    if rng.random() < 0.25:
        lit = _mirrored(lit, image, mask, rng)
    street = 1 - cv2.GaussianBlur(mask.astype(np.float32), (0, 0), _EDGE_PX)[..., None]
    lit = (street * lit + (1 - street) * image).clip(0, 255)
    changed = np.abs(np.log((lit + 1) / (image + 1))).mean(axis=2) > _CHANGED
    return lit, changed & ~mask


def _shadow(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(h, w, 3) light left by the silhouette laid down: sheared and shortened about the lowest row, to either side."""
    base = np.flatnonzero(mask.any(axis=1))[-1]
    height = float(rng.choice([-1, 1]) * rng.uniform(0.05, 0.9))
    shear = float(rng.uniform(-1.8, 1.8))
    # (x, y) of the silhouette lies at x + shear (base - y), base - height (base - y) of its shadow.
    lay = np.array([[1, -shear, shear * base], [0, height, base * (1 - height)]], np.float32)
    laid = cv2.warpAffine(mask.astype(np.float32), lay, mask.shape[::-1])
    # Wheels and bodies stand a little apart from what they shade: the dark runs on below the object.
    deep = int(rng.integers(1, 6))
    below = cv2.dilate(mask.astype(np.float32), np.ones((deep, 3), np.uint8), anchor=(1, deep - 1))
    laid = np.maximum(laid, below)
    soft = cv2.GaussianBlur(laid, (0, 0), float(rng.uniform(0.5, 2.5)))[..., None]
    left = rng.uniform(0.3, 0.9) * (_SKY_BGR ** rng.uniform(0, 1))
    return 1 - soft * (1 - left)


def _beam(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(h, w, 3) gain of a cone of light that leaves the object at its lower half, or of two."""
    rows, columns = np.nonzero(mask)
    top, base = rows.min(), rows.max()
    height = base - top + 1
    y0 = base - rng.uniform(0.05, 0.5) * height
    side = int(rng.choice([-1, 1]))
    at = columns[np.abs(rows - y0) <= 1] if (np.abs(rows - y0) <= 1).any() else columns
    x0 = float(at.max() if side > 0 else at.min())
    angle = rng.normal(0, 0.5)
    ahead = np.array([side * np.cos(angle), np.sin(angle)])
    grid_y, grid_x = np.indices(mask.shape)
    along = (grid_x - x0) * ahead[0] + (grid_y - y0) * ahead[1]
    gain = np.zeros(mask.shape)
    for aside in rng.normal(0, 0.15 * height, int(rng.integers(1, 3))):
        across = (grid_y - y0) * ahead[0] - (grid_x - x0) * ahead[1] - aside
        width = rng.uniform(0.08, 0.4) * height + rng.uniform(0.08, 0.4) * np.maximum(along, 0)
        fall = np.clip(along / (0.2 * height), 0, 1) * np.exp(-np.maximum(along, 0) / (rng.uniform(0.5, 3) * height))
        gain += np.exp(-((across / width) ** 2)) * fall
    strength = rng.uniform(0.2, 2.0)
    return (1 + strength * gain[..., None] * _BEAM_BGR ** rng.uniform(0, 1.5)).astype(np.float32)


def _mirrored(lit: np.ndarray, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture with the object's own colours upside down below it, faint and drawn out."""
    base = int(np.flatnonzero(mask.any(axis=1))[-1])
    below = min(base + 1, len(mask) - base - 1)
    if below < 2:
        return lit
    flipped, where = np.zeros_like(image), np.zeros(mask.shape, np.float32)
    flipped[base + 1 : base + 1 + below] = image[: base + 1][::-1][:below]
    where[base + 1 : base + 1 + below] = mask[: base + 1][::-1][:below]
    tall = (1, 2 * int(rng.integers(2, 9)) + 1)
    weight = rng.uniform(0.08, 0.4) * cv2.blur(where, tall)[..., None]
    return (1 - weight) * lit + weight * cv2.blur(flipped, tall)
