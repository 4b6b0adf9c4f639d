"""Bicycles, and what cars and tractors tow: caravans, boxes, open trailers, boats."""

from __future__ import annotations

import numpy as np

from pipeline.core.mesh import Lamp, Mesh
from pipeline.simulate.vehicles.parts import (
    RUBBER,
    STEEL,
    Material,
    both_sides,
    box,
    disc,
    lathe,
    mirrored_mesh,
    shifted,
    tube,
)
from pipeline.simulate.vehicles.wide.looks import BLACK, WHITE, any_colour


def bicycle(rng: np.random.Generator) -> list[Mesh]:
    """A bicycle in the plane y = 0, its wheels on z = 0, about 1.7 m long."""
    paint, parts = any_colour(rng), []
    for x in (-0.52, 0.52):
        ring = lathe([(0.31, -0.015), (0.335, 0.0), (0.31, 0.015), (0.295, 0.0), (0.31, -0.015)], RUBBER, 12)
        hub = disc(0.05, 0.012, STEEL, 6)
        parts += [shifted(ring, (x, 0, 0.335)), shifted(hub, (x, 0, 0.335))]
    joints = {
        "rear": (-0.52, 0.335),
        "front": (0.52, 0.335),
        "pedal": (-0.08, 0.30),
        "seat": (-0.22, 0.88),
        "head": (0.36, 0.86),
    }
    for a, b in (
        ("rear", "pedal"),
        ("rear", "seat"),
        ("pedal", "seat"),
        ("seat", "head"),
        ("pedal", "head"),
        ("head", "front"),
    ):
        parts.append(tube((joints[a][0], 0, joints[a][1]), (joints[b][0], 0, joints[b][1]), 0.02, paint))
    parts.append(box((-0.34, -0.06, 0.88), (-0.10, 0.06, 0.94), BLACK))
    parts.append(box((0.30, -0.28, 0.92), (0.36, 0.28, 0.96), STEEL))
    return parts


def _trailer_wheels(x: float, half: float, radius: float) -> list[Mesh]:
    tyre = lathe([(0.001, 0.0), (0.6 * radius, -0.02), (radius, -0.02), (radius, -0.18)], RUBBER, 14)
    return both_sides([shifted(tyre, (x, half, radius))])


def trailer(hitch_x: float, rng: np.random.Generator) -> list[Mesh]:
    """What a car tows, behind a hitch: a caravan, a box, an open trailer with a load, a boat."""
    kind = rng.choice(4, p=[0.35, 0.25, 0.3, 0.1])
    length, half = ((4.2, 1.1), (2.4, 0.8), (2.2, 0.75), (4.6, 0.9))[kind]
    length *= float(rng.uniform(0.8, 1.3))
    front = hitch_x - float(rng.uniform(0.9, 1.3))
    rear, radius = front - length, 0.30
    parts = [
        box((front, -0.05, 0.36), (hitch_x, 0.05, 0.44), STEEL),
        *_trailer_wheels(front - 0.55 * length, half + 0.02, radius),
    ]
    shade = WHITE if rng.random() < 0.7 else any_colour(rng)
    if kind == 0:
        parts.append(box((rear, -half, 0.45), (front, half, float(rng.uniform(2.4, 2.65))), shade, bevel_m=0.18))
        parts += both_sides(
            [box((front - 0.75 * length, half, 1.25), (front - 0.35 * length, half + 0.01, 1.75), BLACK)]
        )
        parts.append(box((rear - 0.01, -0.7 * half, 1.3), (rear, 0.7 * half, 1.8), BLACK))
    elif kind == 1:
        parts.append(box((rear, -half, 0.5), (front, half, float(rng.uniform(1.5, 2.2))), shade, bevel_m=0.03))
    elif kind == 2:
        parts += [
            box((rear, -half, 0.5), (front, half, 0.56), STEEL),
            *both_sides([box((rear, half - 0.04, 0.5), (front, half, 0.95), STEEL)]),
        ]
        parts += [box((x, -half, 0.5), (x + 0.04, half, 0.95), STEEL) for x in (rear, front - 0.04)]
        parts.append(
            box(
                (rear + 0.1, -half + 0.1, 0.55),
                (front - 0.2, half - 0.1, float(rng.uniform(0.7, 1.4))),
                any_colour(rng),
                bevel_m=0.12,
            )
        )
    else:
        hull = box((rear, -half, 0.6), (front + 0.3, half, 1.35), shade, bevel_m=0.3)
        parts += [hull, box((rear + 1.0, -0.5 * half, 1.3), (rear + 2.2, 0.5 * half, 1.9), BLACK, bevel_m=0.1)]
    lamps = box(
        (rear - 0.02, half - 0.25, 0.50), (rear, half - 0.03, 0.62), Material((0.3, 0.01, 0.012), 0.5, Lamp.TAIL_LIGHT)
    )
    return [*parts, lamps, mirrored_mesh(lamps)]
