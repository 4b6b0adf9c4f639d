"""Buses of every length: midi, city, school, coach, double-decker, articulated.

Metres; x forward, y left, z up. Doors are on one side, right or left. An articulated bus stands straight; its hindmost
axle and rear end carry the rear keypoints.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.body import BodyLines, Shell, loft, rows_of_cells
from pipeline.simulate.vehicles.heavy import cap_lamp, double_door, heavy_mirrors, sheet, window_band
from pipeline.simulate.vehicles.parts import (
    AHEAD,
    AMBER_SIGN,
    BACK,
    LAMP_LIFT,
    LEFT,
    PLASTIC,
    SHADOW,
    STEEL,
    Material,
    both_sides,
    box,
    mirrored_mesh,
    panel,
    shifted,
    wheel,
)
from pipeline.simulate.vehicles.styles import Size
from pipeline.simulate.vehicles.wide.dimensions import Dimensions, models_of, sample_dimensions
from pipeline.simulate.vehicles.wide.heavy.lamps import front_lamps
from pipeline.simulate.vehicles.wide.livery import side_livery
from pipeline.simulate.vehicles.wide.looks import WHITE, Looks, any_colour
from pipeline.simulate.vehicles.wide.sheets import pane, plate_on

_GAP_M = 1.1  # the bellows of an articulated bus


def build_wide_bus(body: str, looks: Looks, rng: np.random.Generator) -> tuple[list[Mesh], np.ndarray, Size]:
    """Parts, left keypoints (6, 3) and size of a bus, coach, double-decker or articulated bus."""
    d = sample_dimensions(body, rng)
    if body == "bus" and rng.random() < 0.25:  # midibuses, as short as 7 m
        d = _shortened(d, float(rng.uniform(0.6, 0.85)))
    radius = float(rng.uniform(0.46, 0.51)) if d.length > 9 else float(rng.uniform(0.38, 0.44))
    size = Size(d.length, d.width, d.height, d.wheelbase, radius)
    sections = _sections(body, d, rng)
    bottom, belt = float(rng.uniform(0.26, 0.40)), _belt(body, rng)
    doors_left = rng.random() < 0.3
    parts: list[Mesh] = []
    shells = []
    for number, (rear, front, axles) in enumerate(sections):
        middle = 0.5 * (rear + front)
        shell = loft(_bus_lines(front - rear, size, bottom, tuple(a - middle for a in axles), belt, rng))
        shells.append((shell, middle))
        own = [shell.mesh(_livery(looks, rng))]
        own += _sides(body, shell, size, front - rear, belt, looks, rng, doors_left=doors_left, last=number > 0)
        parts += [shifted(part, (middle, 0, 0)) for part in own]
    parts += _bellows(sections, size, bottom)
    wheels, centres = _wheels(size, shells, sections, looks)
    ends, lamps = _ends(body, shells, size, belt, looks, rng)
    parts += [*wheels, *ends, *_roof(body, size, sections, looks, rng)]
    parts += heavy_mirrors(
        d.length / 2 - 0.02,
        size,
        min(size.height - 0.95, float(rng.uniform(1.9, 2.4))),
        float(rng.uniform(-0.05, 0.10)),
    )
    (head, front_middle), (tail, rear_middle) = shells[0], shells[-1]
    corner_front = head.section(np.array(head.x[-1] - 0.22), np.array(2.5)) + [front_middle, 0, 0]
    corner_rear = tail.section(np.array(tail.x[0] + 0.12), np.array(2.5)) + [rear_middle, 0, 0]
    return parts, np.stack([centres[0], centres[-1], *lamps, corner_front, corner_rear]), size


def _shortened(d: Dimensions, k: float) -> Dimensions:
    width = max(2.2, d.width * (0.5 + 0.5 * k))
    return replace(d, length=k * d.length, width=width, wheelbase=k * d.wheelbase, front_overhang=k * d.front_overhang)


def _belt(body: str, rng: np.random.Generator) -> float:
    return float(rng.uniform(1.55, 1.85) if body == "coach" else rng.uniform(1.0, 1.3))


def _sections(body: str, d: Dimensions, rng: np.random.Generator) -> list[tuple[float, float, tuple[float, ...]]]:
    """(rear, front, axles) of each rigid part, front part first; front axle first."""
    half, front_axle = d.length / 2, d.length / 2 - d.front_overhang
    last = front_axle - d.wheelbase
    if body != "articulated_bus":
        more = d.length > 12.6 or (body in ("coach", "double_decker") and rng.random() < 0.25)
        axles = (front_axle, last + 1.35, last) if more else (front_axle, last)
        return [(-half, half, axles)]
    row = models_of(body)[int(rng.integers(len(models_of(body))))]
    second = front_axle - row.axle_gaps_m[0] / sum(row.axle_gaps_m) * d.wheelbase
    joint = second - float(rng.uniform(1.5, 1.9))
    return [(joint + _GAP_M / 2, half, (front_axle, second)), (-half, joint - _GAP_M / 2, (last,))]


def _bus_lines(length: float, size: Size, bottom: float, axles: tuple[float, ...], belt: float, rng) -> BodyLines:
    """An upright shell; fronts are flat or curved, upright or leaning."""
    half, z = length / 2, size.height
    slope, lean = float(rng.uniform(0.0, 0.12)), float(rng.uniform(0.02, 0.30))
    top = ((-half, z - 0.02), (-half + 0.35, z), (half - 0.6, z), (half, z - slope))
    return BodyLines(
        length, size.width, top, ((-half, belt), (half, belt)), bottom, axles, size.wheel_radius,
        1.16 * size.wheel_radius, float(rng.uniform(0.5, 3.0)), float(rng.uniform(0.08, 0.22)),
        ((bottom, 0.05), (bottom + 0.25, 0.0), (belt, 0.02), (z, lean)),
        ((bottom, 0.04), (bottom + 0.3, 0.0), (z, float(rng.uniform(0.0, 0.12)))),
        float(rng.uniform(0.02, 0.18)), 0.03, 0.04, 0.02, waist=0.015, crown_m=0.05,
    )  # fmt: skip


def _livery(looks: Looks, rng: np.random.Generator) -> list[Material]:
    """One colour, another below the belt, or another roof."""
    kind, other = rng.integers(4), WHITE if rng.random() < 0.5 else any_colour(rng)
    lower, upper = [(looks.paint, looks.paint), (looks.paint, other), (other, looks.paint), (looks.paint, looks.upper)][
        kind
    ]
    return [PLASTIC if v < 0.16 else lower if v < 0.8 else upper for v in rows_of_cells()]


def _band(shell: Shell, rear: float, front: float, low: float, high: float, looks: Looks, rng) -> list[Mesh]:
    """A dark band with panes of equal length."""
    edges = np.linspace(front, rear, max(2, round((front - rear) / float(rng.uniform(1.1, 1.9))) + 1))

    def glazed(corners: list[tuple[float, float]]) -> Mesh:
        return pane(shell.side, corners, looks, outward=LEFT, cells=(3, 2), lift_m=0.008)

    return window_band(shell, edges, low, high, glazed, cells=(10, 2))


def _sides(
    body: str, shell: Shell, size: Size, length: float, belt: float, looks: Looks, rng, *, doors_left: bool, last: bool
) -> list[Mesh]:
    """Windows of one or two decks, doors on one side, luggage flaps of coaches, advertisements."""
    rear, front, top = -length / 2 + 0.35, length / 2 - (0.35 if last else 0.55), size.height
    low = belt + 0.08
    if body == "double_decker":
        deck = 0.5 * (low + top) + 0.15
        parts = [
            *_band(shell, rear + 0.3, front, low, deck - 0.55, looks, rng),
            *_band(shell, rear, front + 0.15, deck + 0.35, top - 0.30, looks, rng),
        ]
        high = deck - 0.5
    else:
        high = top - float(rng.uniform(0.35, 0.6))
        parts = _band(shell, rear, front, low, high, looks, rng)
    if body == "coach":
        for x in np.arange(rear + 0.6, front - 1.5, 1.3).tolist():
            parts.append(
                panel(
                    shell.side,
                    [(x, 0.5), (x - 0.012, 0.5), (x - 0.012, belt - 0.2), (x, belt - 0.2)],
                    SHADOW,
                    outward=LEFT,
                    lift_m=0.010,
                )
            )
    whole = both_sides(parts)
    if rng.random() < 0.5:
        whole += side_livery(
            shell.side, (rear + 0.2, front - 0.2), (max(0.75, belt - 0.75), belt - 0.05), rng, wrapped=0.4
        )
    at = [] if last else [front - 0.2]
    if body != "coach":
        at += np.linspace(rear + 1.0, front - 2.5, max(1, round(length / 6))).tolist()
    for x in at:
        door = double_door(shell, x, min(high, 2.6), frame_m=0.015, glass_m=0.020)
        whole += door if doors_left else [mirrored_mesh(part) for part in door]
    return whole


def _bellows(sections, size: Size, bottom: float) -> list[Mesh]:
    """Folds between two parts."""
    parts = []
    for (rear, *_), (_, front, _axles) in pairwise(sections):
        half = 0.5 * size.width - 0.10
        for a in np.linspace(front - 0.12, rear + 0.02, 6)[:-1].tolist():
            parts.append(box((a, -half, bottom + 0.1), (a + 0.2, half, size.height - 0.12), PLASTIC, bevel_m=0.05))
    return parts


def _wheels(size: Size, shells, sections, looks: Looks) -> tuple[list[Mesh], np.ndarray]:
    """Wheels of all axles, dark boxes behind them, and left centres (axles, 3), front first."""
    face, r, parts, centres = size.width / 2 - 0.05, size.wheel_radius, [], []
    left = wheel(r, 0.34, rim=0.58, spokes=0, metal=looks.metal if looks.spokes == 0 else STEEL)
    for (shell, _), (_, _, axles) in zip(shells, sections, strict=True):
        for x in axles:
            parts += both_sides([shifted(left, (x, face, r))])
            centres.append((x, face, r))
            arch = shell.outline.arch_m
            parts.append(
                box((x - arch - 0.02, -face + 0.4, 0.25), (x + arch + 0.02, face - 0.4, r + arch + 0.01), SHADOW)
            )
    return parts, np.array(centres)


def _ends(body: str, shells, size: Size, belt: float, looks: Looks, rng) -> tuple[list[Mesh], list[np.ndarray]]:
    """Windscreens, displays, lamps, plates, rear windows; and the left headlight's and back light's centres."""
    (head, ahead), (tail, behind) = shells[0], shells[-1]
    signs = (AMBER_SIGN, Material((0.02, 0.02, 0.02), 0.3), Material((0.7, 0.72, 0.7), 0.1))
    top, sign = size.height, signs[int(rng.integers(3))]
    z, t = float(rng.uniform(0.60, 0.85)), float(rng.uniform(0.58, 0.72))
    tall, back = float(rng.uniform(0.10, 0.22)), float(rng.uniform(0.85, 1.25))
    thick, wide = (float(rng.uniform(0.3, 0.55)), 0.12) if rng.random() < 0.7 else (0.14, 0.30)
    lamps, lamp = front_lamps(head.nose, t, z, tall, looks, signal_t=t + 0.1)
    edges = back + thick * np.array([0.5, 0.15, -0.15, -0.35, -0.5])
    rear_lamps = [
        cap_lamp(tail.tail, (0.97 - wide, 0.97), (b, a), m, BACK)
        for m, a, b in zip((looks.tail, looks.brake, looks.signal, looks.reversing), edges[:-1], edges[1:], strict=True)
    ]
    low = float(rng.uniform(0.95, 1.15)) if body != "coach" else 1.2
    deck = 0.5 * (belt + 0.08 + top) + 0.15
    glass_top = deck - 0.25 if body == "double_decker" else top - 0.42
    parts = [*both_sides(lamps), sheet(head.nose, 0.97, low, glass_top, looks.glass, AHEAD)]
    if body == "double_decker":
        parts += [
            sheet(head.nose, 0.95, deck + 0.30, top - 0.25, looks.glass, AHEAD),
            sheet(head.nose, 0.62, glass_top + 0.05, deck + 0.24, sign, AHEAD, 0.012),
        ]
    else:
        parts.append(sheet(head.nose, 0.70, top - 0.38, top - 0.16, sign, AHEAD, 0.012))
    parts.append(sheet(head.nose, 0.60, 0.40, 0.55, PLASTIC, AHEAD))
    if looks.plate_front:
        parts += plate_on(head.nose, looks.plate_front, size.width / 2, 0.66, outward=AHEAD)
    rear = [*both_sides(rear_lamps), sheet(tail.tail, 0.75, 0.50, back - 0.5 * thick - 0.05, PLASTIC, BACK, 0.004)]
    if rng.random() < 0.75:
        high = deck - 0.5 if body == "double_decker" else top - 0.45
        rear.append(sheet(tail.tail, 0.86, max(belt + 0.2, 1.5), high, looks.glass, BACK))
    if body == "double_decker":
        rear.append(sheet(tail.tail, 0.80, deck + 0.40, top - 0.35, looks.glass, BACK))
    rear += plate_on(tail.tail, looks.plate_rear, size.width / 2, back + 0.5 * thick + 0.15, outward=BACK)
    if rng.random() < 0.5:
        rear.append(sheet(tail.tail, 0.20, top - 0.36, top - 0.22, sign, BACK))
    parts = [shifted(p, (ahead, 0, 0)) for p in parts] + [shifted(p, (behind, 0, 0)) for p in rear]
    light = tail.tail(np.array(0.97 - 0.5 * wide), np.array(back)) - LAMP_LIFT + [behind, 0, 0]
    return parts, [lamp + [ahead, 0, 0], light]


def _roof(body: str, size: Size, sections, looks: Looks, rng) -> list[Mesh]:
    """Air conditioners, batteries, hatches."""
    z, parts, grey = size.height - 0.02, [], Material((0.5, 0.5, 0.49), 0.15)
    for rear, front, _ in sections:
        for _ in range(int(rng.integers(0, 4 if body != "double_decker" else 2))):
            long, wide, high = (
                float(rng.uniform(0.6, 3.0)),
                float(rng.uniform(0.4, 0.95)),
                float(rng.uniform(0.05, 0.35)),
            )
            if front - rear < long + 1.2:
                continue
            x = float(rng.uniform(rear + 0.4 + long / 2, front - 0.6 - long / 2))
            parts.append(
                box(
                    (x - long / 2, -wide, z - 0.03),
                    (x + long / 2, wide, z + high),
                    (grey, looks.paint, WHITE)[int(rng.integers(3))],
                    bevel_m=0.07,
                )
            )
            if rng.random() < 0.4:
                parts.append(
                    box((x - 0.4 * long, -0.7 * wide, z), (x + 0.4 * long, 0.7 * wide, z + high + 0.01), PLASTIC)
                )
    return parts
