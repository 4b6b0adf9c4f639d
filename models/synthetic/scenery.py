"""Procedural streets to set sprites before: albedo images of ground, markings and walls, and thin occluders."""

from __future__ import annotations

import cv2
import numpy as np

SIZE_PX = 384


def sample_backdrop(rng: np.random.Generator) -> np.ndarray:
    """(SIZE_PX, SIZE_PX, 3) uint8 albedo, linear in 1/255ths: a street seen from above a pavement."""
    ground = _street_from_above(rng)
    # A trapezium of the ground seen under some slant.
    near, far = rng.uniform(0.15, 0.5), rng.uniform(0.5, 1.0)
    source = SIZE_PX * np.array(
        [[0.5 - far / 2, 0], [0.5 + far / 2, 0], [0.5 + near / 2, 1], [0.5 - near / 2, 1]], np.float32
    )
    target = SIZE_PX * np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    turn = cv2.getRotationMatrix2D((SIZE_PX / 2, SIZE_PX / 2), rng.uniform(0, 360), 1.0)
    turned = cv2.warpAffine(ground, turn, (SIZE_PX, SIZE_PX), borderMode=cv2.BORDER_REFLECT)
    picture = cv2.warpPerspective(
        turned, cv2.getPerspectiveTransform(source, target), (SIZE_PX, SIZE_PX), borderMode=cv2.BORDER_REFLECT
    )
    _walls(picture, rng)
    for _ in range(rng.integers(0, 14)):
        _clutter(picture, rng)
    return picture


def _colour(rng: np.random.Generator, low: float = 0.01, high: float = 0.7, tint: float = 0.25) -> list[float]:
    """A greyish colour, 0 to 255."""
    return list(np.clip(255 * rng.uniform(low, high) * rng.uniform(1 - tint, 1 + tint, 3), 0, 255))


def _mottled(rng: np.random.Generator, base: list[float], contrast: float) -> np.ndarray:
    """(SIZE_PX, SIZE_PX, 3) float32 of a colour with noise of several grains."""
    field = np.zeros((SIZE_PX, SIZE_PX), np.float32)
    for cell, weight in ((64, 1.0), (16, 0.5), (4, 0.4), (1, 0.35)):
        rough = rng.standard_normal((SIZE_PX // cell, SIZE_PX // cell), np.float32)
        field += weight * np.asarray(cv2.resize(rough, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_CUBIC))
    return np.maximum(np.array(base, np.float32) * (1 + contrast * field[..., None]), 0)


def _street_from_above(rng: np.random.Generator) -> np.ndarray:
    """Road with markings between pavements and verges, seen straight from above."""
    picture = _mottled(rng, _colour(rng, 0.04, 0.30, 0.08), rng.uniform(0.03, 0.2))
    edges = np.sort(rng.integers(0, SIZE_PX, 2))
    for rows in (slice(0, edges[0]), slice(edges[1], SIZE_PX)):
        green = rng.uniform() < 0.4
        base = [20.0, 40.0, 12.0] if green else _colour(rng, 0.1, 0.5, 0.1)
        picture[rows] = _mottled(rng, base, rng.uniform(0.05, 0.35))[rows]
        if not green and rng.uniform() < 0.5:  # flagstones
            picture[rows, :: int(rng.integers(8, 24))] *= rng.uniform(0.6, 0.95)
    for edge in edges:
        cv2.line(picture, (0, int(edge)), (SIZE_PX, int(edge)), _colour(rng, 0.2, 0.6, 0.05), int(rng.integers(1, 7)))
    for _ in range(rng.integers(0, 5)):
        _marking(picture, rng)
    return np.clip(picture, 1, 220).astype(np.uint8)


def _marking(picture: np.ndarray, rng: np.random.Generator) -> None:
    """A line along the road, whole or dashed, or the bars of a crossing."""
    y, width, colour = int(rng.integers(SIZE_PX)), int(rng.integers(2, 7)), _colour(rng, 0.4, 0.8, 0.05)
    dash = int(rng.choice([SIZE_PX, 20, 40, 8]))
    tall = width if dash > 8 else int(rng.integers(20, 60))
    for x in range(int(rng.integers(dash)), SIZE_PX, 2 * dash if dash < SIZE_PX else SIZE_PX):
        cv2.rectangle(picture, (x if dash < SIZE_PX else 0, y), (x + dash, y + tall), colour, -1)


def _walls(picture: np.ndarray, rng: np.random.Generator) -> None:
    """Above a random line, house fronts with windows or greenery; often there is no such line in the picture."""
    if rng.uniform() < 0.45:
        return
    top, x = int(rng.uniform(0.05, 0.6) * SIZE_PX), 0
    while x < SIZE_PX:
        width = int(rng.integers(40, 200))
        base = [14.0, 30.0, 9.0] if rng.uniform() < 0.3 else _colour(rng, 0.03, 0.6, 0.25)
        part = picture[: top + int(rng.integers(-20, 20)), x : x + width]
        part[:] = np.clip(_mottled(rng, base, rng.uniform(0.02, 0.25)), 1, 220)[: part.shape[0], : part.shape[1]]
        step = int(rng.integers(12, 40))
        glass = _colour(rng, 0.01, 0.2)
        for y in range(4, part.shape[0] - step // 2, step):
            for w in range(4, part.shape[1] - step // 2, step):
                cv2.rectangle(part, (w, y), (w + step // 2, y + step // 2), glass, -1)
        x += width


def _clutter(picture: np.ndarray, rng: np.random.Generator) -> None:
    """A box, disc, wedge or stroke of any colour."""
    colour, spot, kind = _colour(rng, 0.01, 0.8, 0.6), rng.integers(0, SIZE_PX, 2), rng.integers(4)
    size = rng.integers(4, 70, 2)
    corner = (int(spot[0]), int(spot[1]))
    other = (int(spot[0] + size[0]), int(spot[1] + size[1]))
    if kind == 0:
        cv2.rectangle(picture, corner, other, colour, -1)
    elif kind == 1:
        cv2.ellipse(picture, corner, (int(size[0] / 2), int(size[1] / 2)), rng.uniform(0, 180), 0, 360, colour, -1)
    elif kind == 2:
        points = (spot + rng.integers(-50, 50, (int(rng.integers(3, 6)), 2))).astype(np.int32)
        cv2.fillPoly(picture, [points], colour)
    else:
        cv2.line(picture, corner, other, colour, int(rng.integers(1, 6)))


def sample_occluder(size_hw: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mask (h, w) bool and albedo (h, w, 3) uint8 of a pole, a sign, a wall's edge or foliage across the picture."""
    mask = np.zeros(size_hw, np.uint8)
    height, width = size_hw
    side, kind = max(size_hw), rng.integers(4)
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    if kind == 0:
        lean = rng.normal(0, 0.03) * side
        cv2.line(mask, (int(x), 0), (int(x + lean), height), 1, max(1, int(rng.uniform(0.01, 0.07) * side)))
    elif kind == 1:
        corner = rng.uniform(0.05, 0.35, 2) * side
        cv2.rectangle(mask, (int(x), int(y)), (int(x + corner[0]), int(y + corner[1])), 1, -1)
        cv2.line(mask, (int(x + corner[0] / 2), int(y)), (int(x + corner[0] / 2), height), 1, max(1, side // 60))
    elif kind == 2:
        rows = int(rng.uniform(0.6, 0.9) * height)
        mask[rows : rows + max(2, int(rng.uniform(0.03, 0.4) * height))] = 1
    else:
        for _ in range(rng.integers(10, 60)):
            spot = (int(x + rng.normal(0, 0.12) * side), int(y + rng.normal(0, 0.12) * side))
            cv2.circle(mask, spot, max(1, int(rng.uniform(0.01, 0.05) * side)), 1, -1)
    albedo = np.clip(rng.normal(1, 0.15, (*size_hw, 1)) * np.array(_colour(rng, 0.01, 0.6, 0.4)), 1, 220)
    return mask > 0, albedo.astype(np.uint8)
