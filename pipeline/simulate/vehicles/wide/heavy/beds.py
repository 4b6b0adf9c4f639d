"""What lies on open beds, of lorries and pickups, and what covers a pickup's; a pickup keeps its cab's keypoints."""

from __future__ import annotations

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.body import Shell
from pipeline.simulate.vehicles.parts import BACK, LEFT, Material, both_sides, box, panel, tube
from pipeline.simulate.vehicles.wide.bonneted.outlines import Design
from pipeline.simulate.vehicles.wide.looks import BLACK, WHITE, Looks, any_colour
from pipeline.simulate.vehicles.wide.sheets import flat_end, flat_side


def cargo(rear: float, front: float, half: float, floor: float, rng: np.random.Generator) -> list[Mesh]:
    """What lies on an open bed: nothing, boxes, a heap, a machine, or things that stick out over the rear."""
    kind = rng.choice(5, p=[0.25, 0.3, 0.2, 0.1, 0.15])
    if kind == 0 or front - rear < 0.6:
        return []
    if kind == 1:
        x, parts = rear + 0.1, list[Mesh]()
        while x < front - 0.5 and len(parts) < 4:
            long = float(rng.uniform(0.4, 1.1))
            wide = float(rng.uniform(0.5, 0.95)) * half
            parts.append(
                box(
                    (x, -wide, floor + 0.01),
                    (min(x + long, front), wide, floor + float(rng.uniform(0.3, 1.1))),
                    any_colour(rng, 0.1),
                    bevel_m=0.03,
                )
            )
            x += long + float(rng.uniform(0.05, 0.4))
        return parts
    if kind == 2:
        return [
            box(
                (rear, -half, floor),
                (front, half, floor + float(rng.uniform(0.4, 0.9))),
                Material((0.20, 0.16, 0.11)),
                bevel_m=0.3,
            )
        ]
    if kind == 3:
        low, high = floor + 0.05, floor + float(rng.uniform(0.9, 1.5))
        return [
            box(
                (rear + 0.2, -0.7 * half, low),
                (front - 0.2, 0.7 * half, 0.6 * low + 0.4 * high),
                any_colour(rng, 0.2),
                bevel_m=0.08,
            ),
            box((0.5 * (rear + front), -0.5 * half, low), (front - 0.3, 0.5 * half, high), BLACK, bevel_m=0.06),
            tube((rear + 0.3, 0, 0.5 * (low + high)), (rear - 0.3, 0, high + 0.3), 0.09, any_colour(rng)),
        ]
    return [
        tube(
            (front, float(y), floor + 0.15 + 0.1 * i),
            (rear - float(rng.uniform(0.2, 1.0)), float(y), floor + 0.2 + 0.1 * i),
            0.05,
            Material((0.30, 0.20, 0.1)),
        )
        for i, y in enumerate(rng.uniform(-0.7 * half, 0.7 * half, 4))
    ]


def bed_fittings(d: Design, shell: Shell, looks: Looks, rng: np.random.Generator) -> list[Mesh]:
    """On a pickup's bed: nothing, a cover, a cap with windows, roll bars, or a load."""
    assert d.lines.bed is not None
    rear, front, floor = d.lines.bed
    half = float(shell.section(np.array(0.5 * (rear + front)), np.array(1.0))[1]) - 0.02
    rim = d.style.belt_rear * d.plan.scale
    kind = rng.choice(5, p=[0.30, 0.14, 0.24, 0.08, 0.24])
    if kind == 1:
        return [box((rear - 0.10, -half, rim - 0.02), (front + 0.02, half, rim + 0.05), BLACK, bevel_m=0.02)]
    if kind == 2:
        roof = d.plan.size.height - float(rng.uniform(-0.25, 0.15))
        colour = looks.upper if rng.random() < 0.7 else WHITE
        parts = [box((rear - 0.12, -half, rim - 0.02), (front + 0.06, half, roof), colour, bevel_m=0.09)]
        side = flat_side(half)
        pane = [
            (front - 0.1, rim + 0.12),
            (rear + 0.1, rim + 0.12),
            (rear + 0.15, roof - 0.14),
            (front - 0.1, roof - 0.14),
        ]
        if roof - rim > 0.45:
            parts += both_sides([panel(side, pane, looks.glass, outward=LEFT, lift_m=0.01)])
            parts.append(
                panel(
                    flat_end(rear - 0.12, half),
                    [(0.8, rim + 0.1), (-0.8, rim + 0.1), (-0.8, roof - 0.12), (0.8, roof - 0.12)],
                    looks.glass,
                    outward=BACK,
                    lift_m=0.01,
                )
            )
        return parts
    if kind == 3:
        x, z = front - 0.25, d.plan.size.height - 0.15
        ends = [(x, half - 0.08, rim - 0.1), (x, half - 0.12, z), (x - 0.6, half - 0.08, rim - 0.05)]
        bars = [tube(ends[0], ends[1], 0.035, looks.trim), tube(ends[1], ends[2], 0.035, looks.trim)]
        return [
            *both_sides(bars),
            box((x - 0.03, -half + 0.12, z - 0.03), (x + 0.03, half - 0.12, z + 0.03), looks.trim),
        ]
    return cargo(rear + 0.05, front - 0.05, half - 0.12, floor, rng) if kind == 4 else []
