"""Furniture of streets: bus shelters, traffic lights, signs and bins on wheels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.mesh import Lamp, Mesh
from pipeline.simulate.things.finishes import darker, metal, paint, wood
from pipeline.simulate.things.shapes import Thing, plate, regular, rod, sided, slab, thing_of
from pipeline.simulate.vehicles.parts import (
    GLASS,
    RUBBER,
    Material,
    both_sides,
    box,
    disc,
    grid_triangles,
    hull_triangles,
    lathe,
    mesh_of,
    shifted,
)  # fmt: skip
from pipeline.simulate.vehicles.wide.looks import any_colour

_WHITE, _BLACK = Material((0.72, 0.72, 0.71), 0.1), Material((0.02, 0.02, 0.022), 0.1)
_RED, _BLUE, _YELLOW = (
    Material((0.50, 0.02, 0.02), 0.1),
    Material((0.02, 0.08, 0.40), 0.1),
    Material((0.6, 0.42, 0.03), 0.1),
)


def make_bus_shelter(rng: np.random.Generator) -> Thing:
    """A roof on four posts, open to the road; a low or a high back wall, ends, a bench, a poster."""
    length, depth, height = rng.uniform(2.2, 4.6), rng.uniform(1.1, 1.8), rng.uniform(2.15, 2.7)
    frame = metal(rng) if rng.random() < 0.7 else paint(rng)
    x, y, thick = depth / 2, length / 2, rng.uniform(0.05, 0.2)
    inset, slope = rng.uniform(0.03, 0.2), rng.uniform(-0.12, 0.12)
    roof = frame if rng.random() < 0.5 else paint(rng)
    tilt = np.degrees(np.arctan2(slope, depth))
    parts = [slab((0, 0, 0), (depth, length, thick), roof).moved(_pitched(tilt), np.array([0, 0, height]))]
    front, back = np.array([x - inset, y - inset, 0]), np.array([-x + inset, y - inset, 0])
    post = rng.uniform(0.025, 0.06)
    parts += both_sides([rod([p, p + [0, 0, height]], post, frame) for p in (front, back)])
    parts += _walls(front, back, height, frame, rng)
    seat_y, seat_z = rng.uniform(0.35, 0.85) * back[1], rng.uniform(0.42, 0.52)
    bench = wood(rng) if rng.random() < 0.5 else metal(rng)
    seat = (back[0] + 0.10, back[0] + rng.uniform(0.38, 0.5))
    parts.append(box((seat[0], -seat_y, seat_z - 0.05), (seat[1], seat_y, seat_z), bench))
    parts += both_sides([box((seat[0] + 0.1, seat_y - 0.2, 0), (seat[0] + 0.16, seat_y - 0.14, seat_z - 0.05), frame)])
    edge = thick / 2
    return thing_of(
        parts,
        sided(
            roof_front=(x, y, height + edge + slope / 2), roof_back=(-x, y, height + edge - slope / 2),
            front_foot=front, back_foot=back, seat=(seat[1], seat_y, seat_z),
        ),
    )  # fmt: skip


def _pitched(degrees: float) -> np.ndarray:
    """(3, 3) about the y axis: what lies ahead rises."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])


def _walls(front: np.ndarray, back: np.ndarray, height: float, frame: Material, rng: np.random.Generator) -> list[Mesh]:
    low = 0.15
    top = float(rng.choice([0.95, 0.8 * height, 0.92 * height]))
    tint = float(rng.uniform(1.0, 6.0))
    parts = [box((back[0] - 0.012, -back[1], low), (back[0] + 0.012, back[1], top), darker(GLASS, tint))]
    ys = np.linspace(-back[1], back[1], int(rng.integers(3, 6)))[1:-1]
    parts += [rod([(back[0], y, 0), (back[0], y, height)], 0.02, frame) for y in ys]
    for side in (1, -1):
        kind = rng.random()
        reach = float(rng.uniform(0.3, 0.85)) * (front[0] - back[0])
        if kind < 0.35:  # a lit poster
            poster, edge = (
                any_colour(rng),
                box(
                    (back[0] + 0.05, side * back[1] - 0.05, 0.25),
                    (back[0] + 1.2 * reach, side * back[1] + 0.05, 2.0),
                    frame,
                ),
            )
            face = box((back[0] + 0.09, side * back[1] - 0.055, 0.32),
                       (back[0] + 1.2 * reach - 0.04, side * back[1] + 0.055, 1.93), poster)  # fmt: skip
            parts += [edge, face]
        elif kind < 0.7:
            parts.append(box((back[0], side * back[1] - 0.01, low), (back[0] + reach, side * back[1] + 0.01, top),
                             darker(GLASS, tint)))  # fmt: skip
    return parts


_LAMPS = {
    "red": ((0.55, 0.02, 0.015), Lamp.LIT_RED), "amber": ((0.5, 0.25, 0.02), Lamp.LIT_AMBER),
    "green": ((0.02, 0.35, 0.14), Lamp.NONE),
}  # fmt: skip


def make_traffic_light(rng: np.random.Generator) -> Thing:
    """Three lamps on a pole, or hung from an arm over the road; one lamp lit."""
    r = rng.uniform(0.10, 0.155)
    pole, case = metal(rng), (_BLACK if rng.random() < 0.5 else paint(rng))
    arm = rng.uniform(1.2, 3.0) if rng.random() < 0.25 else 0.0
    top = rng.uniform(4.2, 5.6) if arm else rng.uniform(2.5, 3.8)
    x, y = 0.17, (arm if rng.random() < 0.5 else -arm)
    middle = top - (0.1 if arm else rng.uniform(0.45, 0.6))
    pitch, half = 2.35 * r, 3.6 * r
    parts = [
        rod([(0, 0, 0), (0, 0, 0.9)], rng.uniform(0.06, 0.10), pole),
        rod([(0, 0, 0.9), (0, 0, top)], 0.055, pole),
        box((x - 0.11, y - 1.25 * r, middle - half), (x + 0.04, y + 1.25 * r, middle + half), case, bevel_m=0.02),
    ]
    if arm:
        parts.append(rod([(0, 0, top - 0.05), (0, y, top)], [0.06, 0.04], pole))
    else:
        parts.append(box((0, -0.04, middle - 0.05), (x, 0.04, middle + 0.05), pole))
    if rng.random() < 0.45:
        board = np.array([[-2, -3.3], [2, -3.3], [2, 3.3], [-2, 3.3]]) * [1.1 * r, 1.3 * r] + [y, middle]
        parts.append(plate(board, (x - 0.13, x - 0.11), _BLACK))
        if rng.random() < 0.5:
            parts.append(plate((board - [y, middle]) * [1.07, 1.03] + [y, middle], (x - 0.134, x - 0.125), _WHITE))
    lit, points = str(rng.choice(list(_LAMPS))), {"foot": (0.0, 0.0, 0.0), "pole top": (0.0, 0.0, top)}
    for k, (name, (colour, lamp)) in enumerate(_LAMPS.items()):
        z = middle + (1 - k) * pitch
        glow = 1.6 if name == lit else rng.uniform(0.12, 0.4)
        lens = darker(Material(colour, 0.4, lamp if name == lit else Lamp.NONE), glow)
        parts.append(plate(regular(14, 0.88 * r, middle=(y, z)), (x + 0.02, x + 0.055), lens, case))
        parts.append(_visor(x + 0.04, y, z, r, darker(case, 0.8)))
        points[name] = (x + 0.055, y, z)
    if rng.random() < 0.5:
        parts.append(box((0.04, -0.06, 0.95), (0.14, 0.06, 1.2), paint(rng)))
    if not arm and rng.random() < 0.3:  # what people wait for
        parts.append(box((-0.05, 0.09, 2.0), (0.12, 0.30, 2.5), case))
    return thing_of(parts, points)


def _visor(x: float, y: float, z: float, r: float, material: Material) -> Mesh:
    """A hood over a lamp."""
    angle = np.radians(np.linspace(-20, 200, 9))
    rim = np.stack([np.full(9, x), y + r * np.cos(angle), z + r * np.sin(angle)], 1)
    sheet = np.stack([rim, rim + [1.3 * r, 0, 0]])
    return mesh_of(sheet.reshape(-1, 3), grid_triangles(2, 9), material, 60.0)


def make_street_sign(rng: np.random.Generator) -> Thing:
    """A plate on a post: round, triangular, square, octagonal or a lozenge, with a border and a mark."""
    size, kind = rng.uniform(0.28, 0.5), rng.choice(6, p=[0.28, 0.2, 0.1, 0.17, 0.1, 0.15])
    middle = rng.uniform(1.9, 2.6)
    outline = {
        0: regular(20, 1.0), 1: regular(3, 1.15), 2: regular(3, 1.15, -90.0),
        3: np.array([[-1, -1], [1, -1], [1, 1], [-1, 1.0]]) * [rng.uniform(0.7, 1), rng.uniform(0.7, 1.2)],
        4: regular(8, 1.0, 22.5), 5: regular(4, 1.15),
    }[int(kind)]  # fmt: skip
    border, field = [(_RED, _WHITE), (_BLUE, _BLUE), (_RED, _RED), (_BLACK, _YELLOW), (_WHITE, _BLUE),
                     (_WHITE, any_colour(rng))][int(rng.integers(6))]  # fmt: skip
    post, x = metal(rng), rng.uniform(0.03, 0.05)
    shape = outline * size + [0, middle]
    inner = outline * size * rng.uniform(0.7, 0.88) + [0, middle]
    parts = [plate(shape, (x, x + 0.012), border, metal(rng)), plate(inner, (x + 0.012, x + 0.015), field)]
    parts.append(_mark(size, middle, x + 0.015, _WHITE if field in (_BLUE, _RED) else _BLACK, rng))
    high, low = shape[:, 1].max(), shape[:, 1].min()
    parts.append(rod([(0, 0, 0), (0, 0, high + rng.uniform(-0.1, 0.12))], x - 0.002, post))
    if rng.random() < 0.3:
        w = size * rng.uniform(0.6, 1.0)
        parts.append(box((x, -w, low - 0.30), (x + 0.012, w, low - 0.08), _WHITE))
    if rng.random() < 0.2:
        parts.append(rod([(0, 0, 0), (0, 0, 0.12)], 0.14, Material((0.3, 0.3, 0.29))))
    at = x + 0.012
    ends = {"plate bottom": (1, -1), "plate top": (1, 1), "plate left": (0, 1), "plate right": (0, -1)}
    return thing_of(
        parts, {"foot": (0.0, 0.0, 0.0)} | {name: (at, *_extreme(shape, *where)) for name, where in ends.items()}
    )


def _extreme(outline: np.ndarray, axis: int, sign: int) -> np.ndarray:
    """(2,) the point of an outline (P, 2) farthest along an axis; of several as far, as an edge's ends, the middle."""
    reach = sign * outline[:, axis]
    return outline[reach > reach.max() - 1e-6].mean(axis=0)


def _mark(size: float, middle: float, x: float, material: Material, rng: np.random.Generator) -> Mesh:
    """A bar, an arrow or a few letters."""
    kind, s = rng.integers(3), 0.45 * size
    if kind == 0:
        return box((x, -s, middle - 0.15 * size), (x + 0.003, s, middle + 0.15 * size), material)
    if kind == 1:
        arrow = np.array([[-0.2, -1], [0.2, -1], [0.2, 0.1], [0.6, 0.1], [0, 1], [-0.6, 0.1], [-0.2, 0.1]]) * s
        return plate(arrow * [rng.choice([-1, 1]), 1] + [0, middle], (x, x + 0.003), material)
    letters = [
        box((x, y - 0.1 * size, middle - 0.25 * size), (x + 0.003, y + 0.05 * size, middle + 0.2 * size), material)
        for y in np.linspace(-s, s, int(rng.integers(2, 5)))
    ]
    return Mesh.concat(letters)


def make_bin(rng: np.random.Generator) -> Thing:
    """A dustbin with a lid and two wheels at its back, small or as wide as a container."""
    wide = rng.random() < 0.2
    width = rng.uniform(0.95, 1.3) if wide else rng.uniform(0.44, 0.62)
    depth, height = rng.uniform(0.50, 0.75), rng.uniform(0.85, 1.2)
    taper, wheel = rng.uniform(0.72, 0.92), rng.uniform(0.08, 0.12)
    body = paint(rng, 0.05) if rng.random() < 0.6 else Material((0.03, 0.05, 0.035), 0.05)
    lid = body if rng.random() < 0.5 else paint(rng, 0.05)
    x, y, lid_h = depth / 2, width / 2, rng.uniform(0.05, 0.14)
    rim = height - lid_h
    parts = [_tapered((x, y), (taper * x, taper * y), 0.03, rim, body), *both_sides([_foot(x, y, taper, body)])]
    parts.append(box((-x - 0.02, -y - 0.02, rim - 0.05), (x + 0.02, y + 0.02, rim), body))
    back_h = rim + rng.uniform(0.6, 1.0) * lid_h
    front_h = rim + 0.5 * lid_h
    parts.append(_hull([(sx * (x + 0.03), sy * (y + 0.025), z) for sx, tall in ((1, front_h), (-1, back_h))
                        for sy in (1, -1) for z in (rim, tall)], lid))  # fmt: skip
    parts.append(rod([(-x - 0.07, y - 0.08, rim - 0.02), (-x - 0.07, -y + 0.08, rim - 0.02)], 0.016, body))
    parts += both_sides([box((-x - 0.08, y - 0.10, rim - 0.05), (-x, y - 0.07, rim), body)])
    axle = np.array([-taper * x - 0.02, taper * y + 0.01, wheel])
    parts += both_sides([shifted(Mesh.concat([
        lathe([(0.5 * wheel, 0.0), (wheel, 0.0), (wheel, -0.05), (0.5 * wheel, -0.05)], RUBBER),
        disc(0.55 * wheel, -0.005, metal(rng))]), axle)])  # fmt: skip
    if rng.random() < 0.5:
        label = rng.uniform(0.15, 0.35)
        parts.append(box((taper * x + (x - taper * x) * 0.55, -label * y * 1.5, 0.55 * rim),
                         (taper * x + (x - taper * x) * 0.7 + 0.012, label * y * 1.5, 0.75 * rim), _WHITE))  # fmt: skip
    return thing_of(
        parts,
        sided(
            lid_front=(x + 0.03, y + 0.025, front_h), lid_back=(-x - 0.03, y + 0.025, back_h),
            front_foot=(taper * x, taper * y, 0.0), wheel=axle,
        ),
    )  # fmt: skip


def _foot(x: float, y: float, taper: float, body: Material) -> Mesh:
    return box((0.7 * taper * x, 0.7 * taper * y, 0), (taper * x, taper * y, 0.05), darker(body, 0.7))


def _tapered(top: tuple[float, float], low: tuple[float, float], z0: float, z1: float, material: Material) -> Mesh:
    """A box whose lower face is smaller; half sizes."""
    return _hull([(sx * x, sy * y, z) for (x, y), z in ((low, z0), (top, z1)) for sx in (1, -1) for sy in (1, -1)],
                 material)  # fmt: skip


def _hull(corners: Sequence[tuple[float, float, float]], material: Material) -> Mesh:
    """The convex hull of corners."""
    vertices = np.array(corners)
    return mesh_of(vertices, hull_triangles(vertices - vertices.mean(axis=0)), material, 10.0)
