"""Farm tractors: a narrow bonnet before a tall cab, large wheels behind, sometimes a trailer.

The roof corners are the cab's, the back lights those on the rear mudguards.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.parts import (
    AHEAD,
    BACK,
    LEFT,
    PLASTIC,
    RUBBER,
    SHADOW,
    STEEL,
    Material,
    both_sides,
    box,
    lathe,
    panel,
    shifted,
    tube,
    wheel,
)
from pipeline.simulate.vehicles.styles import Size
from pipeline.simulate.vehicles.wide.dimensions import sample_dimensions
from pipeline.simulate.vehicles.wide.looks import Looks, any_colour
from pipeline.simulate.vehicles.wide.sheets import flat_end, flat_side, pane

_PAINTS = ((0.02, 0.16, 0.03), (0.45, 0.02, 0.02), (0.02, 0.08, 0.35), (0.10, 0.22, 0.03), (0.55, 0.22, 0.02))


def build_tractor(looks: Looks, rng: np.random.Generator) -> tuple[list[Mesh], np.ndarray, Size]:
    """Parts, left keypoints (6, 3) and size of a tractor."""
    d = sample_dimensions("tractor", rng)
    k = float(rng.uniform(0.65, 1.0))  # the table has large ones
    length, height, wheelbase = k * d.length, (0.35 + 0.65 * k) * d.height, k * d.wheelbase
    half = 0.5 * d.width * (0.3 + 0.7 * k)
    big, small = 0.30 * height, float(rng.uniform(0.19, 0.23)) * height
    front, rear = length / 2, -length / 2
    back_axle = rear + big + float(rng.uniform(0.05, 0.35)) * k
    front_axle = min(back_axle + wheelbase, front - 0.35 * small)
    red, green, blue = _PAINTS[int(rng.integers(len(_PAINTS)))]
    paint = Material((red, green, blue), looks.paint.gloss)
    cab_front = back_axle + 0.75 * big
    cab_rear = back_axle - 0.55 * big
    wheels, centres = _wheels(front_axle, back_axle, half, small, big, looks, rng)
    parts, lamp = _bonnet(cab_front - 0.1, front - 0.12, height, paint, looks, rng)
    parts.append(box((cab_rear, -0.3, 0.25 * height), (front - 0.25, 0.3, 0.36 * height), SHADOW))
    parts += [*wheels, *_cab(cab_front, cab_rear, half, height, paint, looks)]
    if rng.random() < 0.6:
        parts.append(box((front - 0.16, -0.34, 0.2 * height), (front, 0.34, 0.34 * height), SHADOW, bevel_m=0.05))
    pipe = tube((cab_front + 0.06, 0.30, 0.5 * height), (cab_front + 0.06, 0.30, 0.97 * height), 0.04, STEEL)
    parts.append(pipe if rng.random() < 0.5 else both_sides([pipe])[1])
    guard_z = big + 0.92 * big
    tail_x, y = back_axle - 0.75 * big, half - 0.16
    light = box((tail_x - 0.04, y - 0.10, guard_z - 0.18), (tail_x, y + 0.10, guard_z - 0.06), looks.tail)
    parts += both_sides([light])
    points = np.stack([
        centres[0], centres[1], lamp, [tail_x - 0.04, y, guard_z - 0.12],
        [cab_front - 0.06, 0.62 * half - 0.03, height - 0.03], [cab_rear + 0.04, 0.62 * half - 0.03, height - 0.03],
    ])  # fmt: skip
    return parts, points, Size(length, 2 * half, height, front_axle - back_axle, big)


def _bonnet(
    rear: float, front: float, height: float, paint: Material, looks: Looks, rng: np.random.Generator
) -> tuple[list[Mesh], np.ndarray]:
    """A narrow bonnet with lamps and a grille, of a tractor of this height; the left lamp's centre (3,)."""
    half, hood = 0.36, 0.58 * height
    bevel = float(rng.uniform(0.05, 0.16))
    bonnet = box((rear, -half, 0.32 * height), (front, half, hood), paint, bevel_m=bevel)
    z, tall = hood - float(rng.uniform(0.18, 0.3)), float(rng.uniform(0.07, 0.13))
    nose, low = flat_end(front + 0.002, half), z - tall
    lamp = [(0.30, low), (0.80, low), (0.80, z), (0.30, z)]
    grille = [(0.7, 0.4 * height), (-0.7, 0.4 * height), (-0.7, low - 0.04), (0.7, low - 0.04)]
    parts = [
        bonnet,
        *both_sides([panel(nose, lamp, looks.front, outward=AHEAD, lift_m=0.012)]),
        panel(nose, grille, PLASTIC, outward=AHEAD, lift_m=0.008),
    ]
    return parts, np.array([front + 0.014, 0.55 * half, z - 0.5 * tall])


def _wheels(
    front_axle: float, back_axle: float, half: float, small: float, big: float, looks: Looks, rng
) -> tuple[list[Mesh], np.ndarray]:
    """Four lugged wheels, mudguards over the rear ones, and the left centres (2, 3)."""
    parts, centres = [], []
    for x, r, y in ((front_axle, small, half - 0.04), (back_axle, big, half)):
        width = 0.55 * r if r == big else 0.6 * r
        rim = looks.metal if rng.random() < 0.3 else any_colour(rng, 0.2)
        left = wheel(r, width, rim=0.55, spokes=0, metal=rim)
        lugs = [
            box(
                (0.86 * r * np.cos(a) - 0.05, -width, 0.86 * r * np.sin(a) - 0.05),
                (0.86 * r * np.cos(a) + 0.05, -0.03, 0.86 * r * np.sin(a) + 0.05),
                RUBBER,
            )
            for a in np.linspace(0, 2 * np.pi, 11)[:-1]
        ]
        parts += both_sides([shifted(part, (x, y, r)) for part in (left, *lugs)])
        centres.append((x, y, r))
    profile = [(big + 0.10, 0.02), (big + 0.10, -0.55 * big)]
    guard = _upper_half(lathe(profile, looks.paint, 16), 0.35 * big)
    parts += both_sides([shifted(guard, (back_axle, half - 0.02, big))])
    return parts, np.array(centres)


def _upper_half(mesh: Mesh, least_z: float) -> Mesh:
    """The part of a mesh above a height."""
    keep = mesh.vertices[mesh.triangles][..., 2].mean(axis=1) > least_z
    used, triangles = np.unique(mesh.triangles[keep], return_inverse=True)
    rest = {name: getattr(mesh, name)[keep] for name in ("normals", "albedo", "gloss", "lamp")}
    return replace(mesh, vertices=mesh.vertices[used], triangles=triangles.reshape(-1, 3).astype(np.int32), **rest)


def _cab(front: float, rear: float, half: float, height: float, paint: Material, looks: Looks) -> list[Mesh]:
    """A glazed cab with a painted roof."""
    y, low, roof = 0.62 * half, 0.42 * height, height - 0.14
    parts = [
        box((rear + 0.02, -y + 0.03, low), (front - 0.02, y - 0.03, roof + 0.02), PLASTIC),
        box((rear - 0.05, -y - 0.04, roof), (front + 0.10, y + 0.04, height), paint, bevel_m=0.05),
    ]
    side, ahead, behind = flat_side(y - 0.03), flat_end(front - 0.02, y), flat_end(rear + 0.02, y)
    glass = [
        (front - 0.10, low + 0.15),
        (rear + 0.12, low + 0.15),
        (rear + 0.12, roof - 0.05),
        (front - 0.10, roof - 0.05),
    ]
    parts += both_sides([pane(side, glass, looks, outward=LEFT, cells=(4, 3), lift_m=0.01)])
    for end, outward in ((ahead, AHEAD), (behind, BACK)):
        corners = [(0.85, low + 0.2), (-0.85, low + 0.2), (-0.85, roof - 0.05), (0.85, roof - 0.05)]
        parts.append(pane(end, corners, looks, outward=outward, cells=(4, 3), lift_m=0.01))
    mirror = box((front + 0.05, y + 0.25, 0.6 * height), (front + 0.10, y + 0.42, 0.6 * height + 0.3), PLASTIC)
    return [
        *parts,
        *both_sides([mirror, tube((front, y, 0.72 * height), (front + 0.08, y + 0.35, 0.72 * height), 0.015, PLASTIC)]),
    ]
