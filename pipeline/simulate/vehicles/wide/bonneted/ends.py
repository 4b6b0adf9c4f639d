"""Front and rear of the bonneted vehicles: lamps of several shapes, grilles, bumpers, plates.

A lamp's keypoint is the centre of its lens; of a band across the whole rear, of the part that ends at the corner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.body import Shell
from pipeline.simulate.vehicles.parts import (
    AHEAD,
    BACK,
    LAMP_LIFT,
    LEFT,
    PLASTIC,
    SHADOW,
    Axis,
    Material,
    Surface,
    both_sides,
    panel,
)
from pipeline.simulate.vehicles.wide.bonneted.outlines import Design
from pipeline.simulate.vehicles.wide.looks import Looks
from pipeline.simulate.vehicles.wide.sheets import disc_on, plate_on

Band = tuple[float, float]


@dataclass(frozen=True)
class End:
    """Parts of an end and its left lamp's keypoint (3,)."""

    parts: list[Mesh]
    lamp: np.ndarray


def _patch(
    cap: Surface, t: Band, z: Band, material: Material, outward: Axis, *, lift: float = 0.006, cells=(2, 1), slant=0.0
) -> Mesh:
    """A four-cornered piece of a cap, t[0] to t[1] across and z[0] to z[1] up; its outer end `slant` metres higher."""
    corners = [(t[0], z[0]), (t[1], z[0] + slant), (t[1], z[1] + slant), (t[0], z[1])]
    return panel(cap, corners, material, outward=outward, cells=cells, lift_m=lift)


def front_end(d: Design, shell: Shell, looks: Looks, rng: np.random.Generator) -> End:
    """Headlights, running lights, indicators, grille, intake and plate."""
    top = float(shell.front[-1, 0, 2])
    low_edge = d.lines.sill_m + 0.05
    height = float(np.clip(rng.uniform(0.06, 0.22), 0.05, 0.4 * (top - low_edge)))
    high = top - float(rng.uniform(0.02, 0.10))
    low = high - height
    inner, outer = float(rng.uniform(0.50, 0.76)), float(rng.uniform(0.93, 0.985))
    half = d.plan.size.width / 2
    parts: list[Mesh] = []
    if rng.random() < 0.16:  # round, as in the last century and on some small cars today
        radius = float(np.clip(rng.uniform(0.07, 0.105), 0.05, 0.45 * (top - low_edge)))
        t = outer - 1.25 * radius / half
        z = min(high - 0.4 * radius, top - 1.08 * radius)
        lamp = [
            disc_on(shell.nose, (t, z), (1.18 * radius / half, 1.18 * radius), looks.trim, outward=AHEAD, lift_m=0.002),
            disc_on(shell.nose, (t, z), (radius / half, radius), looks.front, outward=AHEAD, lift_m=0.009),
        ]
        centre, low = (t, z), z - radius
    else:
        slant = float(rng.uniform(-0.02, 0.03))
        frame, lens = ((inner - 0.03, outer), (low - 0.015, high + 0.012)), (inner, outer - 0.005)
        lamp = [
            _patch(shell.nose, *frame, PLASTIC, AHEAD, lift=0.001, cells=(4, 2), slant=slant),
            _patch(shell.nose, lens, (low, high), looks.front, AHEAD, lift=0.009, cells=(4, 2), slant=slant),
        ]  # fmt: skip
        reach = float(rng.uniform(0.02, 0.34))
        if reach > 0.08:
            end = float(shell.x[-1])
            wrap = [
                (end - 0.015, low + slant),
                (end - reach, 0.5 * (low + high) + slant),
                (end - reach, high + slant),
                (end - 0.015, high + slant),
            ]
            lamp.append(panel(shell.side, wrap, looks.front, outward=LEFT, cells=(4, 2)))
        centre = (0.5 * (inner + outer), 0.5 * (low + high) + 0.5 * slant)
    lamp.append(
        _patch(shell.nose, (inner + 0.06, outer - 0.01), (low - 0.045, low - 0.012), looks.signal, AHEAD, lift=0.007)
    )
    if looks.day:
        z = low - float(rng.uniform(0.06, 0.16)) if rng.random() < 0.6 else high - 0.02
        lamp.append(_patch(shell.nose, (inner, outer - 0.02), (z, z + 0.022), looks.day, AHEAD, lift=0.016))
    parts += _face(d, shell, looks, (low, high), low_edge, inner, rng)
    point = shell.nose(np.array(centre[0]), np.array(centre[1])) + LAMP_LIFT
    return End([*both_sides(lamp), *parts], point)


def _face(d: Design, shell: Shell, looks: Looks, lamp: Band, low_edge: float, inner: float, rng) -> list[Mesh]:
    """Grille, or a closed front as of electric cars; intake, bumper strip and plate."""
    low, high = lamp
    parts, half, kind = [], d.plan.size.width / 2, rng.random()
    wide = float(rng.uniform(0.18, inner))
    middle = low_edge + float(rng.uniform(0.35, 0.6)) * max(low - low_edge, 0.05)
    if kind < 0.72:
        lowest = low_edge + 0.10
        # The lamps of a low coupe may begin below that.
        foot = float(rng.uniform(lowest, max(lowest, low + 0.04))) if kind < 0.2 else low + 0.01
        parts.append(
            _patch(
                shell.nose,
                (wide, -wide),
                (min(foot, high - 0.05), high),
                (PLASTIC, looks.trim)[int(kind < 0.08)],
                AHEAD,
                cells=(8, 2),
            )
        )
        for z in np.linspace(min(foot, high - 0.05) + 0.02, high - 0.03, int(rng.integers(0, 4))):
            parts.append(
                _patch(
                    shell.nose, (0.96 * wide, -0.96 * wide), (z, z + 0.012), looks.trim, AHEAD, lift=0.012, cells=(6, 1)
                )
            )
    if rng.random() < 0.85:
        t = float(rng.uniform(0.35, 0.9))
        parts.append(_patch(shell.nose, (t, -t), (low_edge, middle), PLASTIC, AHEAD, lift=0.009, cells=(8, 2)))
    if rng.random() < 0.15:
        parts.append(
            _patch(
                shell.nose,
                (0.97, -0.97),
                (middle, middle + 0.06),
                (PLASTIC, looks.trim)[int(rng.random() < 0.5)],
                AHEAD,
                lift=0.014,
                cells=(8, 1),
            )
        )
    if looks.plate_front:
        parts += plate_on(shell.nose, looks.plate_front, half, middle + 0.03, outward=AHEAD)
    return parts


def _tail_band(d: Design, shell: Shell, rng: np.random.Generator) -> Band:
    """Lower and upper edge of the rear lamps."""
    s, height = d.style, d.plan.size.height
    if s.upright or s.square_tail:
        belt = s.belt_rear * d.plan.scale
        low = max(d.lines.sill_m + 0.28, belt - float(rng.uniform(0.28, 0.55)))
        tall = float(rng.uniform(0.30, 0.75) if s.tall_lamps else rng.uniform(0.12, 0.28))
        return low, min(low + tall, height - 0.25)
    high = float(shell.rear[-1, 0, 2]) - float(rng.uniform(0.03, 0.09))
    return high - float(rng.uniform(0.22, 0.36) if s.tall_lamps else rng.uniform(0.08, 0.20)), high


def rear_end(d: Design, shell: Shell, looks: Looks, rng: np.random.Generator) -> End:
    """Lamp clusters, plate, bumper and, of upright tails, the doors' gap."""
    low, high = _tail_band(d, shell, rng)
    s, outer = d.style, 0.985
    inner = outer - float(rng.uniform(0.10, 0.16) if high - low > 0.24 else rng.uniform(0.20, 0.42))
    lamp = [
        _patch(shell.tail, (outer, inner - 0.02), (low - 0.012, high + 0.012), PLASTIC, BACK, lift=0.003, cells=(2, 3))
    ]
    order = [looks.tail, looks.brake, looks.signal, looks.reversing]
    cuts = np.cumsum([0.0, 0.34, 0.28, 0.22, 0.16])
    stacked = high - low > 0.12
    for material, a, b in zip(order, cuts[:-1], cuts[1:], strict=True):
        if stacked:
            z, t = (high - b * (high - low), high - a * (high - low)), (outer - 0.004, inner)
        else:
            z, t = (low, high), (outer - a * (outer - inner), outer - b * (outer - inner))
        lamp.append(_patch(shell.tail, t, z, material, BACK))
    reach = float(rng.uniform(0.0, 0.24))
    if reach > 0.05:
        end = float(shell.x[0])
        wrap = [(end + reach, low + 0.03), (end + 0.015, low + 0.01), (end + 0.015, high), (end + reach, high - 0.01)]
        lamp.append(panel(shell.side, wrap, looks.tail, outward=LEFT, cells=(3, 2), lift_m=0.012))
    parts = both_sides(lamp)
    if rng.random() < 0.16:  # a band of light across
        middle = high - 0.3 * (high - low)
        parts.append(
            _patch(
                shell.tail, (inner, -inner), (middle - 0.025, middle + 0.02), looks.tail, BACK, lift=0.010, cells=(8, 1)
            )
        )
    parts += _bumper(d, shell, looks, low, rng)
    point = shell.tail(np.array(0.5 * (inner + outer)), np.array(0.5 * (low + high))) - LAMP_LIFT
    if s.upright or (s.square_tail and rng.random() < 0.3):
        gap = [
            (0.006, d.lines.sill_m + 0.2),
            (-0.006, d.lines.sill_m + 0.2),
            (-0.006, 0.9 * d.plan.size.height),
            (0.006, 0.9 * d.plan.size.height),
        ]
        parts.append(panel(shell.tail, gap, SHADOW, outward=BACK, cells=(1, 8), lift_m=0.008))
    return End(parts, point)


def _bumper(d: Design, shell: Shell, looks: Looks, lamp_low: float, rng: np.random.Generator) -> list[Mesh]:
    """Skirt, strip, reflectors and the plate, in the bumper or above it."""
    sill = d.lines.sill_m
    high = sill + float(rng.uniform(0.12, 0.32))
    parts = [_patch(shell.tail, (0.96, -0.96), (sill + 0.01, high), looks.lip, BACK, lift=0.005, cells=(8, 2))]
    if rng.random() < 0.35:
        parts += both_sides(
            [_patch(shell.tail, (0.92, 0.72), (high - 0.05, high - 0.02), looks.brake, BACK, lift=0.012)]
        )
    size = looks.plate_rear.height_m
    above, inside = lamp_low - 0.5 * size - 0.03, sill + 0.5 * size + 0.06
    z = max(inside, above if rng.random() < 0.7 else inside)
    aside = float(rng.uniform(-0.3, 0.3)) * d.plan.size.width if d.style.square_tail and rng.random() < 0.25 else 0.0
    return parts + plate_on(shell.tail, looks.plate_rear, d.plan.size.width / 2, z, outward=BACK, y=aside)
