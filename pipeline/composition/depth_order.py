"""Order objects by who is nearer along a shared ray on the ground.

Footprints are convex polygons (N, C, 2) in world metres, the camera stands above (0, 0). Every camera ray runs above
one ground ray, so of two things that stand on the ground only the one that a shared ground ray meets first can hide
the other. Depth order 0 is the nearest.
"""

from __future__ import annotations

import numpy as np

from calibration.camera import GroundPlane

_TINY = 1e-9
# Corners of a footprint in lengths and widths, front left first, counter-clockwise.
_CORNERS = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]]) / 2


def footprints(R: np.ndarray, t: np.ndarray, dims_lwh_m: np.ndarray, plane: GroundPlane) -> np.ndarray:
    """Ground rectangles (N, 4, 2) in world metres of poses R (N, 3, 3), t (N, 3) and sizes (N, 3)."""
    dims = np.asarray(dims_lwh_m, float).reshape(-1, 3)
    corners = np.zeros((len(dims), 4, 3))
    corners[..., :2] = _CORNERS * dims[:, None, :2]
    in_camera = np.einsum("nij,nkj->nki", np.asarray(R).reshape(-1, 3, 3), corners) + np.asarray(t)[:, None]
    return plane.to_world(in_camera)[..., :2]


def grown(quads: np.ndarray, margin_m: float | np.ndarray) -> np.ndarray:
    """Rectangles (N, 4, 2) with every side moved out by a margin, one for all or (N,)."""
    margin = np.reshape(margin_m, (-1, 1, 1))
    centre = quads.mean(axis=1, keepdims=True)
    along = _unit(quads[:, 0] - quads[:, 1])[:, None]
    across = _unit(quads[:, 0] - quads[:, 3])[:, None]
    offset = quads - centre
    along_m, across_m = (offset * along).sum(-1, keepdims=True), (offset * across).sum(-1, keepdims=True)
    return quads + margin * (np.sign(along_m) * along + np.sign(across_m) * across)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _TINY)


def in_front(quads: np.ndarray) -> np.ndarray:
    """(N, N) bool, [i, j]: some ground ray from the camera meets convex footprints i and j, i first.

    The middle ray of the shared angles decides, which for disjoint convex footprints agrees with all the others.
    """
    quads = np.asarray(quads, float)
    if not len(quads):
        return np.zeros((0, 0), bool)
    bearing, low, high = _angles(quads)
    # Angles of j as seen from i's bearing, so that no interval is torn at the back of the camera.
    turn = _wrapped(bearing[None] - bearing[:, None])
    start = np.maximum(low[:, None], low[None] + turn)
    end = np.minimum(high[:, None], high[None] + turn)
    middle = bearing[:, None] + (start + end) / 2
    rays = np.stack([np.sin(middle), np.cos(middle)], axis=-1)  # (N, N, 2)
    entry = _entry(quads, rays)
    # Each ray is tried on both of its footprints; [j, i] is the same ray as [i, j].
    return (end - start > _TINY) & (entry < entry.T)


def _angles(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bearing (N,) of each footprint, clockwise from straight away, and its (low, high) relative to that."""
    bearing = np.arctan2(quads[..., 0].mean(axis=1), quads[..., 1].mean(axis=1))
    relative = _wrapped(np.arctan2(quads[..., 0], quads[..., 1]) - bearing[:, None])
    return bearing, relative.min(axis=1), relative.max(axis=1)


def _wrapped(angle: np.ndarray) -> np.ndarray:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _entry(quads: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """(N, M) distance at which rays (N, M, 2) from the origin enter convex footprints (N, C, 2)."""
    edge = np.roll(quads, -1, axis=1) - quads
    outward = np.stack([edge[..., 1], -edge[..., 0]], axis=-1)
    centre = quads.mean(axis=1, keepdims=True)
    outward *= np.where(((quads - centre) * outward).sum(-1, keepdims=True) < 0, -1, 1)
    slope = np.einsum("nmk,nck->nmc", rays, outward)
    distance = (quads * outward).sum(-1)[:, None] / np.where(slope < -_TINY, slope, -_TINY)
    return np.where(slope < -_TINY, distance, 0.0).max(axis=-1)


def ranked(*keys: np.ndarray) -> np.ndarray:
    """(N,) place of each by keys (N,), the first of most weight, least first: who is nearer where no ray decides."""
    rank = np.empty(len(keys[0]), int)
    rank[np.lexsort(keys[::-1])] = np.arange(len(rank))
    return rank


def nearer(front: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """(N, N) bool, [i, j]: i is the nearer of the two, by a shared ray where `in_front` has one, else by rank (N,)."""
    return front | (~front.T & (rank[:, None] < rank))


def order(front: np.ndarray, rank: np.ndarray) -> tuple[np.ndarray, int]:
    """Depth order (N,), 0 the nearest, and how many cycles had to be broken (none for disjoint footprints).

    `in_front`'s relation (N, N) decides; objects that no shared ray relates come by rank (N,).
    """
    result = np.full(len(rank), -1)
    blockers, cycles = front.sum(axis=0), 0
    waiting = np.argsort(rank).tolist()
    for place in range(len(rank)):
        free = next((i for i in waiting if not blockers[i]), None)
        cycles += free is None
        chosen = waiting[0] if free is None else free
        result[chosen] = place
        waiting.remove(chosen)
        blockers = blockers - front[chosen]
    return result, cycles


def crossing(quad: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N,) bool: which footprints (N, C, 2) share ground with a rectangle (4, 2), by the separating axis theorem."""
    apart = np.zeros(len(others), bool)
    edges = [quad[1:3] - quad[:2], others[:, 1:3] - others[:, :2]]
    for axes in (np.broadcast_to(edges[0], (len(others), 2, 2)), edges[1]):
        normal = np.stack([axes[..., 1], -axes[..., 0]], axis=-1)
        first = np.einsum("nak,ck->nac", normal, quad)
        second = np.einsum("nak,nck->nac", normal, others)
        gap = np.maximum(second.min(-1) - first.max(-1), first.min(-1) - second.max(-1))
        apart |= (gap >= 0).any(axis=1)
    return ~apart
