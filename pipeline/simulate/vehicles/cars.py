"""Build bonneted vehicles, from hatchback to minibus: shell, glass, lamps, wheels and fittings.

Metres; x forward, y left, z up. Side panels are made on the left and mirrored.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.body import Shell, loft, rows_of_cells
from pipeline.simulate.vehicles.parts import (
    AHEAD,
    ALLOY,
    AMBER_SIGN,
    BACK,
    BRAKE_LIGHT,
    CHROME,
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
    UP,
    Material,
    Surface,
    both_sides,
    box,
    panel,
    shifted,
    wheel,
)
from pipeline.simulate.vehicles.styles import STYLES, Plan, Size, body_lines, plan, varied_style

# How often a body type carries roof rails, a glass roof, a taxi sign, a ladder rack.
EXTRAS: dict[str, tuple[float, float, float, float]] = {
    "hatchback": (0.05, 0.15, 0.02, 0.0),
    "sedan": (0.0, 0.20, 0.12, 0.0),
    "wagon": (0.80, 0.20, 0.10, 0.0),
    "suv": (0.70, 0.30, 0.0, 0.0),
    "van": (0.0, 0.0, 0.0, 0.25),
}


def build_car(body: str, size: Size, paint: Material, rng: np.random.Generator) -> tuple[Mesh, np.ndarray]:
    """The mesh of one vehicle and its left keypoints (6, 3): wheels, lamps and roof corners, front before rear."""
    style = varied_style(STYLES[body], rng)
    p = plan(style, size)
    shell = loft(body_lines(p))
    lip = PLASTIC if style.cladding else paint
    parts = [shell.mesh([lip] + [paint] * (len(rows_of_cells()) - 1))]
    wheels, wheel_centres = _wheels(p, shell, rng)
    parts += [*wheels, *_glass(p, shell), *_seams(p, shell, paint), *_front_face(p, shell), *_rear(p, shell)]
    parts += [*_mirrors(p, shell, paint), *_extras(body, p, shell, rng)]
    return Mesh.concat(parts), np.concatenate([wheel_centres, _lamp_and_roof_points(p, shell)])


def _wheels(p: Plan, shell: Shell, rng: np.random.Generator) -> tuple[list[Mesh], np.ndarray]:
    """Four wheels, the dark boxes behind them, and the left wheel centres (2, 3) on the outer face."""
    radius, arch = p.size.wheel_radius, shell.outline.arch_m
    width, spokes = 0.62 * radius, int(rng.choice([5, 6, 7]))
    if p.style.upright:
        left = wheel(radius, width, rim=0.64, spokes=0, metal=STEEL)
    else:
        left = wheel(radius, width, rim=0.70, spokes=spokes, metal=ALLOY)
    centres, parts = [], []
    for x in (p.front_axle, p.rear_axle):
        y = float(shell.side(np.array(x), np.array(radius + arch + 0.06))[1]) - 0.025
        centres.append((x, y, radius))
        parts += both_sides([shifted(left, (x, y, radius))])
        inner = y - width - 0.03
        parts.append(box((x - arch - 0.02, -inner, 0.16), (x + arch + 0.02, inner, radius + arch + 0.01), SHADOW))
    return parts, np.array(centres)


def _glass(p: Plan, shell: Shell) -> list[Mesh]:
    """Windscreen, side windows behind a dark frame, and rear window."""
    s = p.style

    def flank(x: np.ndarray, fraction: np.ndarray) -> np.ndarray:
        return shell.section(x, 1 + fraction)

    parts = [
        panel(shell.top, [(p.cowl - 0.03, 1), (p.header + 0.02, 1), (p.header + 0.02, -1), (p.cowl - 0.03, -1)],
              GLASS, outward=UP, cells=(6, 6), lift_m=0.010),
        panel(shell.top, [(p.cowl + 0.07, 0.96), (p.cowl - 0.03, 0.98), (p.cowl - 0.03, -0.98), (p.cowl + 0.07, -0.96)],
              PLASTIC, outward=UP, cells=(2, 8), lift_m=0.004),
    ]  # fmt: skip
    sides = [_window(p, flank, 0.0, 1.0, PLASTIC, 0.003, 0.0)] if len(s.windows) else []
    if s.windows:
        ends = zip([0.0, *s.windows], [*s.windows, 1.0], strict=True)
        sides += [_window(p, flank, a, b, GLASS, 0.007, 0.028) for a, b in ends]
    else:  # a panel van: glass in the cab doors only
        end = p.header - 0.42
        corners = [(p.glass_front, 0.06), (end, 0.06), (end, 0.50), (p.glass_front, 0.90)]
        sides = [panel(flank, corners, GLASS, outward=LEFT, cells=(6, 3))]
    return parts + both_sides(sides) + [_rear_window(p, shell)]


def _window(p: Plan, flank: Surface, start: float, end: float, material: Material, lift: float, frame: float) -> Mesh:
    """One side pane between two fractions of the glazed length, its frame left free."""
    foot, head = p.style.glass_rear
    lean = (p.tail_x + head) - (p.tail_x + foot)
    top = 0.94 if not p.style.upright else 0.80
    a, b = p.glazed(start) - frame, p.glazed(end) + frame
    inset = 0.05 if frame else 0.0
    corners = [(a, 0.04 + inset), (b, 0.04 + inset), (b + lean * end, top), (a + lean * start, top)]
    return panel(flank, corners, material, outward=LEFT, cells=(5, 3), lift_m=lift)


def _rear_window(p: Plan, shell: Shell) -> Mesh:
    """The rear window, in the slope behind the roof or upright in the tail."""
    s = p.style
    if s.upright:
        low, high = s.belt_rear * p.scale + 0.04, min(p.size.height - 0.35, 1.95)
        return panel(
            shell.tail, [(0.84, low), (-0.84, low), (-0.82, high), (0.82, high)], GLASS, outward=BACK, cells=(6, 3)
        )
    low, high = p.tail_x + s.rear_base + 0.04, p.roof_rear - 0.03
    return panel(shell.top, [(low, 0.96), (high, 0.98), (high, -0.98), (low, -0.96)], GLASS, outward=UP, cells=(5, 6))


def _seams(p: Plan, shell: Shell, paint: Material) -> list[Mesh]:
    """Door gaps, handles and a dark sill line on both sides."""
    s, arch, parts = p.style, shell.outline.arch_m, []
    low = s.sill + 0.10
    for fraction in s.doors:
        x = p.glazed(fraction)
        high = float(shell.section(np.array(x), np.array(1.0))[2])
        over_wheel = min(abs(x - p.front_axle), abs(x - p.rear_axle)) < arch + 0.03
        foot = p.size.wheel_radius + arch + 0.06 if over_wheel else low
        parts.append(panel(shell.side, [(x, foot), (x - 0.014, foot), (x - 0.014, high), (x, high)], SHADOW,
                           outward=LEFT, cells=(1, 8), lift_m=0.010))  # fmt: skip
    for fraction in s.doors[1:3]:
        x, z = p.glazed(fraction) + 0.20, s.belt_rear * p.scale - 0.10
        y = float(shell.side(np.array(x), np.array(z))[1])
        handle = PLASTIC if s.upright else paint
        parts.append(box((x - 0.10, y - 0.01, z - 0.018), (x + 0.08, y + 0.025, z + 0.018), handle, bevel_m=0.008))
    a, b = p.front_axle - arch - 0.03, p.rear_axle + arch + 0.03
    sill = [(a, s.sill + 0.01), (b, s.sill + 0.01), (b, s.sill + 0.07), (a, s.sill + 0.07)]
    parts.append(panel(shell.side, sill, PLASTIC, outward=LEFT, cells=(6, 1), lift_m=0.004))
    return both_sides(parts)


def _front_face(p: Plan, shell: Shell) -> list[Mesh]:
    """Headlights that wrap around the corners, indicators, grille, lower intake and number plate."""
    top = float(shell.front[-1, 0, 2])
    low, high, end = top - 0.19, top - 0.05, float(shell.x[-1])
    wrap = [(end - 0.015, low + 0.01), (end - 0.24, low + 0.07), (end - 0.24, high + 0.005), (end - 0.015, high)]
    lamp = [
        panel(shell.nose, [(0.57, low + 0.03), (0.99, low - 0.005), (0.99, high + 0.012), (0.57, high + 0.012)],
              PLASTIC, outward=AHEAD, cells=(3, 2), lift_m=0.003),
        panel(shell.nose, [(0.60, low + 0.05), (0.985, low + 0.015), (0.985, high), (0.60, high)], HEADLIGHT,
              outward=AHEAD, cells=(3, 2)),
        panel(shell.side, wrap, HEADLIGHT, outward=LEFT, cells=(4, 2)),
        panel(shell.nose, [(0.66, low), (0.985, low - 0.035), (0.985, low + 0.008), (0.66, low + 0.043)], INDICATOR,
              outward=AHEAD, cells=(2, 1), lift_m=0.007),
    ]  # fmt: skip
    middle = 0.5 * (p.style.sill + low)
    grille = [(0.52, low + 0.02), (-0.52, low + 0.02), (-0.56, high - 0.01), (0.56, high - 0.01)]
    intake = [(0.80, p.style.sill + 0.03), (-0.80, p.style.sill + 0.03), (-0.70, middle), (0.70, middle)]
    parts = [
        panel(shell.nose, grille, PLASTIC, outward=AHEAD, cells=(8, 2)),
        panel(shell.nose, [(0.14, high - 0.08), (-0.14, high - 0.08), (-0.14, high - 0.05), (0.14, high - 0.05)],
              CHROME, outward=AHEAD, cells=(2, 1), lift_m=0.010),
        panel(shell.nose, intake, PLASTIC, outward=AHEAD, cells=(8, 3), lift_m=0.010),
        _plate(p, shell.nose, middle + 0.01, AHEAD),
    ]  # fmt: skip
    return both_sides(lamp) + parts


def _plate(p: Plan, cap: Surface, z: float, outward: tuple[int, int, int]) -> Mesh:
    """A number plate of 52 by 11 cm with its lower edge at z."""
    t = 0.26 / (p.size.width / 2 * 0.86)
    return panel(
        cap, [(t, z), (-t, z), (-t, z + 0.11), (t, z + 0.11)], PLATE, outward=outward, cells=(2, 1), lift_m=0.012
    )


def _rear_lamp_band(p: Plan, shell: Shell) -> tuple[float, float]:
    """Lower and upper edge of the rear lamps."""
    if p.style.upright:
        return 0.72, 1.12
    high = float(shell.rear[-1, 0, 2]) - 0.06
    return high - (0.30 if p.style.tall_lamps else 0.17), high


def _rear(p: Plan, shell: Shell) -> list[Mesh]:
    """Tail, brake and indicator lamps, dark lower bumper, number plate and third brake light."""
    low, high = _rear_lamp_band(p, shell)
    s, end, inner = p.style, float(shell.x[0]), 0.86 if (p.style.tall_lamps) else 0.66
    cut = low + 0.62 * (high - low), low + 0.30 * (high - low)
    rim = [(0.99, low - 0.012), (inner - 0.03, low - 0.012), (inner - 0.03, high + 0.012), (0.99, high + 0.012)]
    lamp = [panel(shell.tail, rim, PLASTIC, outward=BACK, cells=(2, 3), lift_m=0.003)]
    for z0, z1, material in ((cut[0], high, TAIL_LIGHT), (cut[1], cut[0], BRAKE_LIGHT), (low, cut[1], INDICATOR)):
        corners = [(0.985, z0), (inner, z0), (inner, z1), (0.985, z1)]
        lamp.append(panel(shell.tail, corners, material, outward=BACK, cells=(2, 1)))
    reach = 0.07 if s.upright else 0.20
    wrap = [(end + reach, low + 0.04), (end + 0.015, low + 0.02), (end + 0.015, high), (end + reach, high)]
    lamp.append(panel(shell.side, wrap, TAIL_LIGHT, outward=LEFT, cells=(4, 3), lift_m=0.012))
    skirt = [
        (0.96, s.sill + 0.01),
        (-0.96, s.sill + 0.01),
        (-0.96, 0.46 + 0.3 * (s.sill - 0.2)),
        (0.96, 0.46 + 0.3 * (s.sill - 0.2)),
    ]
    plate_z = 0.52 if s.upright else max(0.55, low - 0.16)
    parts = [
        panel(shell.tail, skirt, PLASTIC, outward=BACK, cells=(8, 2), lift_m=0.005),
        _plate(p, shell.tail, plate_z, BACK),
    ]
    if s.upright:
        z = p.size.height - 0.20
        parts.append(
            panel(shell.tail, [(0.12, z), (-0.12, z), (-0.12, z + 0.03), (0.12, z + 0.03)], BRAKE_LIGHT, outward=BACK)
        )
        gap = [(0.006, 0.5), (-0.006, 0.5), (-0.006, z), (0.006, z)]
        parts.append(panel(shell.tail, gap, SHADOW, outward=BACK, cells=(1, 8), lift_m=0.008))
    else:
        x = p.roof_rear - 0.01
        parts.append(panel(shell.top, [(x - 0.03, 0.2), (x, 0.2), (x, -0.2), (x - 0.03, -0.2)], BRAKE_LIGHT, outward=UP,
                           cells=(1, 3), lift_m=0.012))  # fmt: skip
    return both_sides(lamp) + parts


def mirror_overhang(upright: bool) -> float:
    """How far a door mirror stands out over the body, metres."""
    return 0.12 if upright else 0.10


def _mirrors(p: Plan, shell: Shell, paint: Material) -> list[Mesh]:
    """Both door mirrors on short arms."""
    tall = 0.34 if p.style.upright else 0.15
    x = p.glass_front - 0.10
    y, z = shell.section(np.array(x), np.array(1.05))[1:]
    outer = p.size.width / 2 + mirror_overhang(p.style.upright)
    shape = PLASTIC if p.style.upright else paint
    head = box((x - 0.06, outer - 0.22, z + 0.03), (x + 0.05, outer, z + 0.03 + tall), shape, bevel_m=0.03)
    glass = box((x - 0.066, outer - 0.20, z + 0.05), (x - 0.058, outer - 0.02, z + 0.01 + tall), GLASS)
    arm = box((x - 0.04, float(y) - 0.04, z), (x + 0.03, outer - 0.10, z + 0.06), PLASTIC)
    return both_sides([head, glass, arm])


def _extras(body: str, p: Plan, shell: Shell, rng: np.random.Generator) -> list[Mesh]:
    """What only some carry: roof rails, a glass roof, a taxi sign, a ladder rack; always sampled in one order."""
    rails, glass_roof, taxi, rack = rng.random(4) < np.array(EXTRAS.get(body, (0, 0, 0, 0)))
    parts: list[Mesh] = []
    middle = 0.5 * (p.header + p.roof_rear)
    if rails:
        parts += _rails(p, shell)
    if glass_roof:
        a, b = p.header - 0.16, middle - 0.25
        parts.append(panel(shell.top, [(a, 0.80), (b, 0.80), (b, -0.80), (a, -0.80)], GLASS, outward=UP, cells=(4, 6)))
    if taxi:
        z = p.size.height - 0.01
        parts.append(box((middle - 0.02, -0.26, z), (middle + 0.12, 0.26, z + 0.13), AMBER_SIGN, bevel_m=0.02))
    if rack:
        z, half = p.size.height, 0.38 * p.size.width
        for x in np.linspace(p.tail_x + 0.5, p.header - 0.7, 3):
            parts.append(box((x - 0.025, -half, z - 0.02), (x + 0.025, half, z + 0.05), STEEL))
    if not p.style.upright:
        x = p.roof_rear + 0.06
        z = float(shell.top(np.array(x), np.array(0.0))[2])
        parts.append(box((x - 0.06, -0.015, z - 0.01), (x + 0.03, 0.015, z + 0.04), PLASTIC, lean_m=-0.03))
    return parts


def _rails(p: Plan, shell: Shell) -> list[Mesh]:
    """Roof rails along both edges of the roof."""
    x = np.linspace(p.roof_rear + 0.10, p.header - 0.15, 5)
    points = shell.section(x, np.full(5, 2.9))
    segments = []
    for a, b in pairwise(points):
        low, high = np.minimum(a, b), np.maximum(a, b)
        segments.append(box((a[0], low[1] - 0.015, low[2] + 0.015), (b[0], high[1] + 0.015, high[2] + 0.05), CHROME))
    return both_sides(segments)


def _lamp_and_roof_points(p: Plan, shell: Shell) -> np.ndarray:
    """(4, 3) left headlight, back light, front and back roof corner, on the surface."""
    top = float(shell.front[-1, 0, 2])
    low, high = _rear_lamp_band(p, shell)
    inner = 0.93 if p.style.tall_lamps else 0.83
    rear_roof = p.tail_x + 0.10 if p.style.upright else p.roof_rear
    return np.stack(
        [
            shell.nose(np.array(0.80), np.array(top - 0.11)) + LAMP_LIFT,
            shell.tail(np.array(inner), np.array(0.5 * (low + high))) - LAMP_LIFT,
            shell.section(np.array(p.header), np.array(2.5)),
            shell.section(np.array(rear_roof), np.array(2.5)),
        ]
    )
