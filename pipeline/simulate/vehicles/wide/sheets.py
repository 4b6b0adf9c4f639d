"""Flat surfaces, and things that lie on one: panes one sees through, round lamps, plates, stripes and lettering.

Surface coordinates are those of `Shell`'s surfaces; lifts are metres off the surface.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.parts import Axis, Material, Surface, mesh_of, panel
from pipeline.simulate.vehicles.wide.looks import Looks, Plate

_SEAT = 0.012  # albedo of what stands dark against the light behind a pane


def flat_side(half: float) -> Surface:
    """The plane y = half as a surface of x and z."""
    return lambda x, z: np.stack([x, np.full_like(np.asarray(x, float), half), z], -1)


def flat_end(x: float, half: float) -> Surface:
    """The plane at x as a surface of y, in fractions of half, and z."""
    return lambda t, z: np.stack([np.full_like(np.asarray(t, float), x), half * t, z], -1)


def quads(surface: Surface, corners: np.ndarray, material: Material, *, outward: Axis, lift_m: float) -> Mesh:
    """Quads (N, 4, 2) of surface coordinates as one mesh, lift_m above the surface towards `outward`."""
    points = surface(corners[..., 0], corners[..., 1])  # (N, 4, 3)
    normal = np.cross(points[:, 1] - points[:, 0], points[:, 3] - points[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    facing = np.sign(normal @ np.asarray(outward, float))
    vertices = (points + lift_m * (facing[:, None] * normal)[:, None]).reshape(-1, 3)
    first = 4 * np.arange(len(corners))[:, None]
    turn = (
        np.where(facing[:, None] > 0, [[0, 1, 2]], [[2, 1, 0]]),
        np.where(facing[:, None] > 0, [[0, 2, 3]], [[3, 2, 0]]),
    )
    return mesh_of(vertices, np.concatenate([first + turn[0], first + turn[1]]), material, 5.0)


def rectangles(x: np.ndarray, z: np.ndarray, width: np.ndarray, height: np.ndarray) -> np.ndarray:
    """(N, 4, 2) corners of rectangles about (x, z), all (N,)."""
    dx, dz = np.broadcast_arrays(width / 2, height / 2)
    return np.stack([np.stack([x + a * dx, z + b * dz], -1) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))], 1)


def disc_on(
    surface: Surface, centre: Sequence[float], radius: Sequence[float], material: Material, *, outward: Axis,
    lift_m: float = 0.008, sides: int = 12,
) -> Mesh:  # fmt: skip
    """A round lamp: a fan about a centre of surface coordinates, with its radius in each of them."""
    angle = 2 * np.pi * np.arange(sides) / sides
    u, v = (np.append(centre[i] + radius[i] * f(angle), centre[i]) for i, f in enumerate((np.cos, np.sin)))
    points = surface(u, v) + lift_m * np.asarray(outward, float)
    index = np.arange(sides)
    triangles = np.stack([np.full(sides, sides), index, (index + 1) % sides], 1)
    a, b, c = points[triangles[0]]
    if np.cross(b - a, c - a) @ np.asarray(outward, float) < 0:
        triangles = triangles[:, ::-1]
    return mesh_of(points, triangles, material)


def pane(
    surface: Surface, corners: Sequence[Sequence[float]], looks: Looks, *, outward: Axis, cells: tuple[int, int],
    lift_m: float = 0.007, upright: int = 1,
) -> Mesh:  # fmt: skip
    """A window; through clear glass the far side is bright, with seats dark against its lower half.

    The surface below is closed, so that what is behind is a picture on the pane; `upright` says which of its two
    directions runs upwards.
    """
    sheet = panel(surface, corners, looks.glass, outward=outward, cells=cells, lift_m=lift_m)
    if looks.see_through <= 0:
        return sheet
    cell = np.arange(len(sheet.triangles)) % (
        cells[0] * cells[1]
    )  # of `grid_triangles`: all first halves, then all second
    along, up = np.divmod(cell, cells[1])
    if upright == 0:
        along, up = up, along
    rows, columns = (cells[1], cells[0]) if upright else (cells[0], cells[1])
    height, seat = (up + 0.5) / rows, (along % 3 == 1) if columns > 2 else np.zeros(len(up), bool)
    bright = np.where(height < 0.4, 0.25, 1.0) * np.where(seat & (height < 0.75), 0.1, 1.0)
    albedo = sheet.albedo + (looks.see_through * bright)[:, None] * np.array([0.9, 0.95, 1.0])
    return replace(sheet, albedo=np.clip(albedo, _SEAT, 0.6).astype(np.float32))


def plate_on(cap: Surface, plate: Plate, half_width: float, z: float, *, outward: Axis, y: float = 0.0) -> list[Mesh]:
    """A number plate on a cap, its middle at height z and y metres off the middle, with dark figures."""
    t, middle = plate.width_m / 2 / (0.86 * half_width), y / (0.86 * half_width)
    low, high = z - plate.height_m / 2, z + plate.height_m / 2
    corners = [(middle + t, low), (middle - t, low), (middle - t, high), (middle + t, high)]
    ground = panel(cap, corners, plate.ground, outward=outward, cells=(2, 1), lift_m=0.014)
    lines = (z,) if plate.height_m < 0.18 else (z - 0.045, z + 0.045)
    at = np.linspace(-0.72, 0.72, 6)
    figures = [rectangles(middle + t * at, np.full(6, line), np.full(6, 0.13 * t), np.full(6, 0.065)) for line in lines]
    return [ground, quads(cap, np.concatenate(figures), plate.ink, outward=outward, lift_m=0.018)]


def lettering(
    surface: Surface, x: float, z: float, height_m: float, letters: int, material: Material, rng: np.random.Generator,
    *, outward: Axis, lift_m: float = 0.012,
) -> Mesh:  # fmt: skip
    """Letters of no alphabet, two strokes each, in a line that begins at x and runs backwards."""
    step = 0.75 * height_m
    at = x - step * np.repeat(np.arange(letters), 2)
    upright = np.tile([True, False], letters)
    width = np.where(upright, 0.2, rng.uniform(0.35, 0.6, 2 * letters)) * height_m
    height = np.where(upright, 1.0, 0.2) * height_m
    across = np.where(upright, rng.uniform(-0.2, 0.2, 2 * letters), 0.0) * height_m
    up = np.where(upright, 0.0, rng.uniform(-0.4, 0.4, 2 * letters)) * height_m
    return quads(surface, rectangles(at + across, z + up, width, height), material, outward=outward, lift_m=lift_m)
