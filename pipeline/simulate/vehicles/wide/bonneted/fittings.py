"""What vehicles carry, and how often: on the roof aerials, rails, boxes and racks; for the rest `service` and `tails`.

None of it moves a keypoint; it may hide one.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.body import Shell
from pipeline.simulate.vehicles.parts import (
    CHROME,
    PLASTIC,
    STEEL,
    Material,
    both_sides,
    box,
)
from pipeline.simulate.vehicles.wide.bonneted.outlines import Design
from pipeline.simulate.vehicles.wide.bonneted.service import light_bar, police_stripes, taxi_sign
from pipeline.simulate.vehicles.wide.bonneted.tails import hung_bicycles, open_boot, spare_wheel, spoiler
from pipeline.simulate.vehicles.wide.bonneted.towed import bicycle
from pipeline.simulate.vehicles.wide.looks import BLACK, WHITE, Looks

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
    rails, case, bikes, taxi, police, rack, hung, spare, boot, lip = rng.random(10) < np.array(CARRIES[body])
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
        parts.append(taxi_sign(d, roof_z, rng))
    elif police:
        parts += light_bar(d, roof_z, rng)
        parts += police_stripes(d, shell, rng)
    if rng.random() < 0.6:
        parts.append(_aerial(d, shell, rng))
    if hung:
        parts += hung_bicycles(d, rng)
    elif spare:
        parts += spare_wheel(d, shell, rng)
    elif boot and not p.style.upright and not p.style.bed_length:
        parts += open_boot(d, shell, looks, rng)
    if lip and not p.style.upright:
        parts.append(spoiler(d, shell, looks, rng))
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
