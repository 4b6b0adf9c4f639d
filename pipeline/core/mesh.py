"""Coloured triangle meshes of the simulated world, and rays cast at surfaces.

Metres; right-handed; an object's own frame has its origin on the ground under its centre, x forward, y left,
z up. Colours are linear RGB in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from open3d.core import Tensor
    from open3d.t.geometry import RaycastingScene

HIT = ("t_hit", "primitive_ids", "primitive_uvs")


class Lamp(IntEnum):
    """What a triangle does when lights are switched on."""

    NONE = 0
    HEADLIGHT = 1
    TAIL_LIGHT = 2
    BRAKE_LIGHT = 3
    INDICATOR_LEFT = 4
    INDICATOR_RIGHT = 5
    STREET_LAMP = 6
    WINDOW = 7
    # On whenever the vehicle drives, by day, too: daytime running lights, beacons, signs.
    LIT_WHITE = 8
    LIT_RED = 9
    LIT_AMBER = 10
    LIT_BLUE = 11


LIT_COLOURS = {
    Lamp.LIT_WHITE: (1.0, 0.97, 0.92),
    Lamp.LIT_RED: (0.9, 0.025, 0.02),
    Lamp.LIT_AMBER: (1.0, 0.50, 0.04),
    Lamp.LIT_BLUE: (0.06, 0.16, 1.0),
}
"""Linear RGB that they send out."""


@dataclass(frozen=True)
class Mesh:
    """Triangles with flat colour and smooth corner normals.

    vertices (V, 3) float32 metres; triangles (T, 3) int32; normals (T, 3, 3) float32 unit corner normals;
    albedo (T, 3) float32 linear RGB; gloss (T,) float32, 0 matte to 1 glass or chrome; lamp (T,) uint8 of Lamp.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    normals: np.ndarray
    albedo: np.ndarray
    gloss: np.ndarray
    lamp: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.triangles)
        expected = {"normals": (count, 3, 3), "albedo": (count, 3), "gloss": (count,), "lamp": (count,)}
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"mesh {name}: expected {shape}, got {getattr(self, name).shape}")
        if count and int(self.triangles.max()) >= len(self.vertices):
            raise ValueError(f"mesh triangle index {self.triangles.max()} of {len(self.vertices)} vertices")

    @staticmethod
    def build(
        vertices: np.ndarray,
        triangles: np.ndarray,
        albedo: Sequence[float] | np.ndarray,
        *,
        gloss: float | np.ndarray = 0.0,
        lamp: int | np.ndarray = Lamp.NONE,
        smooth_deg: float = 30.0,
    ) -> Mesh:
        """A mesh from vertices (V, 3) and triangles (T, 3); one colour for all, or (T, 3); creases at smooth_deg."""
        vertices = np.asarray(vertices, np.float32)
        triangles = np.asarray(triangles, np.int32)
        count = len(triangles)
        return Mesh(
            vertices,
            triangles,
            corner_normals(vertices, triangles, smooth_deg),
            np.ascontiguousarray(np.broadcast_to(np.asarray(albedo, np.float32), (count, 3))),
            np.ascontiguousarray(np.broadcast_to(np.asarray(gloss, np.float32), (count,))),
            np.ascontiguousarray(np.broadcast_to(np.asarray(lamp, np.uint8), (count,))),
        )

    @staticmethod
    def concat(parts: Sequence[Mesh]) -> Mesh:
        """All parts as one mesh."""
        offsets = np.cumsum([0] + [len(p.vertices) for p in parts[:-1]])
        return Mesh(
            np.concatenate([p.vertices for p in parts]),
            np.concatenate([p.triangles + o for p, o in zip(parts, offsets, strict=True)]).astype(np.int32),
            np.concatenate([p.normals for p in parts]),
            np.concatenate([p.albedo for p in parts]),
            np.concatenate([p.gloss for p in parts]),
            np.concatenate([p.lamp for p in parts]),
        )

    @property
    def geometry(self) -> tuple[np.ndarray, np.ndarray]:
        """Vertices and triangles alone, as rays are cast at them."""
        return self.vertices, self.triangles

    def moved(self, R: np.ndarray, t: np.ndarray) -> Mesh:
        """The mesh in another frame: X' = R X + t, R (3, 3) a rotation, t (3,) metres."""
        R32 = np.asarray(R, np.float32)
        vertices = self.vertices @ R32.T + np.asarray(t, np.float32)
        return replace(self, vertices=vertices.astype(np.float32), normals=self.normals @ R32.T)


def corner_normals(vertices: np.ndarray, triangles: np.ndarray, smooth_deg: float) -> np.ndarray:
    """(T, 3, 3) unit normals: at a corner, faces sharing the vertex within smooth_deg are averaged by area."""
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    area_normal = np.cross(b - a, c - a)
    unit = area_normal / np.maximum(np.linalg.norm(area_normal, axis=1, keepdims=True), 1e-12)
    # Vertices that coincide belong together even where a part was built with separate copies.
    _, welded = np.unique(np.round(vertices, 5), axis=0, return_inverse=True)
    corner_vertex = welded.reshape(-1)[triangles].reshape(-1)  # (3T,)
    corner_face = np.repeat(np.arange(len(triangles)), 3)
    order = np.argsort(corner_vertex, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(corner_vertex[order]) != 0])
    sizes = np.diff(np.r_[starts, len(order)])
    cos_limit = np.cos(np.radians(smooth_deg))
    result = np.empty((len(order), 3), np.float32)
    for size in np.unique(sizes):
        groups = order[starts[sizes == size][:, None] + np.arange(size)]  # (G, size)
        faces = corner_face[groups]
        near = np.einsum("gik,gjk->gij", unit[faces], unit[faces]) >= cos_limit
        summed = np.einsum("gij,gjk->gik", near.astype(np.float32), area_normal[faces])
        result[groups] = summed / np.maximum(np.linalg.norm(summed, axis=2, keepdims=True), 1e-12)
    return result.reshape(-1, 3, 3)


def scene_of(surfaces: Iterable[tuple[np.ndarray, np.ndarray]], threads: int = 1) -> RaycastingScene:
    """A ray casting scene of surfaces, each of vertices (V, 3) and triangles (T, 3)."""
    import open3d as o3d  # loaded only where something is cast: it takes a second

    scene = o3d.t.geometry.RaycastingScene(nthreads=threads)
    for vertices, triangles in surfaces:
        scene.add_triangles(_tensor(vertices, np.float32), _tensor(triangles, np.uint32))
    return scene


def cast(
    scene: RaycastingScene,
    origins: np.ndarray,
    directions: np.ndarray,
    threads: int = 1,
    *,
    wanted: Sequence[str] = HIT,
) -> dict[str, np.ndarray]:
    """What open3d knows of the first hits of rays from origins (3,) or (..., 3) in directions (..., 3).

    t_hit (...) in lengths of the direction, infinite for none; primitive_ids (...) and primitive_uvs (..., 2) of the
    triangle; also geometry_ids (...), the number of the surface, and primitive_normals (..., 3).
    """
    rays = np.empty((*directions.shape[:-1], 6), np.float32)
    rays[..., :3], rays[..., 3:] = origins, directions
    found = scene.cast_rays(_tensor(rays, np.float32), nthreads=threads)
    return {name: found[name].numpy() for name in wanted}


def blocked(
    scene: RaycastingScene, points: np.ndarray, direction: np.ndarray, threads: int = 1, reach: float = math.inf
) -> np.ndarray:
    """(N,) whether anything lies within reach of points (N, 3) in a direction (3,) or (N, 3)."""
    rays = np.empty((len(points), 6), np.float32)
    rays[:, :3], rays[:, 3:] = points, direction
    return scene.test_occlusions(_tensor(rays, np.float32), tnear=0.01, tfar=float(reach), nthreads=threads).numpy()


def _tensor(array: np.ndarray, dtype: type) -> Tensor:
    import open3d as o3d

    return o3d.core.Tensor.from_numpy(np.ascontiguousarray(array, dtype))
