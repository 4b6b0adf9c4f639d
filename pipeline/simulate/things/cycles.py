"""Bicycles and motorbikes without riders: frames, bars, saddles, engines, mudguards, baskets and boxes, sampled.

Wheels stand along x; the fork and what it carries is turned about the steering axis.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.things.finishes import darker, metal, paint
from pipeline.simulate.things.shapes import Point, Thing, rod, slab, thing_of
from pipeline.simulate.vehicles.parts import (
    CHROME,
    HEADLIGHT,
    PLASTIC,
    RUBBER,
    STEEL,
    TAIL_LIGHT,
    Material,
    box,
    disc,
    lathe,
    shifted,
)  # fmt: skip


def _at(x: float, z: float, y: float = 0.0) -> np.ndarray:
    return np.array([x, y, z])


def _tyre(radius: float, thick: float, spokes: int, rim: Material, solid: bool = False) -> Mesh:
    """A wheel about the y axis through the origin; thick: the tyre's radius; solid: a disc in place of spokes."""
    inner = radius - 2.2 * thick
    around = [(radius - thick + thick * np.cos(a), thick * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 7)]
    parts = [lathe(around, RUBBER, 22),
             lathe([(inner, 0.6 * thick), (radius - 1.6 * thick, 0.7 * thick), (radius - 1.6 * thick, -0.7 * thick),
                    (inner, -0.6 * thick), (inner, 0.6 * thick)], rim, 22),
             rod([(0, -2.0 * thick, 0), (0, 2.0 * thick, 0)], 0.09 * radius, STEEL)]  # fmt: skip
    if solid:
        parts += [disc(0.8 * inner, 0.4 * thick, rim), disc(0.8 * inner, -0.4 * thick, rim)]
    for k in range(spokes):
        a = 2 * np.pi * k / spokes
        width = 0.0015 if spokes > 8 else 0.02
        parts.append(rod([(0, 0.02 * (-1) ** k, 0), (inner * np.cos(a), 0, inner * np.sin(a))], width, rim, 4))
    return Mesh.concat(parts)


def _steered(parts: list[Mesh], points: dict, low: np.ndarray, high: np.ndarray, angle: float) -> list[Mesh]:
    """Parts, and the points (3,) in place, turned by an angle about the axis from low to high."""
    k = (high - low) / np.linalg.norm(high - low)
    K = np.array([[0, -k[2], k[1]], [k[2], 0, -k[0]], [-k[1], k[0], 0]])
    R = np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K
    for name, p in points.items():
        points[name] = R @ (np.asarray(p) - low) + low
    return [part.moved(R, low - R @ low) for part in parts]


def make_bicycle(rng: np.random.Generator) -> Thing:
    """A racing, town, mountain or child's bicycle."""
    small = 0.68 if rng.random() < 0.12 else 1.0
    r, base = small * rng.uniform(0.30, 0.36), small * rng.uniform(0.97, 1.10)
    frame, tube = paint(rng, 0.45), rng.uniform(0.013, 0.023)
    fat = rng.uniform(0.012, 0.028)
    back, front = _at(-base * 0.46, r), _at(base * 0.54, r)
    crank = _at(back[0] + small * rng.uniform(0.41, 0.46), small * rng.uniform(0.25, 0.30))
    rake = np.radians(rng.uniform(17, 24))
    axis = np.array([-np.sin(rake), 0, np.cos(rake)])
    crown = front + axis * (r + 0.04) + [-0.04, 0, 0]
    head = crown + axis * small * rng.uniform(0.10, 0.24)
    lean = np.radians(rng.uniform(15, 22))
    up = np.array([-np.sin(lean), 0, np.cos(lean)])
    seat_tube = crank + up * small * rng.uniform(0.34, 0.54)
    saddle = seat_tube + up * small * rng.uniform(0.06, 0.28)
    low_step = rng.random() < 0.3
    joint = crank + up * 0.22 * small if low_step else seat_tube
    parts = [rod([a, b], w, frame) for a, b, w in (
        (crank, seat_tube, tube), (crown + axis * 0.03, crank, 1.2 * tube), (head - axis * 0.03, joint, tube),
        (crown, head, 1.15 * tube),
    )]  # fmt: skip
    for side in (1, -1):
        hub = back + [0, side * 0.055, 0]
        parts += [rod([crank + [0, side * 0.03, 0], hub], 0.6 * tube, frame),
                  rod([joint + [0, side * 0.02, 0], hub], 0.5 * tube, frame)]  # fmt: skip
    parts.append(rod([seat_tube, saddle], 0.8 * tube, STEEL))
    seat = PLASTIC if rng.random() < 0.7 else paint(rng, 0.1)
    wide = rng.uniform(0.06, 0.11)
    parts += [box(saddle + [-0.13, -wide, -0.02], saddle + [0.0, wide, 0.035], seat, bevel_m=0.02),
              box(saddle + [-0.02, -0.025, -0.02], saddle + [0.14, 0.025, 0.03], seat, bevel_m=0.015)]  # fmt: skip
    rim, spokes = metal(rng), int(rng.integers(10, 17))
    parts.append(shifted(_tyre(r, fat, spokes, rim), back))
    pedals, moving = _cranks(parts, crank, small, rng)
    points: dict[str, Point] = {"head": head}
    fork = [rod([crown + [0, s * 0.045, 0], front + [0, s * 0.045, 0]], 0.8 * tube, frame) for s in (1, -1)]
    fork += [
        rod([crown + [0, 0.045, 0], crown - [0, 0.045, 0]], tube, frame),
        shifted(_tyre(r, fat, spokes, rim), front),
    ]
    fork += _bars(head, axis, small, points, rng)
    parts += moving
    if rng.random() < 0.5:
        colour = frame if rng.random() < 0.5 else metal(rng)
        fork.append(_guard(front, r, fat, (20, 130), colour))
        parts.append(_guard(back, r, fat, (30, 200), colour))
    if rng.random() < 0.4:
        parts += _rack(back, r, saddle, rng)
    if rng.random() < 0.22:
        low = head + [0.06, -0.16, -0.12]
        fork += _basket(low, low + [0.24, 0.32, 0.22], metal(rng))
    if rng.random() < 0.4:
        fork.append(box(head + [0.03, -0.03, -0.06], head + [0.08, 0.03, 0.01], HEADLIGHT))
    points |= {"front wheel": front}
    parts += _steered(fork, points, crown, head, float(rng.normal(0, 0.22)))
    points |= {"back wheel": back, "crank": crank, "saddle": saddle + [0, 0, 0.035], **pedals}
    return thing_of(parts, points)


def _cranks(parts: list[Mesh], crank: np.ndarray, small: float, rng: np.random.Generator) -> tuple[dict, list[Mesh]]:
    """Pedals by name, and their arms; the chain ring is added to parts."""
    ring = lathe([(0.085, 0.004), (0.095, 0.0), (0.085, -0.004)], STEEL, 14)
    parts += [shifted(part, crank - [0, 0.045, 0]) for part in (disc(0.09 * small, 0.0, STEEL, 14), ring)]
    turn, arm = rng.uniform(0, 2 * np.pi), 0.17 * small
    points, moving = {}, [rod([crank - [0, 0.07, 0], crank + [0, 0.07, 0]], 0.02, STEEL)]
    for name, side, angle in (("left", 1, turn), ("right", -1, turn + np.pi)):
        end = crank + [arm * np.cos(angle), side * 0.075, arm * np.sin(angle)]
        moving.append(rod([crank + [0, side * 0.07, 0], end], 0.011, STEEL))
        middle = end + [0, side * 0.05, 0]
        moving.append(box(middle - [0.045, 0.045, 0.012], middle + [0.045, 0.045, 0.012], PLASTIC))
        points[f"pedal {name}"] = middle
    return points, moving


def _bars(head: np.ndarray, axis: np.ndarray, small: float, points: dict, rng: np.random.Generator) -> list[Mesh]:
    """Stem and handlebar, flat, swept or dropped; the ends of its grips are put among the points."""
    top, half = head + axis * rng.uniform(0.02, 0.12), small * rng.uniform(0.20, 0.33)
    ahead, kind = rng.uniform(0.02, 0.10), rng.choice(3, p=[0.45, 0.35, 0.2])
    middle = top + [ahead, 0, 0.02]
    parts = [rod([head, top, middle], 0.015, STEEL)]
    for name, side in (("left", 1), ("right", -1)):
        if kind == 0:
            path = [middle, middle + [-0.02, side * half, 0.01]]
        elif kind == 1:
            path = [middle, middle + [0.0, side * 0.35 * half, 0.06], middle + [-0.06, side * 0.85 * half, 0.08],
                    middle + [-0.18, side * half, 0.05]]  # fmt: skip
        else:
            half = min(half, 0.23)
            path = [middle, middle + [0.0, side * half, 0], middle + [0.09, side * half, -0.03],
                    middle + [0.07, side * half, -0.12], middle + [-0.04, side * half, -0.13]]  # fmt: skip
        parts.append(rod(path, 0.0125, STEEL))
        parts.append(rod([path[-1] + 0.45 * (path[-2] - path[-1]), path[-1]], 0.018, PLASTIC))
        points[f"handle {name}"] = path[-1]
    return parts


def _guard(hub: np.ndarray, r: float, fat: float, between_deg: tuple[float, float], material: Material) -> Mesh:
    """A mudguard over part of a wheel, angles from ahead upwards."""
    angle = np.radians(np.linspace(*between_deg, 9))
    path = hub + (r + fat + 0.015) * np.stack([np.cos(angle), 0 * angle, np.sin(angle)], 1)
    return rod(path, 1.5 * fat, material, 5)


def _rack(back: np.ndarray, r: float, saddle: np.ndarray, rng: np.random.Generator) -> list[Mesh]:
    z, colour = r * 2 + 0.06, metal(rng)
    parts = [box((back[0] - 0.24, -0.06, z), (back[0] + 0.12, 0.06, z + 0.012), colour)]
    parts += [rod([back + [0, s * 0.06, 0], _at(back[0] - 0.08, z, s * 0.06)], 0.006, colour) for s in (1, -1)]
    if rng.random() < 0.4:
        bag = paint(rng, 0.05)
        parts += [box((back[0] - 0.22, s * 0.07 - 0.05, z - 0.28), (back[0] + 0.08, s * 0.07 + 0.05, z), bag)
                  for s in (1.6, -1.6)]  # fmt: skip
    return parts


def _basket(low: np.ndarray, high: np.ndarray, material: Material) -> list[Mesh]:
    wall, (x0, y0, z0), (x1, y1, z1) = 0.012, low, high
    return [
        box((x0, y0, z0), (x1, y1, z0 + wall), material), box((x0, y0, z0), (x0 + wall, y1, z1), material),
        box((x1 - wall, y0, z0), (x1, y1, z1), material), box((x0, y0, z0), (x1, y0 + wall, z1), material),
        box((x0, y1 - wall, z0), (x1, y1, z1), material),
    ]  # fmt: skip


def make_motorbike(rng: np.random.Generator) -> Thing:
    """A scooter, or a motorbike bare or with a fairing."""
    scooter = rng.random() < 0.3
    r = rng.uniform(0.20, 0.25) if scooter else rng.uniform(0.28, 0.34)
    base = rng.uniform(1.20, 1.36) if scooter else rng.uniform(1.35, 1.65)
    colour, fat = paint(rng, 0.5), rng.uniform(0.05, 0.075)
    back, front = _at(-0.47 * base, r), _at(0.53 * base, r)
    rake = np.radians(rng.uniform(23, 31))
    axis = np.array([-np.sin(rake), 0, np.cos(rake)])
    height = rng.uniform(0.95, 1.08)
    head = front + axis * (height - r) / axis[2]
    seat_h, seat_x = rng.uniform(0.70, 0.83), back[0] + rng.uniform(0.28, 0.40)
    seats = {"front seat": _at(seat_x + 0.22, seat_h), "back seat": _at(seat_x - 0.26, seat_h + rng.uniform(0.0, 0.1))}
    engine = _at(0.02 * base, r + 0.14) if not scooter else _at(back[0] + 0.30, r + 0.08)
    rim, spokes = metal(rng), int(rng.choice([5, 6, 3, 14]))
    parts = [shifted(_tyre(r, fat, spokes, rim), back), _guard(back, r, fat, (60, 160), colour)]
    parts += _scooter(back, front, head, seats, colour, rng) if scooter else _bike(
        back, head, seats, engine, colour, rng)  # fmt: skip
    parts += _seat(seats, rng)
    tail = seats["back seat"] + [-0.22, 0, -0.06]
    parts.append(box(tail - [0.03, 0.06, 0.03], tail + [0.02, 0.06, 0.03], TAIL_LIGHT))
    lamp = head + [0.12, 0, -0.13 if not scooter else rng.uniform(-0.12, 0.02)]
    points: dict[str, Point] = {"front wheel": front, "headlight": lamp + [0.05, 0, 0]}
    fork = [rod([front + [0, s * 0.09, 0], head + [0, s * 0.09, -0.02]], 0.024, STEEL) for s in (1, -1)]
    fork += [shifted(_tyre(r, fat, spokes, rim), front), _guard(front, r, fat, (20, 140), colour)]
    fork.append(shifted(lathe([(0.001, 0.05), (0.07, 0.045), (0.085, 0.0), (0.05, -0.08)], HEADLIGHT, 12).moved(
        np.array([[0, 1.0, 0], [-1, 0, 0], [0, 0, 1]]), np.zeros(3)), lamp))  # fmt: skip
    fork += _motor_bars(head, points, rng)
    if rng.random() < 0.35:
        fork.append(slab(head + [0.12, 0, 0.12], (0.01, rng.uniform(0.25, 0.4), rng.uniform(0.25, 0.45)),
                         Material((0.06, 0.065, 0.07), 0.7), pitch_deg=25))  # fmt: skip
    parts += _steered(fork, points, front, head, float(rng.normal(0, 0.15)))
    if rng.random() < 0.3:
        box_h = rng.uniform(0.25, 0.38)
        low = seats["back seat"] + [-0.42, -0.2, 0.02]
        parts.append(box(low, low + [0.36, 0.4, box_h], paint(rng), bevel_m=0.04))
    points |= {"back wheel": back, "engine": engine, **seats}
    return thing_of(parts, points)


def _seat(seats: dict, rng: np.random.Generator) -> list[Mesh]:
    material = PLASTIC if rng.random() < 0.75 else darker(paint(rng, 0.1), 0.5)
    front, back = seats["front seat"], seats["back seat"]
    return [box(front + [-0.24, -0.14, -0.09], front + [0.20, 0.14, 0.0], material, bevel_m=0.03),
            box(back + [-0.20, -0.12, -0.09], back + [0.22, 0.12, 0.0], material, bevel_m=0.03)]  # fmt: skip


def _motor_bars(head: np.ndarray, points: dict, rng: np.random.Generator) -> list[Mesh]:
    half, rise, parts = rng.uniform(0.30, 0.42), rng.uniform(0.0, 0.16), []
    for name, side in (("left", 1), ("right", -1)):
        end = head + [-0.16, side * half, 0.06 + rise]
        parts += [rod([head + [0, 0, 0.02], head + [-0.03, side * 0.5 * half, 0.06 + rise], end], 0.014, STEEL),
                  rod([head + [-0.10, side * 0.75 * half, 0.06 + rise], end], 0.022, PLASTIC)]  # fmt: skip
        points[f"handle {name}"] = end
        if rng.random() < 0.8:
            mirror = head + [0.02, side * 0.8 * half, 0.24 + rise]
            parts += [rod([end + [0.08, -side * 0.06, 0], mirror], 0.007, STEEL),
                      box(mirror - [0.012, 0.07, 0.04], mirror + [0.012, 0.07, 0.04], PLASTIC)]  # fmt: skip
    return parts


def _bike(back, head, seats, engine, colour: Material, rng: np.random.Generator) -> list[Mesh]:
    """Tank, engine, frame, exhaust, and a fairing now and then."""
    front = seats["front seat"]
    tank_top = front[2] + rng.uniform(0.10, 0.20)
    parts = [
        box((front[0] + 0.14, -0.15, front[2] - 0.12), (head[0] - 0.08, 0.15, tank_top), colour, bevel_m=0.07),
        box(engine - [0.2, 0.14, 0.16], engine + [0.2, 0.14, 0.16], metal(rng), bevel_m=0.05),
        rod([engine + [0.05, 0, 0.1], engine + [0.16, 0, 0.32]], 0.09, metal(rng), 8),
        rod([head - [0.05, 0, 0.12], engine + [0.22, 0, 0.05]], 0.025, STEEL),
        rod([head - [0.05, 0, 0.10], front - [0, 0, 0.1], seats["back seat"] - [0.2, 0, 0.08]], 0.03, STEEL),
    ]
    for s in (1, -1):
        parts.append(rod([engine + [-0.1, s * 0.12, -0.05], back + [0, s * 0.1, 0]], 0.028, STEEL))
        parts.append(rod([back + [0.02, s * 0.12, 0.03], seats["back seat"] + [0.0, s * 0.12, -0.1]], 0.025, CHROME))
    side = rng.choice([1, -1])
    bends = engine + [[0.2, side * 0.1, 0], [0.1, side * 0.16, -0.18], [-0.2, side * 0.18, -0.16]]
    end = back + [-0.15, side * 0.2, 0.1]
    parts.append(rod([*bends, end], [0.025, 0.025, 0.045, 0.055], CHROME, 8))
    if rng.random() < 0.4:
        low = engine + [0.05, -0.19, -0.18]
        parts.append(box(low, (head[0] + 0.06, 0.19, head[2] - 0.12), colour, bevel_m=0.10, lean_m=0.08))
    return parts


def _scooter(back, front, head, seats, colour: Material, rng: np.random.Generator) -> list[Mesh]:
    """Leg shield, footboard and a closed tail."""
    floor = rng.uniform(0.24, 0.30)
    front_x = head[0] - 0.02
    tail = seats["front seat"]
    return [
        box((front_x - 0.10, -0.20, floor), (front_x - 0.02, 0.20, head[2] - 0.08), colour, bevel_m=0.02, lean_m=-0.06),
        box((tail[0] - 0.05, -0.17, floor - 0.05), (front_x, 0.17, floor + 0.03), darker(colour, 0.6)),
        box((back[0] - 0.12, -0.17, back[2] + 0.06), (tail[0] + 0.18, 0.17, tail[2] - 0.06), colour, bevel_m=0.06),
        box((back[0] - 0.05, 0.06, back[2] - 0.08), (tail[0] - 0.1, 0.15, back[2] + 0.12), metal(rng), bevel_m=0.03),
    ]
