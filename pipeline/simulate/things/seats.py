"""Chairs, benches and sofas: sampled proportions, backs, legs and arms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.things.finishes import any_finish, cloth, darker, metal, paint, wood
from pipeline.simulate.things.shapes import Thing, rod, sided, slab, thing_of
from pipeline.simulate.vehicles.parts import Material, both_sides, box


@dataclass(frozen=True)
class _Seat:
    """width, depth, height of the seat's upper face; back: how far the backrest rises above it; lean_deg of it."""

    width: float
    depth: float
    height: float
    back: float
    lean_deg: float
    thick: float

    @property
    def rear(self) -> np.ndarray:
        """(3,) the left back corner of the seat's upper face."""
        return np.array([-self.depth / 2, self.width / 2, self.height])

    def on_back(self, rise: float, y: float = 0.0) -> np.ndarray:
        """(3,) a point of the backrest's middle plane, `rise` metres along it."""
        lean = np.radians(self.lean_deg)
        return np.array([-self.depth / 2 - np.sin(lean) * rise, y, self.height + np.cos(lean) * rise])


def make_chair(rng: np.random.Generator) -> Thing:
    """A chair with four legs, or two skids, of wood, metal or plastic; a tall one now and then."""
    tall = 1.55 if rng.random() < 0.1 else 1.0
    s = _Seat(
        rng.uniform(0.38, 0.56), rng.uniform(0.38, 0.52), tall * rng.uniform(0.41, 0.50), rng.uniform(0.28, 0.62),
        rng.uniform(1, 18), rng.uniform(0.02, 0.09),
    )  # fmt: skip
    frame, seat = any_finish(rng), any_finish(rng)
    if rng.random() < 0.4:
        seat = frame
    thin = rng.uniform(0.011, 0.024)
    parts: list[Mesh] = [
        box((-s.depth / 2, -s.width / 2, s.height - s.thick), (s.depth / 2, s.width / 2, s.height), seat, bevel_m=0.012)
    ]
    parts += _backrest(s, frame, seat, thin, rng)
    front, back = _legs(s, frame, thin, rng, parts)
    if rng.random() < 0.35:
        parts += _arms(s, rng.uniform(0.17, 0.25), frame, thin)
    points = _seat_points(s, front, back)
    return thing_of(parts, points)


def _seat_points(s: _Seat, front: np.ndarray, back: np.ndarray) -> dict:
    return sided(
        seat_front=(s.depth / 2, s.width / 2, s.height), seat_back=s.rear,
        back_top=s.on_back(s.back, s.width / 2), front_foot=front, back_foot=back,
    )  # fmt: skip


def _legs(s: _Seat, material: Material, thin: float, rng: np.random.Generator, parts: list[Mesh]) -> tuple:
    """Legs on both sides, added to parts; the left front and back foot (3,)."""
    splay, inset, tapered = rng.uniform(0, 0.07), rng.uniform(0.0, 0.03), rng.uniform(0.5, 1.0)
    top = s.height - s.thick
    front = np.array([s.depth / 2 - inset, s.width / 2 - inset, top])
    back = np.array([-s.depth / 2 + inset, s.width / 2 - inset, top])
    feet = front + [splay, 0.5 * splay, -top], back + [-splay, 0.5 * splay, -top]
    left = [rod([head, foot], [thin, thin * tapered], material) for head, foot in zip((front, back), feet, strict=True)]
    kind = rng.random()
    if kind < 0.2:  # skids
        left.append(rod(feet, thin, material))
    elif kind < 0.6:
        at = rng.uniform(0.25, 0.6)
        knees = [head + at * (foot - head) for head, foot in zip((front, back), feet, strict=True)]
        left.append(rod(knees, 0.7 * thin, material))
        middle = sum(knees) / 2
        parts.append(rod([middle, middle * [1, -1, 1]], 0.7 * thin, material))
    parts += both_sides(left)
    return feet


def _backrest(s: _Seat, frame: Material, panel: Material, thin: float, rng: np.random.Generator) -> list[Mesh]:
    """Solid, padded, with upright or lying slats, or a frame with a panel at its top."""
    half, kind = s.width / 2, rng.choice(4, p=[0.3, 0.2, 0.25, 0.25])
    length = s.back
    if kind == 0:
        thick = float(rng.uniform(0.02, 0.09))
        return [slab(s.on_back(length / 2), (thick, s.width, length), panel, pitch_deg=s.lean_deg, bevel_m=0.3 * thick)]
    posts = [rod([s.on_back(0, half - thin), s.on_back(length, half - thin)], thin, frame)]
    rails = [rod([s.on_back(length - thin, half), s.on_back(length - thin, -half)], 1.1 * thin, frame)]
    if kind == 1:
        low = float(rng.uniform(0.3, 0.6)) * length
        size = (0.03, s.width - 2 * thin, length - low)
        return both_sides(posts) + rails + [slab(s.on_back((length + low) / 2), size, panel, pitch_deg=s.lean_deg)]
    if kind == 2:
        ys = np.linspace(-half, half, int(rng.integers(4, 8)))[1:-1]
        return both_sides(posts) + rails + [rod([s.on_back(0, y), s.on_back(length, y)], 0.6 * thin, frame) for y in ys]
    rises = np.linspace(0.3, 1.0, int(rng.integers(2, 5)))[:-1] * length
    bars = [slab(s.on_back(r), (0.015, s.width, 0.05), frame, pitch_deg=s.lean_deg) for r in rises]
    return both_sides(posts) + rails + bars


def _arms(s: _Seat, rise: float, material: Material, thin: float) -> list[Mesh]:
    y = s.width / 2 + thin
    front = np.array([s.depth / 2 - 0.06, y, s.height + rise])
    rest = [s.on_back(rise, y), front, np.array([front[0], y, s.height - s.thick])]
    return both_sides([rod(rest[:2], 1.3 * thin, material), rod(rest[1:], thin, material)])


def make_bench(rng: np.random.Generator) -> Thing:
    """A park bench: planks or a plate on end frames, cast feet or blocks, often with arms."""
    s = _Seat(
        rng.uniform(1.1, 2.4), rng.uniform(0.38, 0.55), rng.uniform(0.40, 0.48), rng.uniform(0.28, 0.50),
        rng.uniform(5, 20), 0.035,
    )  # fmt: skip
    planks, frame = (wood(rng) if rng.random() < 0.75 else paint(rng)), metal(rng)
    parts: list[Mesh] = []
    for count, of_seat in ((int(rng.integers(1, 8)), True), (int(rng.integers(1, 6)), False)):
        parts += _planks(s, count, planks, of_seat)
    inset = rng.uniform(0.0, 0.3) if rng.random() < 0.6 else 0.04
    y, kind = s.width / 2 - inset, rng.random()
    foot_x = (s.depth / 2 - rng.uniform(0, 0.08), -s.depth / 2 - rng.uniform(-0.05, 0.12))
    if kind < 0.25:  # blocks of stone
        stone = Material((0.35, 0.34, 0.32))
        parts += both_sides([box((foot_x[1], y - 0.09, 0), (foot_x[0], y + 0.03, s.height - 0.02), stone)])
    else:
        thin = rng.uniform(0.018, 0.035)
        legs = [
            rod([(foot_x[0], y, 0), (s.depth / 2 - 0.05, y, s.height - 0.03)], thin, frame),
            rod([(foot_x[1], y, 0), (-s.depth / 2, y, s.height - 0.03)], thin, frame),
            rod([(s.depth / 2 - 0.03, y, s.height - 0.03), (-s.depth / 2, y, s.height - 0.03)], thin, frame),
        ]
        parts += both_sides(legs)
    parts += both_sides([rod([s.on_back(0, y) - [0.02, 0, 0.02], s.on_back(s.back, y) - [0.02, 0, 0]], 0.02, frame)])
    if rng.random() < 0.5:
        parts += _arms(s, 0.2, frame, 0.018)
    front, back = np.array([foot_x[0], y, 0]), np.array([foot_x[1], y, 0])
    return thing_of(parts, _seat_points(s, front, back))


def _planks(s: _Seat, count: int, material: Material, of_seat: bool) -> list[Mesh]:
    """Boards along y over the seat, or over the backrest with a gap below it."""
    span = s.depth if of_seat else 0.78 * s.back
    pitch = span / count
    wide = pitch * (1.0 if count == 1 else 0.82)
    middles = np.linspace(wide / 2, span - wide / 2, count) if count > 1 else np.array([span / 2])
    if of_seat:
        return [
            box((-s.depth / 2 + m - wide / 2, -s.width / 2, s.height - s.thick),
                (-s.depth / 2 + m + wide / 2, s.width / 2, s.height), material)
            for m in middles
        ]  # fmt: skip
    return [slab(s.on_back(s.back - m), (0.028, s.width, wide), material, pitch_deg=s.lean_deg) for m in middles]


def make_sofa(rng: np.random.Generator) -> Thing:
    """A sofa or an armchair: block arms, cushions, feet or none."""
    seats = int(rng.choice([1, 2, 3], p=[0.25, 0.4, 0.35]))
    arm = rng.uniform(0.08, 0.27)
    inner, depth = seats * rng.uniform(0.55, 0.75), rng.uniform(0.75, 1.0)
    seat_h, arm_h = rng.uniform(0.36, 0.47), rng.uniform(0.50, 0.68)
    back_h, back_d, feet = rng.uniform(max(0.68, arm_h), 1.0), rng.uniform(0.14, 0.26), rng.uniform(0.0, 0.15)
    fabric, half, front = cloth(rng), inner / 2 + arm, depth / 2
    soft = rng.uniform(0.02, 0.06)
    lean = rng.uniform(0, 0.10)
    parts = [
        box((-front, -half, feet), (front - 0.02, half, seat_h - 0.13), darker(fabric, 0.85)),
        box((-front, -half, feet), (-front + back_d, half, back_h), fabric, bevel_m=soft, lean_m=-lean),
        *both_sides([box((-front, inner / 2, feet), (front, half, arm_h), fabric, bevel_m=soft)]),
    ]
    cushion = darker(fabric, rng.uniform(0.8, 1.2)) if rng.random() < 0.7 else cloth(rng)
    pitch = inner / seats
    for k in range(seats):
        y = -inner / 2 + k * pitch
        low, high = (-front + back_d, y + 0.005, seat_h - 0.14), (front, y + pitch - 0.005, seat_h)
        parts.append(box(low, high, cushion, bevel_m=0.035))
        if rng.random() < 0.75:
            low, high = (
                (-front + back_d - 0.03, y + 0.01, seat_h),
                (-front + back_d + 0.14, y + pitch - 0.01, back_h - 0.03),
            )
            parts.append(box(low, high, cushion, bevel_m=0.05, lean_m=-lean))
    if rng.random() < 0.5:
        y = float(rng.uniform(-0.4, 0.4)) * inner
        pillow = slab(
            (-front + back_d + 0.24, y, seat_h + 0.2), (0.13, 0.4, 0.38), cloth(rng), pitch_deg=20, bevel_m=0.05
        )
        parts.append(pillow)
    leg = any_finish(rng)
    if feet > 0.03:
        parts += both_sides([rod([(x, half - 0.05, 0), (x, half - 0.05, feet + 0.02)], 0.025, leg)
                             for x in (front - 0.06, -front + 0.06)])  # fmt: skip
    cut = 2 / 3 * soft  # how far the middle of a bevelled corner lies inside it
    at = (front - 0.06, half - 0.05, 0) if feet > 0.03 else (front - cut, half - cut, feet + cut)
    behind = (-at[0], at[1], at[2])
    return thing_of(
        parts,
        sided(
            arm=(front - cut, half - cut, arm_h - cut), back_top=(-front - lean + cut, half - cut, back_h - cut),
            seat_front=(front, inner / 2, seat_h),
            front_foot=at, back_foot=behind,
        ),
    )  # fmt: skip
