"""What buses and lorries share: upright shells, steel wheels, bands of windows, doors, sheets on their ends, mirrors.

Metres; x forward, y left, z up.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.body import BodyLines, Shell
from pipeline.simulate.vehicles.parts import (
    GLASS,
    LEFT,
    PLASTIC,
    SHADOW,
    STEEL,
    Axis,
    Material,
    Surface,
    both_sides,
    box,
    panel,
    shifted,
    wheel,
)
from pipeline.simulate.vehicles.styles import Size

MIRROR_OVERHANG_M = 0.18


def upright_outline(
    length: float, size: Size, bottom: float, axles: tuple[float, ...], belt: float, edge: float
) -> BodyLines:
    """An upright shell: flat roof, nearly vertical ends."""
    half, z = length / 2, size.height
    top = ((-half, z - 0.02), (-half + 0.35, z), (half - 0.5, z), (half, z - 0.03))
    return BodyLines(
        length, size.width, top, ((-half, belt), (half, belt)), bottom, axles, size.wheel_radius,
        1.16 * size.wheel_radius, 1.5, edge,
        ((bottom, 0.05), (bottom + 0.25, 0.0), (belt, 0.02), (z, 0.16)),
        ((bottom, 0.04), (bottom + 0.3, 0.0), (z, 0.05)),
        0.10, 0.03, 0.04, 0.02, waist=0.015, crown_m=0.05,
    )  # fmt: skip


def heavy_wheels(
    size: Size, shell: Shell | None, axles: tuple[float, ...], face: float
) -> tuple[list[Mesh], np.ndarray]:
    """Steel wheels at the axles, with dark boxes behind where a shell hides them, and the left centres (2, 3)."""
    r, width = size.wheel_radius, 0.30
    parts, centres = [], []
    for k, x in enumerate(axles):
        left = wheel(r, width if k == 0 else 2 * width, rim=0.58, spokes=0, metal=STEEL)
        parts += both_sides([shifted(left, (x, face, r))])
        centres.append((x, face, r))
        if shell is not None:
            inner, arch = face - (k + 1) * width - 0.03, shell.outline.arch_m
            parts.append(box((x - arch - 0.02, -inner, 0.25), (x + arch + 0.02, inner, r + arch + 0.01), SHADOW))
    return parts, np.array(centres)


def window_band(
    shell: Shell, edges: np.ndarray, low: float, high: float, pane: Callable[[list[tuple[float, float]]], Mesh],
    *, cells: tuple[int, int],
) -> list[Mesh]:  # fmt: skip
    """A dark band on the left side from low to high, with a `pane` of these corners between each two edges, x from the
    front to the rear."""
    front, rear = edges[0] + 0.03, edges[-1] - 0.03
    frame = [(front, low - 0.03), (rear, low - 0.03), (rear, high + 0.03), (front, high + 0.03)]
    parts = [panel(shell.side, frame, PLASTIC, outward=LEFT, cells=cells, lift_m=0.004)]
    for a, b in zip(edges[:-1] - 0.04, edges[1:] + 0.04, strict=True):
        parts.append(pane([(a, low), (b, low), (b, high), (a, high)]))
    return parts


def double_door(shell: Shell, x: float, high: float, *, frame_m: float, glass_m: float) -> list[Mesh]:
    """A double door on the left side with its front edge at x: two tall panes in a dark frame, lifted off the side."""
    frame = [(x, 0.40), (x - 1.25, 0.40), (x - 1.25, high + 0.05), (x, high + 0.05)]
    parts = [panel(shell.side, frame, PLASTIC, outward=LEFT, cells=(3, 4), lift_m=frame_m)]
    for a in (x - 0.06, x - 0.65):
        leaf = [(a, 0.55), (a - 0.53, 0.55), (a - 0.53, high), (a, high)]
        parts.append(panel(shell.side, leaf, GLASS, outward=LEFT, cells=(2, 4), lift_m=glass_m))
    return parts


def sheet(
    surface: Surface, t: float, low: float, high: float, material: Material, outward: Axis, lift: float = 0.006
) -> Mesh:
    """A centred panel of a cap, from -t to t and low to high."""
    corners = [(t, low), (-t, low), (-t, high), (t, high)]
    return panel(surface, corners, material, outward=outward, cells=(8, 4), lift_m=lift)


def cap_lamp(
    surface: Surface,
    t: tuple[float, float],
    z: tuple[float, float],
    material: Material,
    outward: Axis,
    lift: float = 0.008,
) -> Mesh:
    """A left lamp of a cap."""
    corners = [(t[0], z[0]), (t[1], z[0]), (t[1], z[1]), (t[0], z[1])]
    return panel(surface, corners, material, outward=outward, cells=(2, 1), lift_m=lift)


def heavy_mirrors(x: float, size: Size, z: float, lead: float) -> list[Mesh]:
    """Tall mirrors on arms ahead of both front corners."""
    outer = size.width / 2 + MIRROR_OVERHANG_M
    head = box((x - 0.06 - lead, outer - 0.20, z), (x + 0.04 - lead, outer, z + 0.42), PLASTIC, bevel_m=0.03)
    arm = box((x - 0.20 - lead, size.width / 2 - 0.16, z + 0.36), (x - 0.03 - lead, outer - 0.08, z + 0.41), PLASTIC)
    return both_sides([head, arm])
