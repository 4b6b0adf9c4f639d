"""What shows a taxi or a police car: signs, beacons, stripes. None of it moves a keypoint."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pipeline.core.mesh import Lamp, Mesh
from pipeline.simulate.vehicles.body import Shell
from pipeline.simulate.vehicles.parts import BACK, LEFT, PLASTIC, Material, both_sides, box, panel
from pipeline.simulate.vehicles.wide.bonneted.outlines import Design
from pipeline.simulate.vehicles.wide.looks import WHITE
from pipeline.simulate.vehicles.wide.sheets import lettering, quads, rectangles


def taxi_sign(d: Design, z: float, rng: np.random.Generator) -> Mesh:
    """A sign across the roof, lit or not."""
    colour = ((0.75, 0.38, 0.03), (0.75, 0.62, 0.05), (0.70, 0.70, 0.68), (0.05, 0.35, 0.12))[int(rng.integers(4))]
    lamp = (Lamp.NONE, Lamp.LIT_AMBER, Lamp.LIT_WHITE)[rng.choice(3, p=[0.55, 0.25, 0.2])]
    half, high, x = (
        float(rng.uniform(0.15, 0.38)),
        float(rng.uniform(0.10, 0.20)),
        d.plan.header - float(rng.uniform(0.15, 0.6)),
    )
    return box((x - 0.07, -half, z - 0.03), (x + 0.07, half, z + high), Material(colour, 0.1, lamp), bevel_m=0.02)


def light_bar(d: Design, z: float, rng: np.random.Generator) -> list[Mesh]:
    """A bar of beacons: blue, blue and red, or amber; some of them lit."""
    lenses = {
        "blue": [(Material((0.02, 0.05, 0.4), 0.6), Lamp.LIT_BLUE)] * 2,
        "mixed": [(Material((0.02, 0.05, 0.4), 0.6), Lamp.LIT_BLUE), (Material((0.4, 0.01, 0.01), 0.6), Lamp.LIT_RED)],
        "amber": [(Material((0.6, 0.25, 0.02), 0.6), Lamp.LIT_AMBER)] * 2,
    }[("blue", "mixed", "amber")[rng.choice(3, p=[0.55, 0.25, 0.2])]]
    half, x, parts = float(rng.uniform(0.35, 0.62)), d.plan.header - float(rng.uniform(0.25, 0.6)), []
    high = float(rng.uniform(0.07, 0.15))
    parts.append(box((x - 0.12, -half, z - 0.02), (x + 0.12, half, z + 0.035), PLASTIC))
    edges = np.linspace(-half, half, 5)
    for number, (a, b) in enumerate(pairwise(edges)):
        glass, lamp = lenses[number // 2]
        lit = Material(glass.albedo, glass.gloss, lamp if rng.random() < 0.5 else Lamp.NONE)
        parts.append(box((x - 0.11, a + 0.01, z + 0.03), (x + 0.11, b - 0.01, z + high), lit, bevel_m=0.02))
    return parts


def police_stripes(d: Design, shell: Shell, rng: np.random.Generator) -> list[Mesh]:
    """Blocks or a stripe along the sides, letters on the doors, chevrons on the tail."""
    p, s = d.plan, d.style
    first, second = (
        (Material((0.6, 0.62, 0.02), 0.2), Material((0.01, 0.04, 0.35), 0.2)),
        (Material((0.01, 0.03, 0.25), 0.3), WHITE),
        (Material((0.02, 0.25, 0.06), 0.3), WHITE),
    )[int(rng.integers(3))]
    belt = s.belt_rear * p.scale
    low, high = belt - float(rng.uniform(0.25, 0.45)), belt - 0.05
    edges = np.linspace(p.front_axle + 0.3, p.tail_x + 0.25, int(rng.integers(8, 15)))
    middle, width = 0.5 * (edges[1:] + edges[:-1]), np.abs(np.diff(edges))
    parts = []
    rows = ((0.0, 0.5), (0.5, 1.0)) if rng.random() < 0.6 else ((0.0, 1.0),)
    for row, (a, b) in enumerate(rows):
        z0, z1 = low + a * (high - low), low + b * (high - low)
        for parity, material in enumerate((first, second)):
            pick = np.arange(len(middle)) % 2 == (parity + row) % 2
            corners = rectangles(
                middle[pick], np.full(pick.sum(), 0.5 * (z0 + z1)), width[pick], np.full(pick.sum(), z1 - z0)
            )
            parts.append(quads(shell.side, corners, material, outward=LEFT, lift_m=0.008))
    parts.append(
        lettering(shell.side, 0.5 * (p.front_axle + p.rear_axle) + 0.4, low - 0.12, 0.14, 6, second, rng, outward=LEFT)
    )
    tail = [
        panel(
            shell.tail,
            [(t + 0.1, low), (t, low), (t - 0.12, high), (t - 0.02, high)],
            material,
            outward=BACK,
            cells=(1, 2),
            lift_m=0.004,
        )
        for t, material in ((0.75, first), (0.5, second), (0.25, first))
    ]
    return both_sides([*parts, *tail])
