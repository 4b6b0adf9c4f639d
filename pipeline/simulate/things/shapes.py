"""What things are put together from, beside the parts of vehicles: rods, extruded outlines, slabs that lean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.parts import Material, box, grid_triangles, mesh_of

Point = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Thing:
    """mesh and points by name, (3,) metres each, in the thing's frame."""

    mesh: Mesh
    points: dict[str, np.ndarray]


def thing_of(parts: Sequence[Mesh], points: Mapping[str, Point]) -> Thing:
    """A thing of parts, moved so that its lowest point touches the ground."""
    mesh = Mesh.concat(list(parts))
    down = np.array([0, 0, -float(mesh.vertices[:, 2].min())])
    return Thing(mesh.moved(np.eye(3), down), {name: np.asarray(p, float) + down for name, p in points.items()})


def sided(**points: Point) -> dict[str, Point]:
    """Points given for the left, `{}` or a trailing side in their name left out, on both sides: name -> left, right."""
    both: dict[str, Point] = {}
    for name, (x, y, z) in points.items():
        words = name.replace("_", " ")
        both |= {f"{words} left": (x, y, z), f"{words} right": (x, -y, z)}
    return both


def rod(
    points: Sequence[Point] | np.ndarray, radius_m: float | Sequence[float], material: Material, sides: int = 7
) -> Mesh:
    """A round rod along a polyline (P, 3), closed at both ends; one radius, or one for each point."""
    path = np.asarray(points, float)
    radii = np.broadcast_to(np.asarray(radius_m, float), (len(path),))
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    side = np.cross(along, [0.0, 0, 1] if abs(along[0, 2]) < 0.9 else [0.0, 1, 0])
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    up = np.cross(side, along)
    angle = np.linspace(0, 2 * np.pi, sides + 1)[:, None, None]
    ring = path + radii[:, None] * (np.cos(angle) * side + np.sin(angle) * up)  # (sides + 1, P, 3)
    tube = mesh_of(ring.transpose(1, 0, 2).reshape(-1, 3), grid_triangles(len(path), sides + 1), material, 60.0)
    caps = [_fan(ring[:-1, 0], path[0], material), _fan(ring[-2::-1, -1], path[-1], material)]
    return Mesh.concat([tube, *caps])


def _fan(rim: np.ndarray, centre: np.ndarray, material: Material) -> Mesh:
    """A flat closed face of a rim (R, 3) around its centre."""
    index = np.arange(len(rim))
    triangles = np.stack([np.full(len(rim), len(rim)), index, (index + 1) % len(rim)], 1)
    return mesh_of(np.vstack([rim, centre]), triangles, material)


def plate(outline_yz: np.ndarray, x: tuple[float, float], material: Material, back: Material | None = None) -> Mesh:
    """A star-shaped outline (P, 2) of y and z, counter-clockwise as seen from ahead, from x[0] to x[1]; its back may be
    of another material."""
    outline = np.asarray(outline_yz, float)
    rear, front = (np.column_stack([np.full(len(outline), at), outline]) for at in x)
    ring = np.concatenate([np.stack([rear, front]), np.stack([rear, front])[:, :1]], axis=1)
    rim = mesh_of(ring.reshape(-1, 3), grid_triangles(2, len(outline) + 1)[:, ::-1], back or material)
    faces = _fan(rear[::-1], rear.mean(axis=0), back or material), _fan(front, front.mean(axis=0), material)
    return Mesh.concat([rim, *faces])


def regular(count: int, radius_m: float, first_deg: float = 90.0, middle: tuple[float, float] = (0, 0)) -> np.ndarray:
    """(count, 2) corners of a regular polygon; angles from +y towards +z."""
    angle = np.radians(first_deg) + 2 * np.pi * np.arange(count) / count
    return np.stack([np.cos(angle), np.sin(angle)], 1) * radius_m + middle


def turned_about_z(profile_rz: Sequence[tuple[float, float]], material: Material, segments: int = 14) -> Mesh:
    """A surface of revolution about the z axis through (radius, z) points, from below upwards."""
    radius, z = np.asarray(profile_rz, float).T
    angle = np.linspace(0, 2 * np.pi, segments + 1)
    ring = np.stack(np.broadcast_arrays(
        radius[:, None] * np.cos(angle), radius[:, None] * np.sin(angle), z[:, None]), 2)  # fmt: skip
    return mesh_of(ring.reshape(-1, 3), grid_triangles(*ring.shape[:2])[:, ::-1], material, 50.0)


def slab(centre: Point, size: Point, material: Material, *, pitch_deg: float = 0.0, bevel_m: float = 0.0) -> Mesh:
    """A box of a size (3,) around a centre, its top leaning back by pitch_deg about the y axis."""
    half = np.asarray(size, float) / 2
    c, s = np.cos(np.radians(pitch_deg)), np.sin(np.radians(pitch_deg))
    R = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    return box(-half, half, material, bevel_m=bevel_m).moved(R, np.asarray(centre, float))
