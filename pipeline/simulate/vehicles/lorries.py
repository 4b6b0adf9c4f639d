"""Build lorries: a cab with a box, a tipper or a flat bed on a ladder frame behind it.

Metres; x forward, y left, z up. An open lorry has its rear roof corners on the cab.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.body import Shell, loft, rows_of_cells
from pipeline.simulate.vehicles.heavy import cap_lamp, heavy_mirrors, heavy_wheels, sheet, upright_outline
from pipeline.simulate.vehicles.parts import (
    AHEAD,
    BRAKE_LIGHT,
    GLASS,
    HEADLIGHT,
    INDICATOR,
    LAMP_LIFT,
    LEFT,
    PLASTIC,
    PLATE,
    SHADOW,
    STEEL,
    TAIL_LIGHT,
    Material,
    both_sides,
    box,
    panel,
    shifted,
)
from pipeline.simulate.vehicles.styles import Size

_COLOURED_FRACTION = 0.25  # of boxes and tippers that are neither white nor silver
_GRAVEL = Material((0.20, 0.17, 0.13))
_PLANKS = Material((0.16, 0.10, 0.06))


def build_lorry(size: Size, paint: Material, rng: np.random.Generator) -> tuple[Mesh, np.ndarray]:
    """A lorry with a box, a tipper or a flat bed, and its left keypoints (6, 3)."""
    kind = ("box", "tipper", "flatbed")[int(rng.choice(3, p=[0.6, 0.2, 0.2]))]
    cab_length, half = 2.15, size.length / 2
    cab_height = min(size.height, float(rng.uniform(2.65, 2.95)))
    cab_size = Size(cab_length, size.width - 0.06, cab_height, size.wheelbase, size.wheel_radius)
    axle = half - 1.38
    shell = loft(upright_outline(cab_length, cab_size, 0.42, (axle - half + cab_length / 2,), 1.62, 0.14))
    offset = np.array([half - cab_length / 2, 0.0, 0.0])
    wheels, centres = heavy_wheels(size, None, (axle, axle - size.wheelbase), size.width / 2 - 0.08)
    well = box((axle - 0.55, -size.width / 2 + 0.42, 0.40), (axle + 0.55, size.width / 2 - 0.42, 1.10), SHADOW)
    cab = [shell.mesh([PLASTIC, *[paint] * (len(rows_of_cells()) - 1)]), *_cab_trim(shell, cab_size)]
    cab += heavy_mirrors(cab_length / 2 - 0.06, size, cab_height - 1.05, 0.10)
    rear_x, front_x = -half, half - cab_length - 0.12
    load, roof = _LOADS[kind](rear_x, front_x, size, rng)
    parts = [
        *(shifted(part, offset) for part in cab),
        well,
        *wheels,
        *_chassis(rear_x, front_x, axle - size.wheelbase, size),
        *load,
    ]
    corner_front = shell.section(np.array(cab_length / 2 - 0.22), np.array(2.5)) + offset
    corner_rear = roof if roof is not None else shell.section(np.array(-cab_length / 2 + 0.12), np.array(2.5)) + offset
    head = shell.nose(np.array(0.80), np.array(0.74)) + LAMP_LIFT + offset
    return Mesh.concat(parts), np.stack(
        [*centres, head, np.array([rear_x + 0.005, 0.88, 0.80]), corner_front, corner_rear]
    )


def _cab_trim(shell: Shell, size: Size) -> list[Mesh]:
    """Windows, doors, grille and lamps of a lorry's cab, in the cab's own frame."""
    half, top = size.length / 2, size.height
    window = [(half - 0.32, 1.62), (half - 1.22, 1.66), (half - 1.22, top - 0.42), (half - 0.42, top - 0.42)]
    sides = [panel(shell.side, window, GLASS, outward=LEFT, cells=(4, 3))]
    for x in (half - 0.24, half - 1.34):
        seam = [(x, 1.16), (x - 0.016, 1.16), (x - 0.016, top - 0.36), (x, top - 0.36)]
        sides.append(panel(shell.side, seam, SHADOW, outward=LEFT, cells=(1, 10), lift_m=0.012))
    lamps = [
        cap_lamp(shell.nose, (0.66, 0.95), (0.66, 0.82), HEADLIGHT, AHEAD),
        cap_lamp(shell.nose, (0.72, 0.96), (0.56, 0.63), INDICATOR, AHEAD),
    ]
    return [
        *both_sides([*sides, *lamps]),
        sheet(shell.nose, 0.97, 1.58, top - 0.30, GLASS, AHEAD),
        sheet(shell.nose, 0.72, 0.98, 1.42, PLASTIC, AHEAD),
        sheet(shell.nose, 0.97, 0.44, 0.90, PLASTIC, AHEAD, 0.003),
        sheet(shell.nose, 0.22, 0.50, 0.61, PLATE, AHEAD, 0.012),
    ]


def _chassis(rear_x: float, front_x: float, rear_axle: float, size: Size) -> list[Mesh]:
    """Frame, mudguards, side guards, tank, rear lamps and underrun bar."""
    side = size.width / 2
    lamps = [
        box((rear_x + 0.005, a, 0.74), (rear_x + 0.05, b, 0.86), material)
        for a, b, material in ((1.00, 1.12, INDICATOR), (0.82, 1.00, BRAKE_LIGHT), (0.64, 0.82, TAIL_LIGHT))
    ]
    reach = size.wheel_radius + 0.55
    guards = [
        box((rear_axle + reach, side - 0.12, z), (front_x - 0.75, side - 0.06, z + 0.14), STEEL) for z in (0.48, 0.76)
    ]
    tank = box((front_x - 0.70, side - 0.60, 0.46), (front_x + 0.02, side - 0.10, 0.98), PLASTIC, bevel_m=0.10)
    top = 2 * size.wheel_radius + 0.03
    mudguard = box((rear_axle - 0.55, side - 0.70, top), (rear_axle + 0.55, side - 0.06, top + 0.04), PLASTIC)
    return [
        *both_sides([*lamps, *guards, tank, mudguard]),
        box((rear_x + 0.03, -0.48, 0.62), (front_x + 1.2, 0.48, 0.98), SHADOW),
        box((rear_x + 0.03, -side + 0.10, 0.70), (rear_x + 0.12, side - 0.10, 0.90), PLASTIC),
        box((rear_x + 0.04, -side + 0.14, 0.44), (rear_x + 0.12, side - 0.14, 0.56), STEEL),
        box((rear_x, -0.26, 0.58), (rear_x + 0.02, 0.26, 0.69), PLATE),
    ]


def _body_colour(rng: np.random.Generator) -> Material:
    """White, silver, or now and then a colour."""
    if rng.random() < _COLOURED_FRACTION:
        red, green, blue = (float(c) for c in rng.uniform(0.02, 0.30, 3))
        return Material((red, green, blue), 0.2)
    return Material((0.68, 0.68, 0.67), 0.15) if rng.random() < 0.7 else Material((0.30, 0.31, 0.32), 0.3)


def _load_box(rear_x: float, front_x: float, size: Size, rng: np.random.Generator) -> tuple[list[Mesh], np.ndarray]:
    """A closed box with a stripe, edge rails and rear doors; and its left rear top corner."""
    side, low, top = size.width / 2, 1.05, size.height
    colour, stripe = _body_colour(rng), _body_colour(rng)
    body = box((rear_x + 0.03, -side, low), (front_x, side, top), colour, bevel_m=0.025)
    parts = [body, box((rear_x + 0.01, -side + 0.05, low + 0.06), (rear_x + 0.04, side - 0.05, top - 0.06), colour)]
    parts.append(box((rear_x, -0.012, low + 0.08), (rear_x + 0.02, 0.012, top - 0.08), SHADOW))
    z = low + float(rng.uniform(0.25, 0.55)) * (top - low)
    band = box(
        (rear_x + 0.35, side - 0.01, z), (front_x - 0.35, side + 0.006, z + float(rng.uniform(0.2, 0.6))), stripe
    )
    rail = box((rear_x + 0.04, side - 0.01, low), (front_x - 0.01, side + 0.008, low + 0.09), STEEL)
    if size.height - 2.95 > 0.3:
        parts.append(
            box((front_x - 0.02, -0.8, 2.75), (front_x + 0.10, 0.8, size.height - 0.35), PLASTIC, bevel_m=0.04)
        )
    return [*parts, *both_sides([band, rail])], np.array([rear_x + 0.05, side - 0.01, top - 0.01])


def _open_body(rear_x: float, front_x: float, side: float, floor: float, top: float, wall: Material) -> list[Mesh]:
    """Floor, four walls and stakes of an open body."""
    thick = 0.06
    parts = [box((rear_x, -side, floor - 0.12), (front_x, side, floor), _PLANKS)]
    parts.append(box((rear_x, -side, floor), (rear_x + thick, side, top), wall))
    parts.append(box((front_x - thick, -side, floor), (front_x, side, top + 0.35), wall))
    walls = [box((rear_x + thick, side - thick, floor), (front_x - thick, side, top), wall)]
    for x in np.linspace(rear_x + 0.2, front_x - 0.2, 6):
        walls.append(box((x - 0.04, side - 0.02, floor - 0.05), (x + 0.04, side + 0.02, top + 0.01), wall))
    return parts + both_sides(walls)


def _load_tipper(rear_x: float, front_x: float, size: Size, rng: np.random.Generator) -> tuple[list[Mesh], None]:
    """An open steel tipper, filled with a heap."""
    side, colour = size.width / 2 - 0.04, _body_colour(rng)
    parts = _open_body(rear_x, front_x, side, 1.10, 2.05, colour)
    heap = box(
        (rear_x + 0.1, -side + 0.1, 1.15),
        (front_x - 0.1, side - 0.1, float(rng.uniform(1.75, 2.2))),
        _GRAVEL,
        bevel_m=0.35,
    )
    return [*parts, heap], None


def _load_flatbed(rear_x: float, front_x: float, size: Size, rng: np.random.Generator) -> tuple[list[Mesh], None]:
    """A flat bed with low walls and a few pallets."""
    side = size.width / 2 - 0.04
    parts = _open_body(rear_x, front_x, side, 1.12, 1.50, _body_colour(rng))
    x = rear_x + 0.3
    while x < front_x - 1.4:
        high = 1.12 + float(rng.uniform(0.3, 1.2))
        shade = float(rng.uniform(0.05, 0.4))
        parts.append(
            box((x, -0.9, 1.13), (x + 1.1, 0.9, high), Material((shade, 0.85 * shade, 0.7 * shade)), bevel_m=0.04)
        )
        x += float(rng.uniform(1.2, 1.9))
    return parts, None


_LOADS = {"box": _load_box, "tipper": _load_tipper, "flatbed": _load_flatbed}
