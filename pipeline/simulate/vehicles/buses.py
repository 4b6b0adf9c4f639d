"""Build city buses: shell, window bands, doors, displays and roof units.

Metres; x forward, y left, z up. Doors are on the right, for traffic that keeps right.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.body import Shell, loft, rows_of_cells
from pipeline.simulate.vehicles.heavy import (
    cap_lamp,
    double_door,
    heavy_mirrors,
    heavy_wheels,
    sheet,
    upright_outline,
    window_band,
)
from pipeline.simulate.vehicles.parts import (
    AHEAD,
    AMBER_SIGN,
    BACK,
    BRAKE_LIGHT,
    GLASS,
    HEADLIGHT,
    INDICATOR,
    LAMP_LIFT,
    LEFT,
    PLASTIC,
    PLATE,
    TAIL_LIGHT,
    UP,
    Material,
    both_sides,
    box,
    mirrored_mesh,
    panel,
)
from pipeline.simulate.vehicles.styles import Size


def build_bus(size: Size, paint: Material, rng: np.random.Generator) -> tuple[Mesh, np.ndarray]:
    """A city bus and its left keypoints (6, 3)."""
    front_axle = size.length / 2 - 0.445 * (size.length - size.wheelbase)
    axles = (front_axle, front_axle - size.wheelbase)
    shell = loft(upright_outline(size.length, size, 0.34, axles, 1.10, 0.16))
    parts = [shell.mesh(_livery(paint, rng))]
    wheels, centres = heavy_wheels(size, shell, axles, size.width / 2 - 0.05)
    parts += [*wheels, *_bus_windows(shell, size), *_bus_ends(shell, size), *_bus_roof(size, paint, rng)]
    parts += heavy_mirrors(size.length / 2 - 0.02, size, size.height - 0.95, 0.05)
    half = size.length / 2
    points = np.stack([
        shell.nose(np.array(0.80), np.array(0.74)) + LAMP_LIFT, shell.tail(np.array(0.91), np.array(1.0)) - LAMP_LIFT,
        shell.section(np.array(half - 0.25), np.array(2.5)), shell.section(np.array(-half + 0.12), np.array(2.5)),
    ])  # fmt: skip
    return Mesh.concat(parts), np.concatenate([centres, points])


def _livery(paint: Material, rng: np.random.Generator) -> list[Material]:
    """Materials of the rows of cells: one colour, a white roof, or a lower band in a second colour."""
    rows = rows_of_cells()
    white = Material((0.70, 0.70, 0.69), paint.gloss)
    kind = int(rng.integers(3))
    upper, lower = [(paint, paint), (white, paint), (paint, white)][kind]
    return [PLASTIC if v < 0.16 else lower if v < 0.8 else upper for v in rows]


def _bus_windows(shell: Shell, size: Size) -> list[Mesh]:
    """Bands of side windows with pillars between them, and the doors on the right."""
    half, low, high = size.length / 2, 1.14, size.height - 0.52
    rear, front = -half + 0.45, half - 0.55
    edges = np.linspace(front, rear, round((front - rear) / 1.45) + 1)

    def pane(corners: list[tuple[float, float]]) -> Mesh:
        return panel(shell.side, corners, GLASS, outward=LEFT, cells=(2, 2), lift_m=0.008)

    doors = [part for x in (half - 0.72, -0.35) for part in double_door(shell, x, high, frame_m=0.012, glass_m=0.017)]
    band = window_band(shell, edges, low, high, pane, cells=(12, 2))
    return both_sides(band) + [mirrored_mesh(part) for part in doors]


def _bus_ends(shell: Shell, size: Size) -> list[Mesh]:
    """Windscreen, destination display, lamps, plates and rear window."""
    top = size.height
    lamps = [
        cap_lamp(shell.nose, (0.66, 0.95), (0.66, 0.82), HEADLIGHT, AHEAD),
        cap_lamp(shell.nose, (0.80, 0.96), (0.56, 0.63), INDICATOR, AHEAD),
        cap_lamp(shell.tail, (0.84, 0.98), (1.06, 1.24), TAIL_LIGHT, BACK),
        cap_lamp(shell.tail, (0.84, 0.98), (0.90, 1.06), BRAKE_LIGHT, BACK),
        cap_lamp(shell.tail, (0.84, 0.98), (0.76, 0.90), INDICATOR, BACK),
    ]
    return [
        *both_sides(lamps),
        sheet(shell.nose, 0.985, 1.02, top - 0.22, GLASS, AHEAD),
        sheet(shell.nose, 0.62, top - 0.47, top - 0.28, AMBER_SIGN, AHEAD, 0.012),
        sheet(shell.nose, 0.60, 0.40, 0.55, PLASTIC, AHEAD),
        sheet(shell.nose, 0.22, 0.58, 0.69, PLATE, AHEAD, 0.012),
        sheet(shell.tail, 0.90, 1.55, top - 0.45, GLASS, BACK),
        sheet(shell.tail, 0.78, 0.52, 1.30, PLASTIC, BACK, 0.004),
        sheet(shell.tail, 0.22, 1.36, 1.47, PLATE, BACK, 0.012),
        sheet(shell.tail, 0.20, top - 0.40, top - 0.26, AMBER_SIGN, BACK),
    ]


def _bus_roof(size: Size, paint: Material, rng: np.random.Generator) -> list[Mesh]:
    """Air conditioner and hatches on the roof."""
    z, x = size.height - 0.02, float(rng.uniform(-0.25, 0.15)) * size.length
    unit = box((x - 1.2, -0.75, z - 0.03), (x + 1.2, 0.75, z + 0.17), Material((0.55, 0.55, 0.54), 0.15), bevel_m=0.08)
    fan = panel(lambda a, b: np.stack([a, b, np.full_like(a, z + 0.17)], -1),
                [(x - 0.9, -0.5), (x + 0.9, -0.5), (x + 0.9, 0.5), (x - 0.9, 0.5)], PLASTIC, outward=UP)  # fmt: skip
    hatches = [box((at - 0.35, -0.3, z - 0.03), (at + 0.35, 0.3, z + 0.05), paint, bevel_m=0.03)
               for at in (0.36 * size.length, -0.38 * size.length)]  # fmt: skip
    return [unit, fan, *hatches]
