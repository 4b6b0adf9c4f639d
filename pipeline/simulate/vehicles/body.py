"""Loft the painted shell of a vehicle from its side and plan outline.

A shell is a grid of cross sections along x (stations) by points around each section, closed by a front and a
rear cap, and mirrored. Section coordinate v: 0 lower edge, 1 belt line, 2 foot of the roof's edge, 3 end of
that rounded edge, 4 centre line. Metres; x forward, y left, z up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.parts import SHADOW, Material, both_sides, grid_triangles, mesh_of

Points = tuple[tuple[float, float], ...]

_LOWER = np.array([0.0, 0.0, 0.25, 0.55, 0.80, 0.93, 1.0])  # heights between the lip and the belt
_V = np.concatenate([np.linspace(0, 1, 7), [1.33, 1.67, 2.0], [2.33, 2.67, 3.0], [3.25, 3.5, 3.75, 4.0]])
_EDGE_MIN_M = 0.045
_STEPS_IN_ARCH = 6
_END_STATIONS_M = (0.0, 0.015, 0.045, 0.10, 0.20)


@dataclass(frozen=True)
class BodyLines:
    """The lines a shell is lofted through. Points are (x, z) or, for the leans, (z, inset) in metres."""

    length_m: float
    width_m: float  # of the painted body, without mirrors
    top: Points  # roof line over the centre, rear to front
    belt: Points  # where the glass begins, rear to front
    sill_m: float  # lower edge above ground
    axles_x: tuple[float, ...]  # wheel arches, front first
    wheel_radius_m: float
    arch_m: float  # radius of the wheel arch
    tumble_deg: float  # lean of the side windows
    roof_edge_m: float  # radius of the roof's edge
    front_lean: Points  # how far the nose stands back at height z
    rear_lean: Points
    front_bulge_m: float  # how much further forward the middle of the nose is than its sides
    rear_bulge_m: float
    front_taper: float  # fraction of the half-width lost at the nose
    rear_taper: float
    waist: float = 0.05  # fraction of the half-width lost at the sill
    lip_m: float = 0.05  # height of the lowest row of cells, which may be plastic
    crown_m: float = 0.035  # the roof's centre above its edges
    soften_m: float = 0.09  # bends of the roof line are spread over this length
    bed: tuple[float, float, float] | None = None  # open load bed: rear x, front x, floor z


@dataclass(frozen=True)
class Shell:
    """The left half of a lofted body: grid (S, R, 3), its stations x (S,), and the two caps (R', T, 3)."""

    outline: BodyLines
    x: np.ndarray
    grid: np.ndarray
    front: np.ndarray
    rear: np.ndarray

    def section(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Points (..., 3) at station x and section coordinate v."""
        return _bilinear(self.grid, np.interp(x, self.x, np.arange(len(self.x))), np.interp(v, _V, np.arange(len(_V))))

    def side(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Points (..., 3) of the left side at station x and height z."""
        heights = self.section(np.asarray(x)[..., None], np.broadcast_to(_V[:10], (*np.shape(x), 10)))[..., 2]
        return self.section(x, _invert(heights, np.asarray(z), _V[:10]))

    def top(self, x: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Points (..., 3) of bonnet, screens and roof: t 0 centre, +1 or -1 where the left or right edge rounds."""
        return _to_side(self.section(x, 4 - np.abs(t)), t)

    def nose(self, t: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Points (..., 3) of the front cap: t 0 centre to 1 left or -1 right, height z."""
        return _to_side(_cap_points(self.front, np.abs(t), z), t)

    def tail(self, t: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Points (..., 3) of the rear cap: t 0 centre to 1 left or -1 right, height z."""
        return _to_side(_cap_points(self.rear, np.abs(t), z), t)

    def mesh(self, row_materials: list[Material]) -> Mesh:
        """Both halves, caps and dark floor; row_materials gives the material of each of the rows of cells."""
        half = _grid_mesh(self.grid, row_materials, flip=True)
        front = _grid_mesh(self.front.transpose(1, 0, 2), row_materials[: self.front.shape[0] - 1], flip=True)
        rear = _grid_mesh(self.rear.transpose(1, 0, 2), row_materials[: self.rear.shape[0] - 1], flip=False)
        # One build over everything, so that normals run smoothly across the seams.
        whole = Mesh.concat(both_sides([half, front, rear]))
        painted = Mesh.build(whole.vertices, whole.triangles, whole.albedo, gloss=whole.gloss, smooth_deg=32.0)
        edge = self.grid[:, 0]
        floor = np.stack([edge * [1, -1, 1], edge], 1).reshape(-1, 3)
        return Mesh.concat([painted, mesh_of(floor, grid_triangles(len(edge), 2)[:, ::-1], SHADOW)])


def rows_of_cells() -> np.ndarray:
    """Section coordinate at the middle of each row of cells."""
    return (_V[1:] + _V[:-1]) / 2


def loft(outline: BodyLines) -> Shell:
    """The shell of an outline; all outlines with as many axles and top points share one topology."""
    x = _stations(outline)
    grid = _cross_sections(outline, x)
    front, rear = _end_cap(grid[-1]), _end_cap(grid[0])
    return Shell(outline, x, *(_warp(outline, part) for part in (grid, front, rear)))


def _stations(o: BodyLines) -> np.ndarray:
    """Ascending x of the cross sections: dense at both ends, over the arches and at the bends of the roof."""
    first, last = -o.length_m / 2 + o.rear_bulge_m, o.length_m / 2 - o.front_bulge_m
    ends = np.array(_END_STATIONS_M)
    inside = -np.cos(np.linspace(0, np.pi, _STEPS_IN_ARCH + 1)) * (o.arch_m - 0.001)
    around = np.concatenate([inside, [-o.arch_m - 0.004, o.arch_m + 0.004]])  # a wall below the wheel's centre
    arches = np.concatenate([axle + around for axle in o.axles_x]) if o.axles_x else np.empty(0)
    bends = np.array([x for x, _ in o.top[1:-1]])
    # A station on either side of a bend, so that softened lines keep their roundness.
    bends = np.concatenate([bends - 0.6 * o.soften_m, bends + 0.6 * o.soften_m])
    walls = np.array([o.bed[0], o.bed[0] + 0.012, o.bed[1] - 0.012, o.bed[1]]) if o.bed else np.empty(0)
    filler = np.linspace(first, last, 9)[2:-2]
    x = np.sort(np.concatenate([first + ends, last - ends, arches, bends, walls, filler]))
    x = np.clip(x, first, last)
    gap = 0.004 * np.arange(len(x))
    x = np.maximum.accumulate(x - gap) + gap  # never closer than 4 mm
    return x * (last - first) / (x[-1] - x[0]) + (first - x[0] * (last - first) / (x[-1] - x[0]))


def _softened(points: Points, x: np.ndarray, width_m: float) -> np.ndarray:
    """The polyline through points (x, z) at x, averaged twice over width_m so that its bends are round."""
    knots = np.asarray(points, float)
    offsets = width_m / 2 * np.linspace(-1, 1, 9)
    around = (offsets[:, None] + offsets).reshape(-1)
    return np.interp(x[:, None] + around, knots[:, 0], knots[:, 1]).mean(axis=1)


def _half_width(o: BodyLines, x: np.ndarray) -> np.ndarray:
    """(S,) half-width of the body in plan: tapering towards the ends, rounded at the corners."""
    first, last = -o.length_m / 2 + o.rear_bulge_m, o.length_m / 2 - o.front_bulge_m
    reach = min(1.1, 0.3 * o.length_m)
    to_front, to_rear = last - x, x - first
    taper = o.front_taper * np.clip(1 - to_front / reach, 0, 1) ** 2.5
    taper += o.rear_taper * np.clip(1 - to_rear / reach, 0, 1) ** 2.5
    corner = 0.05 * np.clip(1 - np.minimum(to_front, to_rear) / 0.10, 0, 1) ** 2
    return o.width_m / 2 * (1 - taper) - corner


def _lower_edge(o: BodyLines, x: np.ndarray) -> np.ndarray:
    """(S,) height of the lower edge: the sill, cut by the wheel arches."""
    rise = [np.sqrt(np.maximum(o.arch_m**2 - (x - axle) ** 2, 0)) + o.wheel_radius_m for axle in o.axles_x]
    inside = [np.abs(x - axle) < o.arch_m for axle in o.axles_x]
    edge = np.full_like(x, o.sill_m)
    for height, mask in zip(rise, inside, strict=True):
        edge = np.where(mask, np.maximum(edge, height), edge)
    return edge


def _cross_sections(o: BodyLines, x: np.ndarray) -> np.ndarray:
    """(S, R, 3) unwarped left half of all cross sections."""
    half, bottom = _half_width(o, x), _lower_edge(o, x)
    first, last = x[0], x[-1]
    ends = np.clip(1 - np.minimum(last - x, x - first) / 0.10, 0, 1) ** 2
    roof = _softened(o.top, x, o.soften_m) - 0.04 * ends
    edge_z = roof - o.crown_m
    belt = np.minimum(np.interp(x, *np.asarray(o.belt, float).T), edge_z - _EDGE_MIN_M - 0.02)
    radius = np.clip(0.4 * (edge_z - belt), _EDGE_MIN_M, o.roof_edge_m)
    lip = bottom + np.minimum(o.lip_m, 0.3 * (belt - bottom))
    z_low = lip[:, None] + (belt - lip)[:, None] * _LOWER
    z_low[:, 0] = bottom
    y_low = half[:, None] * _flank((z_low - o.sill_m) / (belt - o.sill_m)[:, None], o.waist)
    rise = (edge_z - radius - belt)[:, None] * np.array([1 / 3, 2 / 3, 1])
    fraction = rise / rise[:, -1:]
    y_glass = y_low[:, -1:] - np.tan(np.radians(o.tumble_deg)) * rise * (0.85 + 0.15 * fraction)
    arc = np.radians([30, 60, 90])
    y_edge = y_glass[:, -1:] - radius[:, None] * (1 - np.cos(arc))
    z_edge = (edge_z - radius)[:, None] + radius[:, None] * np.sin(arc)
    t = np.array([0.75, 0.5, 0.25, 0.0])
    y_roof, z_roof = y_edge[:, -1:] * t, edge_z[:, None] + o.crown_m * (1 - t**2)
    y = np.concatenate([y_low, y_glass, y_edge, y_roof], 1)
    z = np.concatenate([z_low, belt[:, None] + rise, z_edge, z_roof], 1)
    if o.bed:
        _sink_bed(o.bed, x, y, z)
    return np.stack([np.broadcast_to(x[:, None], y.shape), y, z], 2)


def _flank(fraction: np.ndarray, waist: float) -> np.ndarray:
    """Half-width at a fraction of the side's height, over its greatest: tucked in at the sill, rounded at the belt."""
    tuck = waist * np.clip(1 - fraction / 0.45, 0, 1) ** 2
    shoulder = 0.045 * np.clip((fraction - 0.62) / 0.38, 0, 1) ** 2
    return 1 - tuck - shoulder


def _sink_bed(bed: tuple[float, float, float], x: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
    """Lower the middle of the sections between the bed's walls, in place, leaving a rail of 7 cm."""
    inside = (x > bed[0] + 0.006) & (x < bed[1] - 0.006)
    rail = y[inside, -5]
    y[inside, -4:] = np.stack([rail - 0.05, rail - 0.06, 0.5 * rail, 0 * rail], 1)
    z[inside, -4] = z[inside, -5]
    z[inside, -3:] = bed[2]


def _end_cap(section: np.ndarray) -> np.ndarray:
    """(R', T, 3) sheet that closes an end section (R, 3), from its lower edge to its top, side to centre line."""
    rows, top = section[:-4], section[-5:]
    t = top[:, 1] / top[0, 1]
    fraction = (rows[:, 2] - rows[0, 2]) / (rows[-1, 2] - rows[0, 2])
    y = rows[:, 1:2] * t
    z = rows[:, 2:3] + fraction[:, None] * (top[:, 2] - top[0, 2])
    return np.stack([np.full_like(y, section[0, 0]), y, z], 2)


def _warp(o: BodyLines, points: np.ndarray) -> np.ndarray:
    """Bend straight sections: noses and tails bulge towards their middle and lean with height."""
    x, y, z = np.moveaxis(points, -1, 0)
    first, last = -o.length_m / 2 + o.rear_bulge_m, o.length_m / 2 - o.front_bulge_m
    middle = np.clip(1 - (2 * y / o.width_m) ** 2, 0, 1)
    reach = 0.45 * o.length_m
    ahead, behind = np.clip(1 - (last - x) / reach, 0, 1), np.clip(1 - (x - first) / reach, 0, 1)
    moved = x + o.front_bulge_m * middle * ahead - o.rear_bulge_m * middle * behind
    near_front = np.clip(1 - (last - x) / 0.45, 0, 1)
    near_rear = np.clip(1 - (x - first) / 0.45, 0, 1)
    moved = moved - np.interp(z, *np.asarray(o.front_lean, float).T) * near_front
    moved = moved + np.interp(z, *np.asarray(o.rear_lean, float).T) * near_rear
    return np.stack([moved, y, z], -1)


def _bilinear(grid: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Grid (S, R, 3) at fractional indices i, j of one shape (...): points (..., 3)."""
    i, j = np.broadcast_arrays(i, j)
    i0 = np.clip(np.floor(i).astype(int), 0, grid.shape[0] - 2)
    j0 = np.clip(np.floor(j).astype(int), 0, grid.shape[1] - 2)
    a, b = (i - i0)[..., None], (j - j0)[..., None]
    low = (1 - b) * grid[i0, j0] + b * grid[i0, j0 + 1]
    high = (1 - b) * grid[i0 + 1, j0] + b * grid[i0 + 1, j0 + 1]
    return (1 - a) * low + a * high


def _invert(heights: np.ndarray, z: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The value (...) at which ascending heights (..., R) reach z (...); held at both ends."""
    above = np.clip((heights < z[..., None]).sum(axis=-1), 1, heights.shape[-1] - 1)
    low = np.take_along_axis(heights, above[..., None] - 1, -1)[..., 0]
    high = np.take_along_axis(heights, above[..., None], -1)[..., 0]
    fraction = np.clip((z - low) / np.maximum(high - low, 1e-9), 0, 1)
    return values[above - 1] + fraction * (values[above] - values[above - 1])


def _to_side(points: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Left points (..., 3) carried to the right where t (...) is negative."""
    return points * np.stack([np.ones_like(t), np.where(t < 0, -1.0, 1.0), np.ones_like(t)], -1)


def _cap_points(cap: np.ndarray, t: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Points (..., 3) of a cap (R', T, 3) at t (0 centre, 1 side) and height z."""
    t, z = np.broadcast_arrays(np.asarray(t, float), np.asarray(z, float))
    sides = cap[0, :, 1] / cap[0, 0, 1]
    column = np.interp(1 - t, 1 - sides, np.arange(cap.shape[1]))
    rows = np.arange(cap.shape[0])
    heights = _bilinear(cap, np.broadcast_to(rows, (*t.shape, len(rows))), column[..., None])[..., 2]
    return _bilinear(cap, _invert(heights, z, rows.astype(float)), column)


def _grid_mesh(grid: np.ndarray, row_materials: list[Material], *, flip: bool) -> Mesh:
    """A vertex grid (S, R, 3) as a mesh; the cells between columns r and r + 1 have row_materials[r]."""
    stations, rows = grid.shape[:2]
    triangles = grid_triangles(stations, rows)
    row = np.tile(np.arange(rows - 1), 2 * (stations - 1))
    albedo = np.array([m.albedo for m in row_materials])[row]
    gloss = np.array([m.gloss for m in row_materials])[row]
    ordered = triangles[:, ::-1] if flip else triangles
    return Mesh.build(grid.reshape(-1, 3), ordered, albedo, gloss=gloss)
