"""Lorries: rigid and articulated, with boxes, curtains, tanks, containers, tippers, flat beds, drums; and tractors.

Metres; x forward, y left, z up. The hindmost axle and the rear of the load or trailer carry the rear keypoints; where a
load has no roof (a tank, an open bed), the cab carries all four roof corners.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.body import BodyLines, Points, Shell, loft, rows_of_cells
from pipeline.simulate.vehicles.heavy import heavy_mirrors, sheet
from pipeline.simulate.vehicles.parts import (
    AHEAD,
    BACK,
    LEFT,
    PLASTIC,
    SHADOW,
    STEEL,
    both_sides,
    box,
    panel,
    shifted,
    wheel,
)
from pipeline.simulate.vehicles.styles import Size
from pipeline.simulate.vehicles.wide.dimensions import sample_dimensions
from pipeline.simulate.vehicles.wide.heavy.lamps import front_lamps, rear_cluster
from pipeline.simulate.vehicles.wide.heavy.loads import sample_load
from pipeline.simulate.vehicles.wide.looks import Looks, any_colour
from pipeline.simulate.vehicles.wide.sheets import flat_end, pane, plate_on


@dataclass(frozen=True)
class _Frame:
    """Where cab, frame and axles of a lorry lie along x; trailer: None, or where a semi-trailer's own frame begins."""

    rear: float
    front: float
    axles: tuple[float, ...]
    cab_rear: float
    trailer: float | None


def build_wide_lorry(body: str, looks: Looks, rng: np.random.Generator) -> tuple[list[Mesh], np.ndarray, Size]:
    """Parts, left keypoints (6, 3) and size of a lorry, tanker or articulated lorry."""
    frame, size = _laid_out(body, rng)
    cab, corners, lamp = _cab(frame, size, looks, rng)
    start = frame.cab_rear - 0.12 if frame.trailer is None else frame.trailer
    load, roof = sample_load(body, frame.rear, start, size, looks, rng)
    wheels, centres = _wheels(frame, size, looks)
    lamps, light = rear_cluster(frame.rear, size.width / 2, float(rng.uniform(0.72, 1.0)), looks, rng)
    plates = plate_on(flat_end(frame.rear, 1.16), looks.plate_rear, 1.0, 0.66, outward=BACK)
    parts = [*cab, *load, *wheels, *lamps, *plates, *_underneath(frame, size, looks, rng)]
    corner_rear = corners[1] if roof is None else roof
    return parts, np.stack([centres[0], centres[-1], lamp, light, corners[0], corner_rear]), size


def _laid_out(body: str, rng: np.random.Generator) -> tuple[_Frame, Size]:
    d = sample_dimensions(body, rng)
    length, height = d.length, d.height
    if body != "articulated_lorry":  # the table has the greatest; most are smaller
        length *= float(rng.uniform(0.5, 1.0))
        height = min(height, float(rng.uniform(2.6, 4.1)))
    k = length / d.length
    front, radius = length / 2, float(rng.uniform(0.38, 0.44) if length < 7.5 else rng.uniform(0.46, 0.53))
    first = front - max(k * d.front_overhang, 1.0 if body == "articulated_lorry" else 1.1)
    last = max(first - k * d.wheelbase, -front + radius + 0.35)
    cab = float(rng.uniform(1.6, 2.3))
    if body != "articulated_lorry":
        more = length > 8.0 and rng.random() < 0.5
        axles = (first, last + 2 * radius + 0.35, last) if more else (first, last)
        return _Frame(-front, front, axles, front - cab, None), Size(length, d.width, height, first - last, radius)
    drive = first - float(rng.uniform(3.4, 4.0))
    group = [last + i * (2 * radius + 0.30) for i in range(int(rng.integers(1, 4)))]
    tandem = (drive, drive - 2 * radius - 0.32) if rng.random() < 0.3 else (drive,)
    frame = _Frame(
        -front,
        front,
        (first, *tandem, *sorted(group, reverse=True)),
        front - cab,
        front - cab - float(rng.uniform(0.45, 0.9)),
    )
    return frame, Size(length, d.width, height, first - last, radius)


def _cab(
    frame: _Frame, size: Size, looks: Looks, rng: np.random.Generator
) -> tuple[list[Mesh], np.ndarray, np.ndarray]:
    """A cab over the engine, low or with a high sleeper, or behind a bonnet; left roof corners (2, 3), lamp (3,)."""
    length, axle = frame.front - frame.cab_rear, frame.axles[0]
    tall = float(rng.uniform(2.5, 2.9) if size.length < 9 and frame.trailer is None else rng.uniform(2.7, 3.85))
    tall = min(tall, size.height) if frame.trailer is None else min(tall, 3.9)
    bonnet = rng.random() < 0.18 and length > 1.9
    width = min(size.width - float(rng.uniform(0.04, 0.12)), 2.50)
    middle = 0.5 * (frame.front + frame.cab_rear)
    shell = loft(_cab_lines(length, width, tall, axle - middle, size.wheel_radius, rng, bonnet=bonnet))
    roof_front = length / 2 - (1.15 if bonnet else 0.24)
    lamps, lamp, low = _cab_lamps(shell, looks, rng)
    parts = [shell.mesh([PLASTIC, *[looks.lower if v < 0.5 else looks.paint for v in rows_of_cells()[1:]]])]
    parts += both_sides([*_cab_sides(shell, roof_front, tall, looks), *lamps])
    parts += _bonnet(shell, length / 2, roof_front, looks) if bonnet else _cab_front(shell, tall, looks, rng)
    parts.append(sheet(shell.nose, 0.97, 0.44, low - 0.10, PLASTIC, AHEAD, 0.003))
    if looks.plate_front:
        parts += plate_on(shell.nose, looks.plate_front, width / 2, 0.55, outward=AHEAD)
    cab_size = Size(length, width, tall, 0.0, size.wheel_radius)
    parts += heavy_mirrors(roof_front + (0.1 if bonnet else 0.18), cab_size, 1.75, 0.10)
    offset = np.array([middle, 0.0, 0.0])
    corners = np.stack([shell.section(np.array(x), np.array(2.5)) for x in (roof_front, -length / 2 + 0.12)]) + offset
    well = box((axle - 0.55, -width / 2 + 0.42, 0.40), (axle + 0.55, width / 2 - 0.42, 1.10), SHADOW)
    return [*(shifted(part, offset) for part in parts), well], corners, lamp + offset


def _cab_sides(shell: Shell, roof_front: float, tall: float, looks: Looks) -> list[Mesh]:
    """The left window, and the seams of the door."""
    top, high = min(tall - 0.36, 2.5), min(tall - 0.42, 2.45)
    ahead, behind = roof_front - 0.10, roof_front - 0.95
    window = [(ahead, 1.66), (behind, 1.70), (behind, high), (roof_front - 0.18, high)]
    sides = [pane(shell.side, window, looks, outward=LEFT, cells=(3, 3))]
    for x in (roof_front, roof_front - 1.05):
        seam = [(x, 1.16), (x - 0.016, 1.16), (x - 0.016, top), (x, top)]
        sides.append(panel(shell.side, seam, SHADOW, outward=LEFT, cells=(1, 8), lift_m=0.012))
    return sides


def _cab_lamps(shell: Shell, looks: Looks, rng: np.random.Generator) -> tuple[list[Mesh], np.ndarray, float]:
    """The left lamps, the headlight's centre (3,), and its lower edge."""
    z, t = float(rng.uniform(0.58, 0.85)), float(rng.uniform(0.58, 0.72))
    return *front_lamps(shell.nose, t, z, float(rng.uniform(0.12, 0.2)), looks, signal_t=t + 0.08), z


def _bonnet(shell: Shell, nose: float, roof_front: float, looks: Looks) -> list[Mesh]:
    """The windscreen behind a bonnet, and the grille before it."""
    a, b = nose - 0.72, roof_front + 0.03
    corners = [(a, 1), (b, 1), (b, -1), (a, -1)]
    screen = pane(shell.top, corners, looks, outward=(0, 0, 1), cells=(4, 6), lift_m=0.010, upright=0)
    return [screen, sheet(shell.nose, 0.5, 0.75, 1.25, looks.trim, AHEAD)]


def _cab_front(shell: Shell, tall: float, looks: Looks, rng: np.random.Generator) -> list[Mesh]:
    """The windscreen of a cab over the engine, its grille, a sign above on some."""
    top = min(tall - 0.30, 2.75)
    parts = [
        sheet(shell.nose, 0.97, float(rng.uniform(1.4, 1.65)), top, looks.glass, AHEAD),
        sheet(shell.nose, 0.72, 0.98, 1.36, (PLASTIC, looks.trim)[int(rng.random() < 0.3)], AHEAD),
    ]
    if tall > 3.2 and rng.random() < 0.6:
        parts.append(sheet(shell.nose, 0.7, top + 0.1, min(top + 0.35, tall - 0.2), any_colour(rng), AHEAD))
    return parts


def _cab_lines(length: float, width: float, tall: float, axle: float, radius: float, rng, *, bonnet: bool) -> BodyLines:
    """The shell's lines of a cab; axle: x of the front axle in the cab's frame."""
    top: Points
    lean: Points
    half, bottom = length / 2, float(rng.uniform(0.36, 0.50))
    if bonnet:
        top = ((-half, tall - 0.02), (-half + 0.3, tall), (half - 1.15, tall - 0.10), (half - 0.72, 1.78), (half, 1.50))
        belt, lean = 1.62, ((bottom, 0.02), (0.8, 0.0), (1.6, 0.08))
    else:
        slope = float(rng.uniform(0.02, 0.25)) if tall > 3.0 else 0.03
        top = ((-half, tall - 0.02), (-half + 0.3, tall), (half - 0.45, tall), (half, tall - slope))
        belt, lean = 1.62, ((bottom, 0.05), (bottom + 0.25, 0.0), (1.6, 0.02), (tall, float(rng.uniform(0.08, 0.30))))
    return BodyLines(
        length, width, top, ((-half, belt), (half, belt)), bottom, (axle,), radius, 1.16 * radius, 1.5,
        float(rng.uniform(0.08, 0.2)), lean, ((bottom, 0.0), (tall, 0.02)), float(rng.uniform(0.03, 0.12)), 0.02, 0.05,
        0.01, waist=0.015, crown_m=0.05,
    )  # fmt: skip


def _wheels(frame: _Frame, size: Size, looks: Looks) -> tuple[list[Mesh], np.ndarray]:
    """Wheels of all axles and their left centres (axles, 3), front first."""
    face, r = size.width / 2 - 0.06, size.wheel_radius
    metal = looks.metal if looks.spokes == 0 else STEEL
    left, parts = wheel(r, 0.30, rim=0.58, spokes=0, metal=metal), []
    twin = wheel(r, 0.56, rim=0.58, spokes=0, metal=metal)
    centres = np.array([(x, face, r) for x in frame.axles])
    for number, centre in enumerate(centres):
        parts += both_sides([shifted(left if number == 0 else twin, centre)])
    return parts, centres


def _underneath(frame: _Frame, size: Size, looks: Looks, rng: np.random.Generator) -> list[Mesh]:
    """Frame, mudguards, side guards, a tank and boxes on one side or the other, the bar under the rear."""
    side, r, top = size.width / 2, size.wheel_radius, 2 * size.wheel_radius + 0.03
    parts = [
        box((frame.rear + 0.03, -0.48, 0.62), (frame.cab_rear + 0.8, 0.48, top), SHADOW),
        box((frame.rear + 0.02, -side + 0.10, 0.70), (frame.rear + 0.12, side - 0.10, 0.95), PLASTIC),
        box((frame.rear + 0.04, -side + 0.14, 0.42), (frame.rear + 0.12, side - 0.14, 0.56), STEEL),
    ]
    for x in frame.axles[1:]:
        parts += both_sides([box((x - r - 0.05, side - 0.70, top), (x + r + 0.05, side - 0.06, top + 0.04), PLASTIC)])
    gaps = [(a - r - 0.25, b + r + 0.25) for a, b in zip(frame.axles[:-1], frame.axles[1:], strict=True) if a - b > 2.4]
    for ahead, behind in gaps:
        ahead = min(ahead, frame.cab_rear - 0.05)
        if ahead - behind < 0.8:
            continue
        tank = box(
            (ahead - 0.9, side - 0.60, 0.42),
            (ahead - 0.05, side - 0.10, 0.98),
            looks.trim if rng.random() < 0.3 else PLASTIC,
            bevel_m=0.12,
        )
        parts += [tank] if rng.random() < 0.5 else [both_sides([tank])[1]]
        if rng.random() < 0.4:
            parts += both_sides([box((behind, side - 0.12, 0.36), (ahead - 0.95, side - 0.06, 1.0), looks.lower)])
        else:
            parts += both_sides(
                [box((behind, side - 0.12, z), (ahead - 0.95, side - 0.06, z + 0.13), STEEL) for z in (0.45, 0.76)]
            )
    return parts
