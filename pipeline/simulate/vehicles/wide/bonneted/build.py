"""Build bonneted vehicles, from microcar to long van: shell, glass, wheels, doors, mirrors and both ends.

Metres; x forward, y left, z up. What both sides have is made on the left and mirrored; fuel caps, exhausts, sliding
doors and folded mirrors are on one side only.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.body import Shell, loft, rows_of_cells
from pipeline.simulate.vehicles.parts import (
    BACK,
    GLASS,
    LEFT,
    PLASTIC,
    SHADOW,
    STEEL,
    UP,
    both_sides,
    box,
    lathe,
    mirrored_mesh,
    panel,
    shifted,
    wheel,
)
from pipeline.simulate.vehicles.wide.bonneted.ends import front_end, rear_end
from pipeline.simulate.vehicles.wide.bonneted.outlines import Design
from pipeline.simulate.vehicles.wide.looks import Looks
from pipeline.simulate.vehicles.wide.sheets import disc_on, pane

MIRROR_M = 0.11  # how far a door mirror stands out over the body


def build_bonneted(
    d: Design, looks: Looks, rng: np.random.Generator, *, windows: bool = True, rear: bool = True
) -> tuple[list[Mesh], np.ndarray, Shell]:
    """Parts of a vehicle without fittings, its left keypoints (6, 3), and its shell.

    windows: behind the front doors. Without `rear` it is a cab: the keypoints of its rear are to be replaced.
    """
    shell = loft(d.lines if rear else replace(d.lines, axles_x=d.lines.axles_x[:1]))
    wheels, centres = _wheels(d, shell, looks)
    front, tail = front_end(d, shell, looks, rng), rear_end(d, shell, looks, rng)
    parts = [_painted(d, shell, looks), *front.parts]
    parts += [*wheels, *tail.parts] if rear else wheels[: len(wheels) // 2]
    parts += [*_glass(d, shell, looks, windows=windows), *_doors(d, shell, looks, rng), *_mirrors(d, shell, looks, rng)]
    parts += _one_sided(d, shell, looks, rng) if rear else []
    return parts, np.concatenate([centres, [front.lamp, tail.lamp], roof_corners(d, shell)]), shell


def _painted(d: Design, shell: Shell, looks: Looks) -> Mesh:
    """The shell's mesh: sills, flanks, and above the belt the cabin, whose colour bonnet and load bed do not share."""
    flank = [looks.lower if v < 0.72 else looks.paint if v < 1 else looks.upper for v in rows_of_cells()[1:]]
    mesh = shell.mesh([looks.lip, *flank])
    if looks.upper == looks.paint:
        return mesh
    x = mesh.vertices[mesh.triangles, 0].mean(axis=1)
    behind = d.lines.bed[1] if d.lines.bed else -np.inf
    above = (mesh.albedo == np.array(looks.upper.albedo, np.float32)).all(axis=1)
    other = above & ((x > d.plan.cowl - 0.02) | (x < behind))
    albedo = np.where(other[:, None], np.array(looks.paint.albedo, np.float32), mesh.albedo)
    return replace(mesh, albedo=albedo, gloss=np.where(other, np.float32(looks.paint.gloss), mesh.gloss))


def roof_corners(d: Design, shell: Shell) -> np.ndarray:
    """(2, 3) left corners of the roof: its rounded edge over the windscreen's top, and over its rear end."""
    p = d.plan
    # An upright tail's roof ends a hand before the tail, where its edge has rounded off.
    rear = p.tail_x + 0.10 if d.style.square_tail else p.roof_rear
    return np.stack([shell.section(np.array(x), np.array(2.5)) for x in (p.header, rear)])


def _wheels(d: Design, shell: Shell, looks: Looks) -> tuple[list[Mesh], np.ndarray]:
    """Four wheels at the published tracks, dark boxes behind them, and the left centres (2, 3) on the outer face."""
    p, radius, arch = d.plan, d.plan.size.wheel_radius, shell.outline.arch_m
    width = min(0.62 * radius, 0.30)
    left = wheel(radius, width, rim=looks.rim, spokes=looks.spokes, metal=looks.metal)
    centres, parts = [], []
    for x, track in ((p.front_axle, d.dimensions.track_front), (p.rear_axle, d.dimensions.track_rear)):
        side = float(shell.side(np.array(x), np.array(radius + arch + 0.06))[1])
        y = float(np.clip(0.5 * (track + width), side - 0.07, side - 0.005))
        centres.append((x, y, radius))
        parts += both_sides([shifted(left, (x, y, radius))])
        inner = y - width - 0.03
        parts.append(box((x - arch - 0.02, -inner, 0.16), (x + arch + 0.02, inner, radius + arch + 0.01), SHADOW))
    return parts, np.array(centres)


def _glass(d: Design, shell: Shell, looks: Looks, *, windows: bool) -> list[Mesh]:
    """Windscreen, side windows behind a dark frame or bright strips, and rear window."""
    p, s = d.plan, d.style

    def flank(x: np.ndarray, fraction: np.ndarray) -> np.ndarray:
        return shell.section(x, 1 + fraction)

    screen = [(p.cowl - 0.03, 1), (p.header + 0.02, 1), (p.header + 0.02, -1), (p.cowl - 0.03, -1)]
    wipers = [(p.cowl + 0.07, 0.96), (p.cowl - 0.03, 0.98), (p.cowl - 0.03, -0.98), (p.cowl + 0.07, -0.96)]
    parts = [
        pane(shell.top, screen, looks, outward=UP, cells=(6, 7), lift_m=0.010, upright=0),
        panel(shell.top, wipers, PLASTIC, outward=UP, cells=(2, 8), lift_m=0.004),
    ]
    top = 0.80 if s.upright else 0.94
    if windows and s.windows:
        ends = [0.0, *s.windows, 1.0]
        sides = [_side(d, flank, 0.0, 1.0, top, looks, frame=True)]
        sides += [_side(d, flank, a, b, top, looks) for a, b in pairwise(ends) if b - a > 0.03]
    else:
        end, drop = p.header - 0.42, 0.5 if s.upright else 0.9
        corners = [(p.glass_front, 0.06), (end, 0.06), (end, drop), (p.glass_front - 0.05, 0.90)]
        sides = [pane(flank, corners, looks, outward=LEFT, cells=(5, 3))]
    rear = _rear_window(d, shell, looks) if windows or not s.square_tail or s.upright else []
    return parts + both_sides(sides) + rear


def _side(d: Design, flank, start: float, end: float, top: float, looks: Looks, *, frame: bool = False) -> Mesh:
    """One side pane between two fractions of the glazed length, or the frame around them all."""
    foot, head = d.style.glass_rear
    lean, room, inset = head - foot, 0.0 if frame else 0.028, 0.0 if frame else 0.05
    a, b = d.plan.glazed(start) - room, d.plan.glazed(end) + room
    corners = [(a, 0.04 + inset), (b, 0.04 + inset), (b + lean * end, top), (a + lean * start, top)]
    if frame:
        return panel(
            flank, corners, (PLASTIC, looks.trim)[int(looks.dirt * 1e4) % 2], outward=LEFT, cells=(8, 3), lift_m=0.003
        )
    return pane(flank, corners, looks, outward=LEFT, cells=(5, 3))


def _rear_window(d: Design, shell: Shell, looks: Looks) -> list[Mesh]:
    """The rear window, in the slope behind the roof or upright in the tail."""
    p, s = d.plan, d.style
    if s.square_tail or s.upright:
        low = s.belt_rear * p.scale + 0.05
        high = min(p.size.height - (0.35 if s.upright else 0.16), low + 0.85)
        if high - low < 0.12:
            return []
        corners = [(0.86, low), (-0.86, low), (-0.82, high), (0.82, high)]
        return [pane(shell.tail, corners, looks, outward=BACK, cells=(6, 3))]
    low, high = p.tail_x + s.rear_base + 0.04, p.roof_rear - 0.03
    corners = [(low, 0.96), (high, 0.98), (high, -0.98), (low, -0.96)]
    return [pane(shell.top, corners, looks, outward=UP, cells=(5, 6), upright=0)]


def _doors(d: Design, shell: Shell, looks: Looks, rng: np.random.Generator) -> list[Mesh]:
    """Door gaps, handles and strips along the sides."""
    s, p, arch, parts = d.style, d.plan, shell.outline.arch_m, []
    for fraction in s.doors:
        x = p.glazed(fraction)
        high = float(shell.section(np.array(x), np.array(1.0))[2])
        over = min(abs(x - p.front_axle), abs(x - p.rear_axle)) < arch + 0.03
        foot = p.size.wheel_radius + arch + 0.06 if over else s.sill + 0.10
        if foot < high - 0.05:
            seam = [(x, foot), (x - 0.014, foot), (x - 0.014, high), (x, high)]
            parts.append(panel(shell.side, seam, SHADOW, outward=LEFT, cells=(1, 6), lift_m=0.010))
    for fraction in s.doors[1:3]:
        x, z = p.glazed(fraction) + 0.20, s.belt_rear * p.scale - 0.10
        y = float(shell.side(np.array(x), np.array(z))[1])
        parts.append(
            box((x - 0.10, y - 0.01, z - 0.018), (x + 0.08, y + 0.025, z + 0.018), looks.mirror, bevel_m=0.008)
        )
    a, b = p.front_axle - arch - 0.03, p.rear_axle + arch + 0.03
    if rng.random() < 0.7:
        sill = [(a, s.sill + 0.01), (b, s.sill + 0.01), (b, s.sill + 0.07), (a, s.sill + 0.07)]
        parts.append(panel(shell.side, sill, looks.lip, outward=LEFT, cells=(6, 1), lift_m=0.004))
    if rng.random() < 0.2:
        lowest = s.sill + 0.2
        z = float(rng.uniform(lowest, max(lowest, 0.75 * s.belt_rear * p.scale)))
        strip = [(a, z), (b, z), (b, z + 0.05), (a, z + 0.05)]
        parts.append(
            panel(
                shell.side,
                strip,
                (PLASTIC, looks.trim)[int(rng.random() < 0.5)],
                outward=LEFT,
                cells=(6, 1),
                lift_m=0.012,
            )
        )
    if s.cladding:
        for x in (p.front_axle, p.rear_axle):
            parts.append(_arch_trim(shell, x, arch))
    return both_sides(parts)


def _arch_trim(shell: Shell, x: float, arch: float) -> Mesh:
    """A dark band around a wheel arch, as a sheet in polar coordinates about the axle."""
    radius = shell.outline.wheel_radius_m

    def around(angle: np.ndarray, r: np.ndarray) -> np.ndarray:
        return shell.side(x + r * np.cos(angle), radius + r * np.sin(angle))

    low, high = 0.12, np.pi - 0.12
    corners = [(low, arch + 0.006), (high, arch + 0.006), (high, arch + 0.06), (low, arch + 0.06)]
    return panel(around, corners, PLASTIC, outward=LEFT, cells=(8, 1), lift_m=0.007)


def _mirrors(d: Design, shell: Shell, looks: Looks, rng: np.random.Generator) -> list[Mesh]:
    """Both door mirrors on short arms; one may be folded or missing."""
    s, p = d.style, d.plan
    tall = 0.34 if s.upright else float(rng.uniform(0.11, 0.19))
    x = p.glass_front - 0.10
    y, z = shell.section(np.array(x), np.array(1.05))[1:]
    outer = p.size.width / 2 + MIRROR_M
    head = box((x - 0.06, outer - 0.22, z + 0.03), (x + 0.05, outer, z + 0.03 + tall), looks.mirror, bevel_m=0.03)
    glass = box((x - 0.066, outer - 0.20, z + 0.05), (x - 0.058, outer - 0.02, z + 0.01 + tall), GLASS)
    arm = box((x - 0.04, float(y) - 0.04, z), (x + 0.03, outer - 0.10, z + 0.06), PLASTIC)
    left = [head, glass, arm]
    folded = [
        box((x - 0.24, float(y) - 0.02, z + 0.03), (x, float(y) + 0.09, z + 0.03 + tall), looks.mirror, bevel_m=0.03)
    ]
    kind = rng.choice(4, p=[0.94, 0.02, 0.02, 0.02])
    sides = ((left, left), (folded, folded), (left, []), (folded, left))[kind]
    return [*sides[0], *(mirrored_mesh(part) for part in sides[1])]


def _one_sided(d: Design, shell: Shell, looks: Looks, rng: np.random.Generator) -> list[Mesh]:
    """What a vehicle has on one side: fuel cap, exhaust, the rail of a sliding door."""
    s, p, arch = d.style, d.plan, shell.outline.arch_m
    left: list[Mesh] = []
    x, z = p.rear_axle + float(rng.uniform(-0.1, 0.1)), p.size.wheel_radius + arch + float(rng.uniform(0.10, 0.18))
    if z < s.belt_rear * p.scale - 0.06:
        rim = disc_on(shell.side, (x, z), (0.085, 0.075), SHADOW, outward=LEFT, lift_m=0.006)
        left += [rim, disc_on(shell.side, (x, z), (0.075, 0.066), looks.paint, outward=LEFT, lift_m=0.010)]
    right: list[Mesh] = []
    if rng.random() < 0.7:
        pipe = _exhaust(p.tail_x, float(rng.uniform(0.25, 0.7)) * p.size.width / 2, d.lines.sill_m + 0.04)
        (left if rng.random() < 0.5 else right).append(pipe)
        if rng.random() < 0.2:
            right, left = right + [pipe], left + [pipe]
    if s.upright or (s.square_tail and not s.windows):
        a, b, z = p.glazed(s.doors[-1]) if s.doors else 0.0, p.tail_x + 0.25, s.belt_rear * p.scale - 0.16
        rail = panel(
            shell.side, [(a, z), (b, z), (b, z + 0.03), (a, z + 0.03)], SHADOW, outward=LEFT, cells=(4, 1), lift_m=0.011
        )
        right.append(rail)
        if rng.random() < 0.25:
            left.append(rail)
    turned = rng.random() < 0.5
    left, right = (right, left) if turned else (left, right)
    return [*left, *(mirrored_mesh(part) for part in right)]


def _exhaust(tail_x: float, y: float, z: float) -> Mesh:
    """A pipe under the tail, its end towards the rear."""
    ring = lathe([(0.001, 0.02), (0.026, 0.02), (0.03, 0.0), (0.03, -0.25)], STEEL, 8)
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])  # its axis from y to -x
    return ring.moved(turn, np.array([tail_x + 0.03, y, z]))
