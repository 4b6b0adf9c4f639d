"""Wraps, stripes and lettering on sides and tails: of tradesmen, of operators, of racers."""

from __future__ import annotations

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.parts import BACK, LEFT, Surface, both_sides, mirrored_mesh, panel
from pipeline.simulate.vehicles.wide.looks import BLACK, WHITE, any_colour
from pipeline.simulate.vehicles.wide.sheets import lettering, quads, rectangles


def side_livery(
    side: Surface, x: tuple[float, float], z: tuple[float, float], rng: np.random.Generator, *, wrapped: float = 0.3
) -> list[Mesh]:
    """Decoration of both sides between x and z (low, high); wrapped: how often a picture of blocks covers them."""
    (rear, front), (low, high) = x, z
    length, tall = front - rear, high - low
    if length < 0.5 or tall < 0.2:
        return []
    left: list[Mesh] = []
    if rng.random() < wrapped:
        count = int(rng.integers(4, 14))
        at = rng.uniform(rear, front, count), rng.uniform(low, high, count)
        wide = np.minimum(rng.uniform(0.1, 0.45, count) * length, 1.9 * np.minimum(at[0] - rear, front - at[0]))
        high_ = np.minimum(rng.uniform(0.15, 0.8, count) * tall, 1.9 * np.minimum(at[1] - low, high - at[1]))
        corners = rectangles(*at, wide, high_)
        shear = rng.uniform(-0.3, 0.3)
        for part in np.array_split(np.arange(count), 3):
            if len(part):
                slanted = corners[part].copy()
                slanted[..., 0] = np.clip(slanted[..., 0] + shear * (slanted[..., 1] - at[1][part, None]), rear, front)
                left.append(quads(side, slanted, any_colour(rng, 0.2), outward=LEFT, lift_m=0.004))
    elif rng.random() < 0.5:
        a = low + float(rng.uniform(0.1, 0.6)) * tall
        b = min(a + float(rng.uniform(0.05, 0.35)) * tall, high)
        drop = float(rng.uniform(-0.2, 0.2)) * tall
        foot, head = (max(low, a + drop), min(high, b + drop))
        stripe = [(front, a), (rear, foot), (rear, head), (front, b)]
        left.append(panel(side, stripe, any_colour(rng, 0.3), outward=LEFT, cells=(8, 1), lift_m=0.005))
    size = float(rng.uniform(0.12, 0.5)) * tall
    letters = int(np.clip(rng.integers(3, 14), 2, max(2, 0.9 * length / (0.75 * size))))
    start = front - float(rng.uniform(0.05, 0.3)) * max(length - 0.75 * size * letters, 0.0) - 0.3 * size
    height = float(rng.uniform(low + 0.6 * size, high - 0.6 * size))
    ink = (WHITE, BLACK, any_colour(rng), any_colour(rng))[int(rng.integers(4))]
    text = lettering(side, start, height, size, letters, ink, rng, outward=LEFT)
    other = text if rng.random() < 0.7 else lettering(side, start, height, 0.8 * size, letters, ink, rng, outward=LEFT)
    return [*both_sides(left), text, mirrored_mesh(other)]


def tail_livery(tail: Surface, z: tuple[float, float], rng: np.random.Generator) -> list[Mesh]:
    """Letters and a block on the tail."""

    def turned(y: np.ndarray, height: np.ndarray) -> np.ndarray:
        return tail(-y, height)  # letters run from left to right for who looks at it

    low, high = z
    size = float(rng.uniform(0.15, 0.35)) * (high - low)
    parts = []
    if rng.random() < 0.4:
        t = float(rng.uniform(0.3, 0.8))
        corners = [(t, low), (-t, low), (-t, 0.5 * (low + high)), (t, 0.5 * (low + high))]
        parts.append(panel(tail, corners, any_colour(rng, 0.2), outward=BACK, cells=(4, 2), lift_m=0.004))
    ink = (WHITE, BLACK, any_colour(rng))[int(rng.integers(3))]
    scale = 0.75 * size
    letters = max(2, int(1.1 / max(scale, 0.02) * 0.6)) if scale < 0.5 else 2
    at = float(rng.uniform(low + size, max(high - size, low + size + 0.01)))
    return [*parts, lettering(turned, 0.5, at, size, min(letters, 7), ink, rng, outward=BACK)]
