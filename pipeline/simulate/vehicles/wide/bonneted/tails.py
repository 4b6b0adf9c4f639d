"""What vehicles carry at the tail: bicycles, spare wheels, open boots, spoilers. None of it moves a keypoint."""

from __future__ import annotations

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.body import Shell
from pipeline.simulate.vehicles.parts import (
    BACK,
    PLASTIC,
    RUBBER,
    SHADOW,
    STEEL,
    box,
    disc,
    lathe,
    mesh_of,
    panel,
)
from pipeline.simulate.vehicles.wide.bonneted.outlines import Design
from pipeline.simulate.vehicles.wide.bonneted.towed import bicycle
from pipeline.simulate.vehicles.wide.looks import BLACK, WHITE, Looks, any_colour

_TURN = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])  # an axis along y turned to x


def hung_bicycles(d: Design, rng: np.random.Generator) -> list[Mesh]:
    """One to three bicycles on a rack behind the tail, across the vehicle."""
    x, z, parts = d.plan.tail_x, max(0.45, d.lines.sill_m + 0.2), []
    count = int(rng.integers(1, 4))
    parts.append(box((x - 0.14 * count - 0.12, -0.5, z - 0.04), (x + 0.10, 0.5, z), STEEL))
    for number in range(count):
        for part in bicycle(rng):
            parts.append(part.moved(_TURN, np.array([x - 0.12 - 0.16 * number, float(rng.uniform(-0.1, 0.1)), z])))
    return parts


def spare_wheel(d: Design, shell: Shell, rng: np.random.Generator) -> list[Mesh]:
    """A wheel on the tail, bare or covered, in the middle or to a side."""
    r = d.plan.size.wheel_radius
    z = max(d.style.belt_rear * d.plan.scale - 0.9 * r, d.lines.sill_m + 1.1 * r)
    y = float(rng.choice([0.0, -0.25, 0.25]))
    cover = (RUBBER, BLACK, WHITE, any_colour(rng))[int(rng.integers(4))]
    x = float(shell.tail(np.array(0.1), np.array(z))[0])
    tyre = lathe([(0.001, 0.20), (0.6 * r, 0.20), (0.95 * r, 0.19), (r, 0.15), (r, 0.0)], RUBBER, 16)
    face = disc(0.62 * r, 0.205, cover, 16)
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    return [part.moved(turn, np.array([x + 0.01, y, z])) for part in (tyre, face)]


def open_boot(d: Design, shell: Shell, looks: Looks, rng: np.random.Generator) -> list[Mesh]:
    """The lid stands up from its hinge and shows a dark opening; the lamps stay where they are."""
    p, s = d.plan, d.style
    half, hatch = 0.43 * p.size.width, s.square_tail or s.roof_rear < 0.75
    hinge = np.array(
        [
            p.roof_rear - 0.02 if hatch else p.tail_x + s.rear_base,
            0.0,
            p.size.height - s.rear_drop - 0.02 if hatch else s.rear_base_z * p.scale,
        ]
    )
    if s.square_tail:
        hinge[0] = p.tail_x + 0.12
    long, angle = (
        (0.85 if hatch else max(s.rear_base, 0.45)),
        np.radians(rng.uniform(5, 35) if hatch else rng.uniform(55, 85)),
    )
    end = hinge + long * np.array([-np.cos(angle), 0, np.sin(angle)])
    a, b = hinge, end
    lid = np.array([a + [0, half, 0], a - [0, half, 0], b - [0, 0.9 * half, 0], b + [0, 0.9 * half, 0]])
    normal = np.array([np.sin(angle), 0, np.cos(angle)])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    facing = np.cross(lid[1] - lid[0], lid[2] - lid[0]) @ normal
    top = mesh_of(lid + 0.02 * normal, faces if facing > 0 else faces[:, ::-1], looks.paint)
    below = mesh_of(lid, faces[:, ::-1] if facing > 0 else faces, PLASTIC)
    if hatch:
        low = max(d.lines.sill_m + 0.35, 0.6)
        hole = panel(
            shell.tail,
            [
                (0.8, low),
                (-0.8, low),
                (-0.8, max(low + 0.1, p.size.height - 0.3)),
                (0.8, max(low + 0.1, p.size.height - 0.3)),
            ],
            SHADOW,
            outward=BACK,
            cells=(6, 3),
            lift_m=0.02,
        )
    else:
        hole = panel(
            shell.top,
            [(p.tail_x + 0.06, 0.8), (hinge[0], 0.8), (hinge[0], -0.8), (p.tail_x + 0.06, -0.8)],
            SHADOW,
            outward=(0, 0, 1),
            cells=(3, 4),
            lift_m=0.012,
        )
    return [top, below, hole]


def spoiler(d: Design, shell: Shell, looks: Looks, rng: np.random.Generator) -> Mesh:
    """A lip at the roof's rear edge, or a wing on the boot."""
    p, s, half = d.plan, d.style, 0.38 * d.plan.size.width
    if s.square_tail or s.roof_rear < 0.75:
        x = p.roof_rear if not s.square_tail else p.tail_x + 0.14
        z = float(shell.top(np.array(x), np.array(0.0))[2])
        return box((x - 0.22, -half, z - 0.03), (x + 0.05, half, z + 0.02), looks.upper, bevel_m=0.01)
    z = s.tail * p.scale + float(rng.uniform(0.06, 0.2))
    return box((p.tail_x + 0.05, -half, z), (p.tail_x + 0.28, half, z + 0.03), looks.paint)
