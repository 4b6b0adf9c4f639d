"""What vehicles carry: aerials, taxi signs, light bars, roof boxes, racks with bicycles, open boots, spare wheels.

None of it moves a keypoint; it may hide one.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pipeline.core.mesh import Lamp, Mesh
from pipeline.simulate.vehicles.body import Shell
from pipeline.simulate.vehicles.parts import (
    BACK,
    CHROME,
    LEFT,
    PLASTIC,
    RUBBER,
    SHADOW,
    STEEL,
    Material,
    both_sides,
    box,
    disc,
    lathe,
    mesh_of,
    panel,
)
from pipeline.simulate.vehicles.wide.bonneted.outlines import Design
from pipeline.simulate.vehicles.wide.bonneted.towed import bicycle
from pipeline.simulate.vehicles.wide.looks import BLACK, WHITE, Looks, any_colour
from pipeline.simulate.vehicles.wide.sheets import lettering, quads, rectangles

_TURN = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])  # an axis along y turned to x
# How often a body carries: roof rails, a roof box, bicycles on the roof, a taxi sign, a police bar, a ladder rack,
# bicycles on the tail, a spare wheel on the tail, an open boot, a spoiler.
CARRIES: dict[str, tuple[float, ...]] = {
    "microcar": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.03, 0.0, 0.02, 0.05),
    "city_car": (0.03, 0.01, 0.01, 0.02, 0.01, 0.0, 0.03, 0.0, 0.03, 0.10),
    "hatchback": (0.05, 0.04, 0.03, 0.05, 0.03, 0.0, 0.04, 0.0, 0.04, 0.15),
    "sedan": (0.02, 0.03, 0.02, 0.14, 0.06, 0.0, 0.02, 0.0, 0.03, 0.12),
    "wagon": (0.60, 0.10, 0.04, 0.10, 0.06, 0.0, 0.06, 0.0, 0.05, 0.05),
    "coupe": (0.0, 0.01, 0.0, 0.0, 0.01, 0.0, 0.01, 0.0, 0.02, 0.20),
    "mpv": (0.35, 0.10, 0.04, 0.12, 0.04, 0.0, 0.07, 0.0, 0.05, 0.04),
    "suv": (0.55, 0.07, 0.04, 0.03, 0.05, 0.0, 0.06, 0.03, 0.05, 0.06),
    "offroader": (0.30, 0.05, 0.02, 0.0, 0.05, 0.15, 0.04, 0.55, 0.03, 0.0),
    "limousine": (0.0, 0.0, 0.0, 0.02, 0.0, 0.0, 0.0, 0.0, 0.02, 0.0),
    "pickup": (0.10, 0.02, 0.02, 0.0, 0.03, 0.05, 0.02, 0.0, 0.0, 0.0),
    "small_van": (0.10, 0.03, 0.02, 0.05, 0.01, 0.25, 0.03, 0.0, 0.03, 0.0),
    "van": (0.03, 0.0, 0.0, 0.0, 0.04, 0.22, 0.01, 0.0, 0.0, 0.0),
    "minibus": (0.05, 0.06, 0.02, 0.08, 0.04, 0.03, 0.05, 0.0, 0.0, 0.0),
    "camper": (0.10, 0.05, 0.02, 0.0, 0.0, 0.05, 0.40, 0.10, 0.0, 0.0),
}


def fittings(body: str, d: Design, shell: Shell, looks: Looks, rng: np.random.Generator) -> list[Mesh]:
    """What this vehicle carries."""
    rails, case, bikes, taxi, police, rack, hung, spare, boot, spoiler = rng.random(10) < np.array(CARRIES[body])
    parts: list[Mesh] = []
    p = d.plan
    roof_z = float(shell.top(np.array(0.5 * (p.header + p.roof_rear)), np.array(0.0))[2])
    if rails:
        parts += _rails(d, shell, looks)
    if case:
        parts += _crossbars(d, shell, roof_z) + [_roof_box(d, roof_z, rng)]
    elif bikes:
        parts += _crossbars(d, shell, roof_z)
        parts += [
            m.moved(np.eye(3), np.array([0.5 * (p.header + p.roof_rear), float(y), roof_z + 0.08]))
            for y in (-0.3, 0.25)[: int(rng.integers(1, 3))]
            for m in bicycle(rng)
        ]
    elif rack:
        parts += _ladder_rack(d, roof_z, rng)
    elif taxi:
        parts.append(_taxi_sign(d, roof_z, rng))
    elif police:
        parts += _light_bar(d, roof_z, rng)
        parts += _police_stripes(d, shell, rng)
    if rng.random() < 0.6:
        parts.append(_aerial(d, shell, rng))
    if hung:
        parts += _hung_bicycles(d, rng)
    elif spare:
        parts += _spare_wheel(d, shell, rng)
    elif boot and not p.style.upright and not p.style.bed_length:
        parts += _open_boot(d, shell, looks, rng)
    if spoiler and not p.style.upright:
        parts.append(_spoiler(d, shell, looks, rng))
    return parts


def _aerial(d: Design, shell: Shell, rng: np.random.Generator) -> Mesh:
    """A fin or a rod near the roof's rear edge."""
    x, y = d.plan.roof_rear + 0.08, float(rng.choice([0.0, 0.0, 0.3, -0.3]))
    z = float(shell.top(np.array(x), np.array(0.0))[2]) - 0.02
    tall = float(rng.choice([0.05, 0.05, 0.25]))
    return box((x - 0.05, y - 0.012, z), (x + 0.03, y + 0.012, z + tall), PLASTIC, lean_m=-0.4 * tall)


def _rails(d: Design, shell: Shell, looks: Looks) -> list[Mesh]:
    """Roof rails along both edges of the roof."""
    p = d.plan
    x = np.linspace(max(p.roof_rear, p.tail_x + 0.2) + 0.10, p.header - 0.15, 5)
    points = shell.section(x, np.full(5, 2.9))
    material = CHROME if looks.trim is CHROME else PLASTIC
    segments = []
    for a, b in pairwise(points):
        low, high = np.minimum(a, b), np.maximum(a, b)
        segments.append(box((a[0], low[1] - 0.015, low[2] + 0.015), (b[0], high[1] + 0.015, high[2] + 0.05), material))
    return both_sides(segments)


def _crossbars(d: Design, shell: Shell, z: float) -> list[Mesh]:
    """Two bars across the roof."""
    p, half = d.plan, 0.40 * d.plan.size.width
    middle, apart = 0.5 * (p.header + p.roof_rear), min(0.38, 0.3 * (p.header - p.roof_rear))
    return [
        box((x - 0.03, -half, z + 0.03), (x + 0.03, half, z + 0.07), STEEL) for x in (middle - apart, middle + apart)
    ]


def _roof_box(d: Design, z: float, rng: np.random.Generator) -> Mesh:
    """A box for luggage, lower and narrower in front."""
    p = d.plan
    length, wide = min(float(rng.uniform(1.3, 2.3)), p.header - p.roof_rear + 0.5), float(rng.uniform(0.6, 0.9))
    middle, y = 0.5 * (p.header + p.roof_rear) + float(rng.uniform(-0.1, 0.15)), float(rng.choice([0.0, 0.15, -0.15]))
    shade = (BLACK, WHITE, Material((0.30, 0.31, 0.32), 0.4))[rng.choice(3, p=[0.6, 0.15, 0.25])]
    return box(
        (middle - length / 2, y - wide / 2, z + 0.08),
        (middle + length / 2, y + wide / 2, z + float(rng.uniform(0.36, 0.48))),
        shade,
        bevel_m=0.11,
    )


def _taxi_sign(d: Design, z: float, rng: np.random.Generator) -> Mesh:
    """A sign across the roof, lit or not."""
    colour = ((0.75, 0.38, 0.03), (0.75, 0.62, 0.05), (0.70, 0.70, 0.68), (0.05, 0.35, 0.12))[int(rng.integers(4))]
    lamp = (Lamp.NONE, Lamp.LIT_AMBER, Lamp.LIT_WHITE)[rng.choice(3, p=[0.55, 0.25, 0.2])]
    half, high, x = (
        float(rng.uniform(0.15, 0.38)),
        float(rng.uniform(0.10, 0.20)),
        d.plan.header - float(rng.uniform(0.15, 0.6)),
    )
    return box((x - 0.07, -half, z - 0.03), (x + 0.07, half, z + high), Material(colour, 0.1, lamp), bevel_m=0.02)


def _light_bar(d: Design, z: float, rng: np.random.Generator) -> list[Mesh]:
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


def _police_stripes(d: Design, shell: Shell, rng: np.random.Generator) -> list[Mesh]:
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


def _ladder_rack(d: Design, z: float, rng: np.random.Generator) -> list[Mesh]:
    """Bars across the roof and what tradesmen lay on them: a ladder, pipes, planks."""
    p, half = d.plan, 0.38 * d.plan.size.width
    a, b = p.tail_x + 0.35, max(p.header - 0.2, p.tail_x + 1.2)
    parts = [
        box((x - 0.025, -half, z - 0.02), (x + 0.025, half, z + 0.07), STEEL) for x in np.linspace(a, b, 3).tolist()
    ]
    kind = rng.integers(4)
    if kind == 1:
        for y in (0.1, 0.45):
            parts.append(box((a - 0.2, y, z + 0.08), (b + 0.2, y + 0.05, z + 0.14), STEEL))
        parts += [box((x, 0.1, z + 0.09), (x + 0.04, 0.5, z + 0.13), STEEL) for x in np.arange(a, b, 0.4).tolist()]
    elif kind == 2:
        parts.append(
            box(
                (a - 0.4, -0.4, z + 0.08),
                (b + 0.4, 0.1, z + float(rng.uniform(0.12, 0.35))),
                Material((0.28, 0.17, 0.08)),
            )
        )
    return parts


def _hung_bicycles(d: Design, rng: np.random.Generator) -> list[Mesh]:
    """One to three bicycles on a rack behind the tail, across the vehicle."""
    x, z, parts = d.plan.tail_x, max(0.45, d.lines.sill_m + 0.2), []
    count = int(rng.integers(1, 4))
    parts.append(box((x - 0.14 * count - 0.12, -0.5, z - 0.04), (x + 0.10, 0.5, z), STEEL))
    for number in range(count):
        for part in bicycle(rng):
            parts.append(part.moved(_TURN, np.array([x - 0.12 - 0.16 * number, float(rng.uniform(-0.1, 0.1)), z])))
    return parts


def _spare_wheel(d: Design, shell: Shell, rng: np.random.Generator) -> list[Mesh]:
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


def _open_boot(d: Design, shell: Shell, looks: Looks, rng: np.random.Generator) -> list[Mesh]:
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


def _spoiler(d: Design, shell: Shell, looks: Looks, rng: np.random.Generator) -> Mesh:
    """A lip at the roof's rear edge, or a wing on the boot."""
    p, s, half = d.plan, d.style, 0.38 * d.plan.size.width
    if s.square_tail or s.roof_rear < 0.75:
        x = p.roof_rear if not s.square_tail else p.tail_x + 0.14
        z = float(shell.top(np.array(x), np.array(0.0))[2])
        return box((x - 0.22, -half, z - 0.03), (x + 0.05, half, z + 0.02), looks.upper, bevel_m=0.01)
    z = s.tail * p.scale + float(rng.uniform(0.06, 0.2))
    return box((p.tail_x + 0.05, -half, z), (p.tail_x + 0.28, half, z + 0.03), looks.paint)
