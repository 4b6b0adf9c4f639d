"""Two figures brought into touch: how deep their skins pass into each other, and what moves so that they do not.

Skins are dressed bodies; hems, hair, hats and bags hang free and are not looked at. Depth is of a vertex inside the
other's skin, metres to its surface.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from models.people_groups.couples.figure import Figure
from pipeline.core.mesh import scene_of

if TYPE_CHECKING:
    from open3d.t.geometry import RaycastingScene

TOLERANCE_M = 0.012  # cloth and flesh give as much
TRUNK, LEG, ARM = 0, 1, 2  # what yields: arms to all, legs to trunks, trunks by a step aside
# Of each joint the one about which what it carries is pushed aside: forearms and hands by the elbow, legs by the hip.
_PIVOT = {16: 16, 18: 18, 20: 18, 22: 18, 17: 17, 19: 19, 21: 19, 23: 19, **{j: 1 for j in (1, 4, 7, 10)},
          **{j: 2 for j in (2, 5, 8, 11)}}  # fmt: skip
_LARGEST_TURN = 0.25  # radians in one step
# Of each joint what kind of part it carries.
KIND = np.array([ARM if j >= 16 else LEG if j in (1, 2, 4, 5, 7, 8, 10, 11) else TRUNK for j in range(24)])


@dataclass(frozen=True)
class Inside:
    """Vertices of one skin within another. rows (N,) of the vertices; out (N, 3) metres to the nearest surface; own and
    other (N,) the joints that carry the vertex and that surface."""

    rows: np.ndarray
    out: np.ndarray
    own: np.ndarray
    other: np.ndarray

    @property
    def depth(self) -> float:
        """Metres of the deepest."""
        return float(np.linalg.norm(self.out, axis=1).max(initial=0))


def skin_scene(figure: Figure, kinds: Sequence[int] = (TRUNK, LEG, ARM)) -> RaycastingScene:
    """What rays and distances to a figure's skin, or to its parts of some kinds, are asked of."""
    triangles = figure.triangles
    if len(kinds) < 3:
        triangles = triangles[np.isin(KIND[figure.carriers], kinds)[triangles].all(axis=1)]
    return scene_of([(figure.vertices, triangles)])


def inside(figure: Figure, other: Figure, scene: RaycastingScene) -> Inside:
    """The vertices of a figure's skin within that of another, whose scene is given."""
    low, high = other.vertices.min(axis=0), other.vertices.max(axis=0)
    rows = np.flatnonzero(((figure.vertices > low) & (figure.vertices < high)).all(axis=1))
    if len(rows):
        points = figure.vertices[rows].astype(np.float32)
        rows = rows[scene.compute_occupancy(_tensor(points), nthreads=1, nsamples=3).numpy() > 0.5]
    points = figure.vertices[rows].astype(np.float32)
    if not len(rows):
        return Inside(rows, np.zeros((0, 3)), rows, rows)
    found = scene.compute_closest_points(_tensor(points), nthreads=1)
    corner = other.triangles[found["primitive_ids"].numpy()][:, 0]
    return Inside(rows, found["points"].numpy() - points, figure.carriers[rows], other.carriers[corner])


def signed_distance(scene: RaycastingScene, points: np.ndarray) -> np.ndarray:
    """(...) metres of points (..., 3) from a closed skin, negative within it."""
    return scene.compute_signed_distance(_tensor(points), nthreads=1, nsamples=1).numpy()


def gap(figure: Figure, scene: RaycastingScene, kinds: Sequence[int] = (TRUNK, LEG, ARM)) -> float:
    """Metres between the vertices of a figure's parts of some kinds and a skin; 0 where they touch or pass into it."""
    chosen = np.isin(KIND[figure.carriers], kinds)
    distance = scene.compute_distance(_tensor(figure.vertices[chosen].astype(np.float32)), nthreads=1).numpy()
    return float(distance.min())


def depth_between(first: Figure, second: Figure) -> float:
    """Metres by which the two skins pass into each other at the deepest vertex of either."""
    return max(
        inside(first, second, skin_scene(second)).depth,
        inside(second, first, skin_scene(first)).depth,
    )


def parted(first: Figure, second: Figure, *, free: bool) -> tuple[Figure, Figure, float]:
    """One step of moving two figures out of each other, and how deep they were before it.

    Arms turn about shoulders and elbows, legs about hips, and where trunks meet the second figure moves, level unless
    it is `free`.
    """
    ins = inside(first, second, skin_scene(second)), inside(second, first, skin_scene(first))
    depth = max(ins[0].depth, ins[1].depth)
    if depth <= TOLERANCE_M:
        return first, second, depth
    figures, step = [first, second], np.zeros(3)
    turns: list[dict[int, tuple[np.ndarray, np.ndarray]]] = [{}, {}]
    for who, found in enumerate(ins):
        own, other = KIND[found.own], KIND[found.other]
        size = np.linalg.norm(found.out, axis=1)
        for kinds in sorted(set(zip(own.tolist(), other.tolist(), strict=True))):
            group = np.flatnonzero((own == kinds[0]) & (other == kinds[1]))
            if size[group].max() <= TOLERANCE_M:
                continue
            if kinds == (TRUNK, TRUNK):
                deepest = group[size[group].argmax()]
                step += found.out[deepest] * (0.5 if who == 1 else -0.5)
                continue
            for mine, carriers, sign in ((kinds[0] >= kinds[1], found.own, 1), (kinds[1] >= kinds[0], found.other, -1)):
                if not mine:
                    continue
                half = 0.6 if kinds[0] == kinds[1] else 1.0
                for joint in np.unique(carriers[group]):
                    among = group[carriers[group] == joint]
                    worst = among[size[among].argmax()]
                    point = figures[who].vertices[found.rows[worst]]
                    _keep_larger(
                        turns[who if sign == 1 else 1 - who], int(joint), point, sign * half * found.out[worst]
                    )
    moved = [_turned_aside(figure, of) for figure, of in zip(figures, turns, strict=True)]
    if not free:
        step[2] = 0
    return moved[0], moved[1].moved(step), depth


def _keep_larger(turns: dict, joint: int, point: np.ndarray, push: np.ndarray) -> None:
    """Note the push (3,) at a point (3,) for a joint's pivot unless a larger one is noted."""
    pivot = _PIVOT.get(joint)
    if pivot is not None and (pivot not in turns or np.linalg.norm(turns[pivot][1]) < np.linalg.norm(push)):
        turns[pivot] = point, push


def _turned_aside(figure: Figure, turns: dict[int, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """The figure with bones turned so that points on them move as they are pushed."""
    for joint in sorted(turns):
        point, push = turns[joint]
        arm = point - figure.joints[joint]
        axis = np.cross(arm, push) / max(float(arm @ arm), 1e-4)
        angle = np.linalg.norm(axis)
        if angle > 1e-6:
            axis *= min(1.0, _LARGEST_TURN / angle)
            figure = figure.turned(joint, Rotation.from_rotvec(axis).as_matrix())
    return figure


def _tensor(points: np.ndarray):
    import open3d as o3d

    return o3d.core.Tensor.from_numpy(np.ascontiguousarray(points, np.float32))
