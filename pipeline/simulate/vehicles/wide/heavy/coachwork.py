"""Bodies behind a van's cab: boxes, drop sides, campers' coachwork. They carry the rear lamps and roof corners."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.parts import (
    BACK,
    LEFT,
    PLASTIC,
    SHADOW,
    STEEL,
    Material,
    both_sides,
    box,
    panel,
    shifted,
    wheel,
)
from pipeline.simulate.vehicles.wide.bonneted.build import build_bonneted
from pipeline.simulate.vehicles.wide.bonneted.outlines import WIDE_STYLES, Design, design
from pipeline.simulate.vehicles.wide.dimensions import sample_dimensions
from pipeline.simulate.vehicles.wide.heavy.beds import cargo
from pipeline.simulate.vehicles.wide.heavy.lamps import rear_cluster
from pipeline.simulate.vehicles.wide.livery import side_livery, tail_livery
from pipeline.simulate.vehicles.wide.looks import BLACK, WHITE, Looks, any_colour
from pipeline.simulate.vehicles.wide.sheets import flat_end, flat_side, plate_on, quads, rectangles


def build_cab_and_body(
    body: str, rng: np.random.Generator, looks: Looks, paint: Material
) -> tuple[list[Mesh], np.ndarray, Design]:
    """A box van, drop-side lorry or coachbuilt camper on a van's chassis: parts, left keypoints (6, 3), the cab."""
    chassis = sample_dimensions("van", rng)
    camper = body == "camper"
    cab_length = float(rng.uniform(1.9, 2.3))
    rear_overhang = float(rng.uniform(0.32, 0.55)) * chassis.wheelbase
    length = chassis.front_overhang + chassis.wheelbase + rear_overhang
    half = min(0.5 * float(rng.uniform(2.05, 2.40)), 0.5 * chassis.width + 0.22)
    cab_height = float(rng.uniform(2.15, 2.35))
    own = replace(chassis, length=cab_length, height=cab_height, wheelbase=cab_length - 1.0)
    cab = design(WIDE_STYLES["van"], own, rng)
    parts, points, _ = build_bonneted(cab, looks, rng, windows=False, rear=False)
    offset = np.array([length / 2 - cab_length / 2, 0, 0])
    parts = [shifted(part, offset) for part in parts]
    points = points + offset
    rear, front = -length / 2, length / 2 - cab_length + 0.02
    axle = float(points[0, 0]) - chassis.wheelbase
    radius = cab.plan.size.wheel_radius
    parts += _chassis(rear, front, axle, radius, half, looks)
    points[1] = [axle, half - 0.06, radius]
    floor = 2 * radius + 0.12
    top = float(rng.uniform(2.75, 3.15) if camper else rng.uniform(2.7, 3.4))
    if camper or rng.random() < 0.7:
        body_parts, corner = _box_body(
            rear, front, half, floor if not camper else 0.55, top, cab_height, looks, rng, camper=camper
        )
        points[5] = corner
    else:
        body_parts = _drop_sides(rear, front, half, floor, rng)
    lamps, lamp = rear_cluster(rear, half, float(rng.uniform(0.75, 1.05)) if camper else floor - 0.10, looks, rng)
    points[3] = lamp
    plates = plate_on(flat_end(rear, 1.16), looks.plate_rear, 1.0, floor - 0.22 if not camper else 0.75, outward=BACK)
    return [*parts, *body_parts, *lamps, *plates], points, cab


def _chassis(rear: float, front: float, axle: float, radius: float, half: float, looks: Looks) -> list[Mesh]:
    """Frame, rear wheels, mudguards, guard below the tail."""
    left = wheel(radius, 0.36, rim=0.6, spokes=0, metal=looks.metal)
    top = 2 * radius + 0.02
    guard = box((axle - 0.45, half - 0.45, top), (axle + 0.45, half - 0.03, top + 0.04), PLASTIC)
    return [
        *both_sides([shifted(left, (axle, half - 0.06, radius)), guard]),
        box((rear + 0.03, -0.45, 0.45), (front + 0.4, 0.45, 2 * radius + 0.06), SHADOW),
        box((rear + 0.02, -half + 0.1, 0.42), (rear + 0.10, half - 0.1, 0.54), STEEL),
        box((rear + 0.01, -half + 0.03, 2 * radius - 0.12), (rear + 0.06, half - 0.03, 2 * radius + 0.10), PLASTIC),
    ]  # fmt: skip


def _box_body(
    rear: float, front: float, half: float, floor: float, top: float, cab_top: float, looks: Looks,
    rng: np.random.Generator, *, camper: bool,
) -> tuple[list[Mesh], np.ndarray]:  # fmt: skip
    """A closed body, over the cab in front on some, with livery or a camper's windows; and its left rear top corner."""
    colour = WHITE if rng.random() < 0.65 else looks.paint if rng.random() < 0.6 else any_colour(rng, 0.3)
    bevel = float(rng.uniform(0.06, 0.16) if camper else rng.uniform(0.01, 0.05))
    parts = [box((rear + 0.015, -half, floor), (front, half, top), colour, bevel_m=bevel)]
    if rng.random() < (0.5 if camper else 0.35) and top > cab_top + 0.35:
        parts.append(
            box(
                (front - 0.2, -half + 0.03, cab_top - 0.05),
                (front + float(rng.uniform(0.5, 1.0)), half - 0.03, top - 0.05),
                colour,
                bevel_m=0.12,
            )
        )
    elif top > cab_top + 0.3 and not camper and rng.random() < 0.6:
        parts.append(
            box(
                (front - 0.05, -0.8, cab_top - 0.1),
                (front + 0.55, 0.8, min(top, cab_top + 0.6)),
                looks.paint,
                bevel_m=0.15,
            )
        )
    side, end = flat_side(half), flat_end(rear + 0.012, half)
    if camper:
        parts += _camper_trim(rear, front, half, floor, top, looks, rng)
    else:
        parts += side_livery(side, (rear + 0.15, front - 0.15), (floor + 0.15, top - 0.15), rng)
        parts += tail_livery(end, (floor + 0.5, top - 0.4), rng)
        parts += [box((rear, -0.012, floor + 0.06), (rear + 0.02, 0.012, top - 0.06), SHADOW)]
        parts += both_sides(
            [box((rear + 0.04, half - 0.005, floor), (front - 0.01, half + 0.008, floor + 0.07), STEEL)]
        )
    return parts, np.array([rear + 0.67 * bevel + 0.015, half - 0.67 * bevel, top - 0.67 * bevel])


def _camper_trim(
    rear: float, front: float, half: float, floor: float, top: float, looks: Looks, rng: np.random.Generator
) -> list[Mesh]:
    """Windows, a door and an awning on one side, stripes, roof lights, a rear window."""
    side = flat_side(half)
    count = int(rng.integers(2, 4))
    x = np.linspace(rear + 0.8, front - 0.7, count) + rng.uniform(-0.2, 0.2, count)
    window = rectangles(
        x, np.full(count, 0.62 * top), np.full(count, float(rng.uniform(0.6, 1.0))), np.full(count, 0.5)
    )
    stripe = [
        (front, floor + 0.35),
        (rear + 0.02, floor + 0.35),
        (rear + 0.02, floor + 0.35 + float(rng.uniform(0.05, 0.3))),
        (front, floor + 0.40),
    ]
    parts = both_sides(
        [
            quads(side, window, looks.glass, outward=LEFT, lift_m=0.012),
            panel(side, stripe, any_colour(rng, 0.3), outward=LEFT, cells=(4, 1), lift_m=0.006),
        ]
    )
    turn = 1 if rng.random() < 0.5 else -1
    door = [
        (front - 0.5, floor + 0.05),
        (front - 1.1, floor + 0.05),
        (front - 1.1, top - 0.5),
        (front - 0.5, top - 0.5),
    ]
    seam = panel(side, door, any_colour(rng, 0.2) if rng.random() < 0.3 else WHITE, outward=LEFT, lift_m=0.009)
    awning = box((rear + 0.6, half, top - 0.28), (front - 0.4, half + 0.10, top - 0.16), WHITE, bevel_m=0.03)
    for part in (seam, awning):
        parts.append(part if turn > 0 else both_sides([part])[1])
    parts += [box((a - 0.25, -0.25, top - 0.02), (a + 0.25, 0.25, top + 0.08), BLACK, bevel_m=0.03) for a in x[:2]]
    if rng.random() < 0.5:
        parts.append(
            panel(
                flat_end(rear + 0.012, half),
                [(0.6, 0.55 * top), (-0.6, 0.55 * top), (-0.6, 0.75 * top), (0.6, 0.75 * top)],
                looks.glass,
                outward=BACK,
                lift_m=0.01,
            )
        )
    return parts


def _drop_sides(rear: float, front: float, half: float, floor: float, rng: np.random.Generator) -> list[Mesh]:
    """A flat bed with low walls and something on it."""
    wall, high = (STEEL if rng.random() < 0.5 else any_colour(rng)), floor + float(rng.uniform(0.30, 0.5))
    parts = [box((rear, -half, floor - 0.10), (front, half, floor), Material((0.16, 0.10, 0.06)))]
    parts += both_sides([box((rear, half - 0.05, floor), (front, half, high), wall)])
    parts += [
        box((rear, -half, floor), (rear + 0.05, half, high), wall),
        box((front - 0.05, -half, floor), (front, half, high + 0.6), wall),
    ]
    return parts + cargo(rear + 0.1, front - 0.1, half - 0.1, floor, rng)
