"""Small parts that vehicles are put together from: materials, boxes, panels on a surface, lathed wheels.

Metres, x forward, y left, z up. Everything made for the left side is carried to the right by `mirrored`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.mesh import Lamp, Mesh

Axis = tuple[int, int, int]
LAMP_LIFT = np.array([0.008, 0.0, 0.0])  # a lamp's glass ahead of the body below it, metres
UP, LEFT, AHEAD, BACK = (0, 0, 1), (0, 1, 0), (1, 0, 0), (-1, 0, 0)
Surface = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Two surface coordinates of any one shape (...) to points (..., 3) metres."""


@dataclass(frozen=True)
class Material:
    """What a part is made of: albedo linear RGB, gloss 0 matte to 1 mirror, lamp of Lamp."""

    albedo: tuple[float, float, float]
    gloss: float = 0.0
    lamp: Lamp = Lamp.NONE


GLASS = Material((0.012, 0.014, 0.016), 0.85)
PLASTIC = Material((0.022, 0.022, 0.024), 0.10)
SHADOW = Material((0.006, 0.006, 0.006))
RUBBER = Material((0.018, 0.018, 0.018), 0.02)
STEEL = Material((0.30, 0.30, 0.31), 0.30)
ALLOY = Material((0.42, 0.42, 0.44), 0.55)
CHROME = Material((0.50, 0.50, 0.52), 0.85)
HEADLIGHT = Material((0.34, 0.36, 0.39), 0.90, Lamp.HEADLIGHT)
TAIL_LIGHT = Material((0.30, 0.010, 0.012), 0.55, Lamp.TAIL_LIGHT)
BRAKE_LIGHT = Material((0.40, 0.014, 0.012), 0.55, Lamp.BRAKE_LIGHT)
INDICATOR = Material((0.60, 0.22, 0.02), 0.50, Lamp.INDICATOR_LEFT)
PLATE = Material((0.72, 0.72, 0.70), 0.15)
AMBER_SIGN = Material((0.75, 0.38, 0.03), 0.05)

_SWAPPED_LAMP = np.array(
    [
        {Lamp.INDICATOR_LEFT: Lamp.INDICATOR_RIGHT, Lamp.INDICATOR_RIGHT: Lamp.INDICATOR_LEFT}.get(lamp, lamp)
        for lamp in Lamp
    ],
    np.uint8,
)


def mesh_of(vertices: np.ndarray, triangles: np.ndarray, material: Material, smooth_deg: float = 30.0) -> Mesh:
    """One mesh of one material from vertices (V, 3) and triangles (T, 3)."""
    return Mesh.build(
        vertices,
        triangles,
        material.albedo,
        gloss=material.gloss,
        lamp=material.lamp,
        smooth_deg=smooth_deg,
    )


def mirrored_mesh(mesh: Mesh) -> Mesh:
    """The mesh reflected in the plane y = 0; left and right indicators change places."""
    flip = np.array([1, -1, 1], np.float32)
    return Mesh(
        mesh.vertices * flip,
        np.ascontiguousarray(mesh.triangles[:, ::-1]),
        np.ascontiguousarray(mesh.normals[:, ::-1] * flip),
        mesh.albedo,
        mesh.gloss,
        _SWAPPED_LAMP[mesh.lamp],
    )


def both_sides(meshes: Sequence[Mesh]) -> list[Mesh]:
    """The parts and their mirror images."""
    return [*meshes, *(mirrored_mesh(mesh) for mesh in meshes)]


def shifted(mesh: Mesh, offset_xyz: Sequence[float] | np.ndarray) -> Mesh:
    """The mesh moved by offset_xyz metres."""
    return mesh.moved(np.eye(3), np.asarray(offset_xyz))


def grid_triangles(rows: int, columns: int) -> np.ndarray:
    """(2 (rows-1) (columns-1), 3) triangles of a row-major vertex grid, facing (d row) x (d column)."""
    first = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).reshape(-1)
    a, b, c, d = first, first + columns, first + columns + 1, first + 1
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def panel(
    surface: Surface,
    corners: Sequence[Sequence[float]],
    material: Material,
    *,
    outward: Axis,
    cells: tuple[int, int] = (1, 1),
    lift_m: float = 0.006,
) -> Mesh:
    """A four-cornered sheet lying lift_m above a surface, on the side of `outward`.

    corners (4, 2) are surface coordinates in turn; cells along corner 0 to 1, and along corner 0 to 3. It is
    bilinear between the corners, so that a sheet follows the curved surface below it.
    """
    c = np.asarray(corners, float)
    s = np.linspace(0, 1, cells[0] + 1)[:, None, None]
    t = np.linspace(0, 1, cells[1] + 1)[None, :, None]
    where = (1 - s) * ((1 - t) * c[0] + t * c[3]) + s * ((1 - t) * c[1] + t * c[2])
    points = surface(where[..., 0], where[..., 1])  # (rows, columns, 3)
    normal = np.cross(np.gradient(points, axis=0), np.gradient(points, axis=1))
    normal /= np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-12)
    facing = float(np.sign(np.sum(normal @ np.asarray(outward, float))))
    triangles = grid_triangles(cells[0] + 1, cells[1] + 1)
    vertices = (points + lift_m * facing * normal).reshape(-1, 3)
    return mesh_of(vertices, triangles if facing > 0 else triangles[:, ::-1], material, 40.0)


def box(
    low: Sequence[float] | np.ndarray,
    high: Sequence[float] | np.ndarray,
    material: Material,
    *,
    bevel_m: float = 0.0,
    lean_m: float = 0.0,
) -> Mesh:
    """A box from corner `low` to corner `high`, its edges cut by bevel_m, its top moved forward by lean_m."""
    lo, hi = np.asarray(low, float), np.asarray(high, float)
    bevel = max(min(bevel_m, 0.45 * float(np.min(hi - lo))), 0.0)
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    if bevel == 0:
        vertices = signs * (hi - lo) / 2
    else:
        vertices = np.concatenate([signs * ((hi - lo) / 2 - bevel * (1 - np.eye(3)[axis])) for axis in range(3)])
    triangles = hull_triangles(vertices)
    vertices = vertices + (lo + hi) / 2
    vertices[:, 0] += lean_m * (vertices[:, 2] - lo[2]) / (hi[2] - lo[2])
    return mesh_of(vertices, triangles, material, 50.0 if bevel else 10.0)


def hull_triangles(vertices: np.ndarray) -> np.ndarray:
    """Outward triangles (T, 3) of the convex hull of points around the origin."""
    from scipy.spatial import ConvexHull

    hull = ConvexHull(vertices)
    faces = hull.simplices
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    inward = np.sum(np.cross(b - a, c - a) * (a + b + c), axis=1) < 0
    faces[inward] = faces[inward][:, ::-1]
    return faces


def lathe(profile: Sequence[tuple[float, float]], material: Material, segments: int = 16) -> Mesh:
    """A ring swept about the y axis from (radius, y) points; faces outward where they run outside in from +y."""
    radius, y = np.asarray(profile, float).T
    angle = np.arange(segments + 1) % segments * (2 * np.pi / segments) - np.pi / 2
    cos, sin = np.cos(angle), np.sin(angle)
    points = np.stack(
        [radius[:, None] * cos, np.broadcast_to(y[:, None], (len(y), len(angle))), radius[:, None] * sin], 2
    )
    return mesh_of(points.reshape(-1, 3), grid_triangles(*points.shape[:2])[:, ::-1], material, 40.0)


def disc(radius_m: float, y_m: float, material: Material, segments: int = 16) -> Mesh:
    """A flat disc about the y axis at y_m, facing +y."""
    angle = np.arange(segments) * (2 * np.pi / segments)
    rim = np.stack([radius_m * np.cos(angle), np.full(segments, y_m), radius_m * np.sin(angle)], 1)
    index = np.arange(segments)
    triangles = np.stack([np.full(segments, segments), (index + 1) % segments, index], 1)
    return mesh_of(np.concatenate([rim, [[0, y_m, 0]]]), triangles, material)


def wheel(radius_m: float, width_m: float, *, rim: float, spokes: int, metal: Material) -> Mesh:
    """A left wheel: its axle is the y axis, its outer face lies at y = 0, it reaches inward to -width_m.

    rim is the rim's fraction of the radius; spokes 0 makes a steel disc with a hub, as on lorries and buses.
    """
    r = rim * radius_m
    tyre = lathe(
        [
            (r, -0.006),
            (0.5 * (r + radius_m), 0.0),
            (radius_m - 0.03, -0.006),
            (radius_m, -0.035),
            (radius_m, -width_m),
            (0.6 * r, -width_m),
        ],
        RUBBER,
    )
    depth = -0.060 if spokes else -0.045
    lip = lathe([(0.90 * r, depth), (0.96 * r, -0.008), (r, -0.006)], metal)
    parts = [tyre, lip, disc(0.90 * r, depth, SHADOW if spokes else metal)]
    parts.append(lathe([(0.001, -0.001), (0.16 * r, -0.004), (0.22 * r, -0.040)], metal, 8))
    parts += [_spoke(r, 2 * np.pi * k / spokes, metal) for k in range(spokes)]
    return Mesh.concat(parts)


def _spoke(rim_m: float, angle: float, metal: Material) -> Mesh:
    """One spoke from hub to rim, its face (4 corners) and its two flanks going down into the rim."""
    along, across = np.array([np.cos(angle), 0, np.sin(angle)]), np.array([-np.sin(angle), 0, np.cos(angle)])
    rows = []
    for fraction, half, y in ((0.16, 0.11, -0.012), (0.94, 0.13, -0.018)):
        centre = fraction * rim_m * along
        for side, depth in ((-1.25, -0.055), (-1.0, y), (1.0, y), (1.25, -0.055)):
            rows.append(centre + side * half * rim_m * across + np.array([0, depth, 0]))
    return mesh_of(np.array(rows), grid_triangles(2, 4)[:, ::-1], metal, 20.0)


def tube(a: Sequence[float], b: Sequence[float], radius_m: float, material: Material) -> Mesh:
    """A square tube between two points."""
    start, end = np.asarray(a, float), np.asarray(b, float)
    along = (end - start) / np.linalg.norm(end - start)
    side = np.cross(along, [0, 1, 0] if abs(along[1]) < 0.9 else [1, 0, 0])
    side /= np.linalg.norm(side)
    up = np.cross(along, side)
    ring = radius_m * np.stack([side, up, -side, -up])
    vertices = np.concatenate([start + ring, end + ring])
    triangles = [(i, (i + 1) % 4, 4 + i) for i in range(4)] + [((i + 1) % 4, 4 + (i + 1) % 4, 4 + i) for i in range(4)]
    return mesh_of(vertices, np.array(triangles), material)
