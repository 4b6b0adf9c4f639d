"""What stands at the junction and never moves: buildings, trees, lamp posts, signs, a shelter, bins, railings.

Everything is one mesh in world coordinates; the ground itself is not part of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.mesh import Lamp, Mesh
from pipeline.simulate.world.layout import Layout

_METAL, _DARK, _GLASS = (0.20, 0.21, 0.22), (0.035, 0.037, 0.04), (0.05, 0.065, 0.075)
_WALLS = ((0.36, 0.17, 0.11), (0.46, 0.41, 0.33), (0.50, 0.49, 0.46), (0.30, 0.22, 0.17))
_SHOPS = ((0.10, 0.16, 0.12), (0.30, 0.05, 0.05), (0.05, 0.08, 0.16), (0.35, 0.28, 0.10), (0.08, 0.08, 0.08))


def static_mesh(layout: Layout) -> Mesh:
    """All props of a layout, in world coordinates."""
    rng = np.random.default_rng([layout.seed, 1])
    parts = [_building(b, rng) for b in layout.buildings]
    parts += [_tree(u, v, height, rng) for u, v, height in layout.trees]
    parts += [_lamp_post(u, v, layout) for u, v in layout.lamps]
    parts += [_sign(u, v, rng) for u, v in layout.signs]
    parts += [_shelter(u, v, length) for u, v, length in layout.shelters]
    parts += [_bin(u, v) for u, v in layout.bins]
    parts += [_railing(*ends) for ends in layout.railings]
    R = np.eye(3)
    R[:2, :2] = layout.R
    return Mesh.concat(parts).moved(R, np.array([*layout.centre, 0.0]))


def lamp_heads(layout: Layout) -> np.ndarray:
    """(L, 3) world positions of the street lamps' lights."""
    plan = np.array(
        [[u + 1.5 * _towards_road(u, v, layout)[0], v + 1.5 * _towards_road(u, v, layout)[1]] for u, v in layout.lamps]
    )
    return np.c_[layout.to_world(plan), np.full(len(plan), 7.3)]


def _towards_road(u: float, v: float, layout: Layout) -> np.ndarray:
    step, here = 0.05, np.array([[u, v]])
    slope = [
        layout.road_distance(here + d) - layout.road_distance(here - d)
        for d in (np.array([step, 0]), np.array([0, step]))
    ]
    direction = -np.concatenate(slope)
    return direction / max(float(np.linalg.norm(direction)), 1e-9)


def plain_box(
    low: Sequence[float],
    high: Sequence[float],
    colour: Sequence[float] | np.ndarray,
    *,
    gloss: float = 0.0,
    lamp: int = 0,
) -> Mesh:
    """An axis-aligned box without its underside."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    v = np.array(
        [[x0, y0, z0], [x1, y0, z0], [x1, y1, z0], [x0, y1, z0], [x0, y0, z1], [x1, y0, z1], [x1, y1, z1], [x0, y1, z1]]
    )
    quads = np.array([[0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7], [4, 5, 6, 7]])
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return Mesh.build(v, triangles, colour, gloss=gloss, lamp=lamp)


def _pole(
    u: float, v: float, z0: float, z1: float, r0: float, r1: float, colour: Sequence[float], sides: int = 10
) -> Mesh:
    around = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.stack([np.cos(around), np.sin(around)], axis=1)
    low = np.c_[ring * r0 + (u, v), np.full(sides, z0)]
    high = np.c_[ring * r1 + (u, v), np.full(sides, z1)]
    i, j = np.arange(sides), (np.arange(sides) + 1) % sides
    triangles = np.concatenate([np.stack([i, j, j + sides], 1), np.stack([i, j + sides, i + sides], 1)])
    return Mesh.build(np.concatenate([low, high]), triangles, colour, smooth_deg=60)


def _window_rows(
    start: np.ndarray, along: np.ndarray, out: np.ndarray, length: float, height: float, rng: np.random.Generator
) -> list[Mesh]:
    """Rows of framed panes on one wall, from the first floor up, and shop fronts below."""
    parts, floors = [], int((height - 4.2) // 3.1)
    bay = length / max(round(length / 2.6), 1)
    for floor in range(floors):
        for number in range(round(length / bay)):
            centre = start + along * (number + 0.5) * bay + out * 0.02
            z = 4.4 + 3.1 * floor
            lit = Lamp.WINDOW if rng.random() < 0.35 else Lamp.NONE
            parts.append(_pane(centre, along, out, 1.34, z - 0.1, z + 1.85, (0.55, 0.54, 0.50), 0.0, 0.0, Lamp.NONE))
            shade = np.array(_GLASS) * rng.uniform(0.5, 1.8)
            parts.append(_pane(centre, along, out, 1.1, z, z + 1.7, shade, 0.85, 0.03, lit))
            parts.append(_pane(centre, along, out, 1.1, z + 0.82, z + 0.88, (0.5, 0.5, 0.47), 0.0, 0.05, Lamp.NONE))
    shop, at = 0, 0.6
    while at + 4.0 < length:
        width = float(rng.uniform(3.6, 5.2))
        centre = start + along * (at + width / 2)
        colour = _SHOPS[int(rng.integers(len(_SHOPS)))]
        parts.append(_pane(centre, along, out, width, 0.0, 3.5, colour, 0.1, 0.03, Lamp.NONE))
        parts.append(
            _pane(centre, along, out, width - 0.5, 0.5, 2.7, _GLASS, 0.9, 0.06, Lamp.WINDOW if shop % 3 else Lamp.NONE)
        )
        parts.append(
            _pane(centre, along, out, width - 1.2, 2.95, 3.3, np.array(colour) * 2.2 + 0.06, 0.0, 0.06, Lamp.NONE)
        )
        at, shop = at + width + 0.5, shop + 1
    return parts


def _pane(centre, along, out, width, z0, z1, colour, gloss, proud, lamp) -> Mesh:
    left, right = centre - along * width / 2 + out * proud, centre + along * width / 2 + out * proud
    corners = np.array([[*left, z0], [*right, z0], [*right, z1], [*left, z1]])
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    outward = np.cross(corners[1] - corners[0], corners[2] - corners[0]) @ np.array([*out, 0.0]) > 0
    return Mesh.build(
        corners, triangles if outward else triangles[:, ::-1], np.clip(colour, 0, 0.9), gloss=gloss, lamp=lamp
    )


def _building(spec: tuple, rng: np.random.Generator) -> Mesh:
    u0, v0, u1, v1, height, style = spec
    wall = np.array(_WALLS[style]) * rng.uniform(0.85, 1.15)
    parts = [
        plain_box((u0, v0, 0), (u1, v1, height), wall),
        plain_box((u0 - 0.25, v0 - 0.25, height - 0.5), (u1 + 0.25, v1 + 0.25, height), wall * 1.25),
    ]
    parts.append(plain_box((u0 - 0.12, v0 - 0.12, 3.6), (u1 + 0.12, v1 + 0.12, 3.9), wall * 1.3))
    walls = [
        ((u0, v0), (1, 0), (0, -1), u1 - u0),
        ((u0, v1), (1, 0), (0, 1), u1 - u0),
        ((u0, v0), (0, 1), (-1, 0), v1 - v0),
        ((u1, v0), (0, 1), (1, 0), v1 - v0),
    ]
    for start, along, out, length in walls:
        parts += _window_rows(np.array(start, float), np.array(along, float), np.array(out, float), length, height, rng)
    for _ in range(2):
        cu, cv = rng.uniform(u0 + 1.5, u1 - 1.5), rng.uniform(v0 + 1.5, v1 - 1.5)
        parts.append(plain_box((cu - 0.6, cv - 0.5, height), (cu + 0.6, cv + 0.5, height + 1.4), wall * 0.8))
    return Mesh.concat(parts)


def _tree(u: float, v: float, height: float, rng: np.random.Generator, leaves: int = 2600) -> Mesh:
    """A trunk, a few boughs, and a crown of leaf quads gathered in clumps."""
    bark = (0.10, 0.075, 0.055)
    stem = 0.42 * height
    parts = [_pole(u, v, 0.0, stem, 0.17, 0.11, bark), _pole(u, v, stem, 0.85 * height, 0.11, 0.03, bark, 6)]
    clumps = rng.normal(size=(26, 3))
    clumps /= np.linalg.norm(clumps, axis=1, keepdims=True)
    clumps = clumps * rng.uniform(0.35, 1.0, (26, 1)) * (0.27 * height, 0.27 * height, 0.29 * height) + (
        u,
        v,
        0.70 * height,
    )
    which = rng.integers(26, size=leaves)
    centre = clumps[which] + rng.normal(scale=0.30, size=(leaves, 3)) * (1, 1, 0.8)
    axes = rng.normal(size=(leaves, 2, 3))
    axes /= np.linalg.norm(axes, axis=2, keepdims=True)
    axes *= rng.uniform(0.09, 0.19, (leaves, 1, 1))
    a, b = axes[:, 0], axes[:, 1]
    corners = np.stack([centre - a - b, centre + a - b, centre + a + b, centre - a + b], axis=1).reshape(-1, 3)
    base = 4 * np.arange(leaves)[:, None]
    triangles = np.stack([base + [0, 1, 2], base + [0, 2, 3]], axis=1).reshape(-1, 3)
    green = np.array([0.055, 0.105, 0.025]) * rng.uniform(0.6, 1.5, (leaves, 1)) + rng.uniform(0, 0.03, (leaves, 1)) * (
        1,
        0.8,
        0.2,
    )
    crown = Mesh.build(corners, triangles, np.repeat(green, 2, axis=0), smooth_deg=1)
    # Leaves are lit as the crown's round surface, not one by one: a crown is bright on the sun's side.
    round_out = corners[triangles] - np.array([u, v, 0.62 * height])
    round_out = (round_out / np.linalg.norm(round_out, axis=2, keepdims=True)).astype(np.float32)
    crown = Mesh(crown.vertices, crown.triangles, round_out, crown.albedo, crown.gloss, crown.lamp)
    return Mesh.concat([*parts, crown])


def _lamp_post(u: float, v: float, layout: Layout) -> Mesh:
    du, dv = 1.5 * _towards_road(u, v, layout)
    arm = np.linspace(0, 1, 4)
    rods = [_pole(u, v, 0, 1.1, 0.11, 0.10, _METAL), _pole(u, v, 1.1, 7.2, 0.075, 0.05, _METAL)]
    rods += [
        plain_box((u + du * s - 0.28, v + dv * s - 0.28, 7.22), (u + du * s + 0.28, v + dv * s + 0.28, 7.30), _METAL)
        for s in arm[1:3]
    ]
    head = plain_box((u + du - 0.35, v + dv - 0.16, 7.24), (u + du + 0.35, v + dv + 0.16, 7.36), _METAL)
    light = plain_box(
        (u + du - 0.28, v + dv - 0.12, 7.18),
        (u + du + 0.28, v + dv + 0.12, 7.24),
        (0.7, 0.7, 0.65),
        lamp=Lamp.STREET_LAMP,
    )
    return Mesh.concat([*rods, head, light])


def _sign(u: float, v: float, rng: np.random.Generator) -> Mesh:
    face = [(0.03, 0.09, 0.40), (0.45, 0.03, 0.03), (0.50, 0.42, 0.05)][int(rng.integers(3))]
    plate = plain_box((u - 0.32, v - 0.03, 2.1), (u + 0.32, v + 0.03, 2.75), face, gloss=0.2)
    rim = plain_box((u - 0.36, v - 0.02, 2.06), (u + 0.36, v + 0.02, 2.79), (0.6, 0.6, 0.6))
    return Mesh.concat([_pole(u, v, 0, 2.9, 0.045, 0.045, _METAL), plate, rim])


def _shelter(u: float, v: float, length: float) -> Mesh:
    """A bus shelter: roof, posts, an advertising panel, a bench, a low back wall."""
    h, depth = 2.45, 1.5
    parts = [
        plain_box(
            (u - length / 2, v - depth / 2, h), (u + length / 2, v + depth / 2, h + 0.14), (0.16, 0.17, 0.18), gloss=0.2
        )
    ]
    for du in (-length / 2 + 0.1, 0.0, length / 2 - 0.1):
        parts.append(_pole(u + du, v - depth / 2 + 0.1, 0, h, 0.05, 0.05, _DARK))
    parts.append(
        plain_box(
            (u - length / 2 + 0.1, v - depth / 2 + 0.05, 0.25),
            (u + length / 2 - 0.1, v - depth / 2 + 0.11, 1.0),
            (0.25, 0.27, 0.28),
            gloss=0.4,
        )
    )
    parts.append(
        plain_box(
            (u + length / 2 - 0.12, v - depth / 2 + 0.1, 0.25),
            (u + length / 2 - 0.02, v + depth / 2 - 0.15, 2.2),
            (0.40, 0.33, 0.12),
            gloss=0.3,
            lamp=Lamp.WINDOW,
        )
    )
    parts.append(
        plain_box((u - 1.0, v - depth / 2 + 0.35, 0.42), (u + 1.0, v - depth / 2 + 0.75, 0.50), (0.20, 0.12, 0.06))
    )
    return Mesh.concat(parts)


def _bin(u: float, v: float) -> Mesh:
    return Mesh.concat(
        [
            _pole(u, v, 0, 0.95, 0.27, 0.29, (0.04, 0.07, 0.05), 14),
            plain_box((u - 0.22, v - 0.22, 0.95), (u + 0.22, v + 0.22, 1.02), _DARK),
        ]
    )


def _railing(u0: float, v0: float, u1: float, v1: float) -> Mesh:
    start, end = np.array([u0, v0]), np.array([u1, v1])
    count = max(round(float(np.linalg.norm(end - start)) / 0.35), 1)
    posts = [start + (end - start) * s for s in np.linspace(0, 1, count + 1)]
    parts = [_pole(p[0], p[1], 0, 1.0, 0.018, 0.018, _METAL, 5) for p in posts]
    low, high = np.minimum(start, end) - 0.03, np.maximum(start, end) + 0.03
    parts += [plain_box((*low, z), (*high, z + 0.05), _METAL) for z in (0.95, 0.15)]
    return Mesh.concat(parts)
