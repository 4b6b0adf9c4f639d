"""Tables and monitors: tops, legs and what lies on them; screens, stands and what they show."""

from __future__ import annotations

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.things.finishes import any_finish, darker, metal, paint, wood
from pipeline.simulate.things.shapes import Thing, plate, regular, rod, sided, slab, thing_of, turned_about_z
from pipeline.simulate.vehicles.parts import Material, both_sides, box
from pipeline.simulate.vehicles.wide.looks import any_colour


def make_table(rng: np.random.Generator) -> Thing:
    """A dining, coffee or writing table: four legs, side panels or trestles; now and then a shelf, things on it."""
    low = rng.random() < 0.25
    length, width = rng.uniform(0.6, 2.0), rng.uniform(0.55, 1.05)
    height, thick = (rng.uniform(0.36, 0.5) if low else rng.uniform(0.68, 0.80)), rng.uniform(0.015, 0.06)
    x, y = width / 2, length / 2  # one sits at x, looking to -x is the other side's affair
    top = wood(rng) if rng.random() < 0.55 else any_finish(rng)
    legs = top if rng.random() < 0.4 else any_finish(rng)
    cut = 0.2 * thick  # how far the middle of a bevelled corner lies inside it
    parts = [box((-x, -y, height - thick), (x, y, height), top, bevel_m=1.5 * cut)]
    inset, splay, thin = rng.uniform(0.02, 0.12), rng.uniform(0, 0.08), rng.uniform(0.015, 0.045)
    head, kind = np.array([x - inset, y - inset, height - thick]), rng.random()
    foot = np.array([x - inset + splay, y - inset + splay, 0])
    if kind < 0.55:
        square = rng.random() < 0.5
        for flip in ([1, 1, 1], [-1, 1, 1]):
            parts += both_sides([
                box(foot * flip * [1, 1, 0] - [thin, thin, 0], foot * flip * [1, 1, 0] + [thin, thin, head[2]], legs)
                if square else rod([head * flip, foot * flip], [thin, thin * rng.uniform(0.5, 1)], legs)
            ])  # fmt: skip
    elif kind < 0.75:
        parts += both_sides([box((-foot[0], foot[1] - 0.03, 0), (foot[0], foot[1], head[2]), legs)])
    else:
        middle = np.array([0, head[1], head[2] - 0.03])
        parts += both_sides([
            rod([head * [0.6, 1, 1], foot], thin, legs), rod([head * [-0.6, 1, 1], foot * [-1, 1, 1]], thin, legs)
        ])  # fmt: skip
        parts.append(rod([middle, middle * [1, -1, 1]], thin, legs))
    if rng.random() < 0.5:
        parts.append(box((-head[0], -head[1], head[2] - 0.09), (head[0], head[1], head[2]), darker(legs, 0.9)))
    if rng.random() < 0.2:
        parts.append(box((-head[0], -head[1], 0.3 * height), (head[0], head[1], 0.3 * height + 0.02), top))
    for _ in range(int(rng.choice(4, p=[0.55, 0.2, 0.15, 0.1]))):
        parts.append(_on_a_table(rng).moved(np.eye(3), np.array([
            rng.uniform(-0.6, 0.6) * x, rng.uniform(-0.7, 0.7) * y, height])))  # fmt: skip
    return thing_of(
        parts,
        sided(
            top_front=(x - cut, y - cut, height - cut), top_back=(cut - x, y - cut, height - cut),
            front_foot=tuple(foot),
            back_foot=(-foot[0], foot[1], 0),
        ),
    )  # fmt: skip


def _on_a_table(rng: np.random.Generator) -> Mesh:
    """A book, a vase, a bowl or a box."""
    kind, colour = rng.integers(3), any_colour(rng)
    if kind == 0:
        size = rng.uniform([0.12, 0.18, 0.02], [0.24, 0.34, 0.12])
        return box((-size[0] / 2, -size[1] / 2, 0), (size[0] / 2, size[1] / 2, size[2]), colour)
    if kind == 1:
        r, h = rng.uniform(0.04, 0.08), rng.uniform(0.12, 0.32)
        return turned_about_z([(0.001, 0), (r, 0), (1.3 * r, 0.4 * h), (0.5 * r, 0.85 * h), (0.7 * r, h)], colour, 10)
    r = rng.uniform(0.08, 0.16)
    return turned_about_z([(0.001, 0.0), (0.4 * r, 0), (r, 0.5 * r)], colour, 12)


def make_monitor(rng: np.random.Generator) -> Thing:
    """A monitor or television on a neck and foot, or on two feet; dark or showing something."""
    width = rng.uniform(0.40, 1.25)
    height = width / float(rng.choice([16 / 9, 16 / 9, 16 / 10, 4 / 3, 21 / 9]))
    bezel, thick = rng.uniform(0.006, 0.03), rng.uniform(0.015, 0.07)
    case = paint(rng, 0.2) if rng.random() < 0.4 else Material((0.02, 0.02, 0.022), 0.2)
    raised = rng.uniform(0.06, 0.16) * min(width / 0.5, 1.4)
    pitch = rng.uniform(0, 10)
    screen = [slab((0, 0, 0), (thick, width, height), case, bevel_m=0.003),
              *_shown(width - 2 * bezel, height - 2 * bezel, thick / 2 + 0.002, rng)]  # fmt: skip
    if rng.random() < 0.12:  # a tube
        depth = 0.6 * width
        screen.append(slab((-depth / 2, 0, 0), (depth, 0.75 * width, 0.75 * height), case, bevel_m=0.06))
    c, s = np.cos(np.radians(pitch)), np.sin(np.radians(pitch))
    R, middle = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]), np.array([0, 0, raised + height / 2])
    parts = [part.moved(R, middle) for part in screen]
    corner = {z: R @ [thick / 2, width / 2, z * height / 2] + middle for z in (1, -1)}
    neck, foot_x = np.array([-thick / 2, 0, raised]), rng.uniform(0.08, 0.14)
    kind = rng.random()
    if kind < 0.3:  # two feet at the ends
        y = rng.uniform(0.55, 0.9) * width / 2
        parts += both_sides([
            rod([(foot_x, y, 0.008), (0, y, raised + 0.02)], 0.009, case),
            rod([(-foot_x, y, 0.008), (0, y, raised + 0.02)], 0.009, case),
        ])  # fmt: skip
        neck, end = np.array([0, 0, raised]), (0.0, y, 0.0)
    else:
        half, stand = rng.uniform(0.17, 0.36) * min(width, 0.75), case if rng.random() < 0.6 else metal(rng)
        if kind < 0.6:
            parts.append(box((-foot_x, -half, 0), (foot_x, half, 0.014), stand, bevel_m=0.004))
        else:
            disc = regular(18, 1.0) * [half, foot_x]
            flat = plate(disc[:, ::-1], (0.0, 0.014), stand)
            parts.append(flat.moved(np.array([[0, 1.0, 0], [0, 0, 1], [1, 0, 0]]), np.zeros(3)))
        width_of_neck = rng.uniform(0.03, 0.10)
        parts.append(box((-0.05, -width_of_neck / 2, 0), (-0.025, width_of_neck / 2, raised + 0.35 * height), stand))
        neck, end = np.array([-0.025, 0, 0.45 * raised]), (0.0, half, 0.007)
    return thing_of(parts, sided(top=tuple(corner[1]), bottom=tuple(corner[-1]), foot=end) | {"neck": neck})


def _shown(width: float, height: float, x: float, rng: np.random.Generator) -> list[Mesh]:
    """The screen: dark glass, or a picture of tiles that shines a little."""
    dark = Material((0.012, 0.013, 0.016), 0.7)
    parts = [slab((x, 0, 0), (0.002, width, height), dark)]
    if rng.random() < 0.4:
        return parts
    rows, columns = int(rng.integers(1, 5)), int(rng.integers(1, 6))
    base = rng.uniform(0.05, 0.8, 3)
    for r in range(rows):
        for c in range(columns):
            colour = np.clip(base * rng.uniform(0.3, 1.5, 3), 0.01, 0.9)
            y, z = ((c + 0.5) / columns - 0.5) * width, ((r + 0.5) / rows - 0.5) * height
            red, green, blue = (float(v) for v in colour)
            tile = (0.002, width / columns * rng.uniform(0.7, 1), height / rows * rng.uniform(0.6, 1))
            parts.append(slab((x + 0.002, y, z), tile, Material((red, green, blue), 0.3)))
    return parts
