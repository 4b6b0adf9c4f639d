"""Order objects by who is nearer along a shared ray on the ground, and tell who stands clear of whom.

Footprints are convex polygons (N, C, 2) in world metres, the camera stands above (0, 0). Every camera ray runs above
one ground ray, so of two things that stand on the ground only the one that a shared ground ray meets first can hide
the other. Depth order 0 is the nearest.
"""

from __future__ import annotations

import numpy as np

from calibration.camera import GroundPlane

_TINY = 1e-9
# Corners of a footprint in lengths and widths, front left first, counter-clockwise.
RECTANGLE = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]]) / 2
# Directions in which two footprints are looked at for a gap; each comes with its opposite.
_TURNS = np.arange(128) * np.pi / 64
_GAPS = np.stack([np.cos(_TURNS), np.sin(_TURNS)], axis=-1)
_AT_ONCE = 4096  # pairs: bounds the memory


def footprints(R: np.ndarray, t: np.ndarray, dims_lwh_m: np.ndarray, plane: GroundPlane) -> np.ndarray:
    """Ground rectangles (N, 4, 2) in world metres of poses R (N, 3, 3), t (N, 3) and sizes (N, 3)."""
    dims = np.asarray(dims_lwh_m, float).reshape(-1, 3)
    return placed(RECTANGLE * dims[:, None, :2], R, t, plane)


def placed(outlines_m: np.ndarray, R: np.ndarray, t: np.ndarray, plane: GroundPlane) -> np.ndarray:
    """Footprints (N, C, 2) in world metres of outlines (N, C, 2) in the objects' own frames, of poses R (N, 3, 3) and t
    (N, 3)."""
    corners = np.concatenate([outlines_m, np.zeros((*outlines_m.shape[:2], 1))], axis=-1)
    in_camera = np.einsum("nij,nkj->nki", np.asarray(R).reshape(-1, 3, 3), corners) + np.asarray(t)[:, None]
    return plane.to_world(in_camera)[..., :2]


def clearance(footprints: np.ndarray, place: np.ndarray, covariance: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """(P,) widest gap, in its own standard deviations, between two footprints of each of pairs (P, 2).

    place (N, 2) and covariance (N, 3, 3) of x, y and yaw, about the place. Along any direction the true gap is normal
    about the estimated one, so that two true footprints cross with a probability of at most Phi(-clearance). A gap is
    the smaller the more the footprints overlap; negative where they do in all directions.
    """
    offset = footprints - place[:, None]
    reach = offset @ _GAPS.T  # (N, C, D)
    farthest = reach.argmax(axis=1)  # (N, D)
    support = np.take_along_axis(offset, farthest[..., None], axis=1)  # (N, D, 2)
    # By the envelope theorem only the farthest corner counts; a turn moves it across itself.
    turning = support[..., 0] * _GAPS[:, 1] - support[..., 1] * _GAPS[:, 0]
    moves = np.concatenate([np.broadcast_to(_GAPS, support.shape), turning[..., None]], axis=-1)
    variance = np.einsum("ndi,nij,ndj->nd", moves, covariance, moves)
    extent = reach.max(axis=1) + place @ _GAPS.T
    half = len(_GAPS) // 2
    widest = np.empty(len(pairs))
    for start in range(0, len(pairs), _AT_ONCE):
        first, second = pairs[start : start + _AT_ONCE].T
        gap = -extent[first] - np.roll(extent[second], half, axis=1)
        sigma = np.sqrt(variance[first] + np.roll(variance[second], half, axis=1))
        widest[start : start + _AT_ONCE] = (gap / np.maximum(sigma, _TINY)).max(axis=1)
    return widest


def in_front(quads: np.ndarray) -> np.ndarray:
    """(N, N) bool, [i, j]: some ground ray from the camera meets convex footprints i and j, i first."""
    first, second = np.triu_indices(len(quads), 1)
    ray = first_on_ray(np.asarray(quads, float), np.stack([first, second], axis=1))
    front = np.zeros((len(quads), len(quads)), bool)
    front[first, second], front[second, first] = ray > 0, ray < 0
    return front


def first_on_ray(footprints: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """(P,) of each of pairs (P, 2): 1 where a shared ground ray from the camera meets the first before the second, -1
    after it, 0 where they share none or it meets both at once.

    The middle ray of the shared angles decides, which for disjoint convex footprints agrees with all the others.
    """
    if not len(pairs):
        return np.zeros(0, int)
    bearing, low, high = _angles(footprints)
    first, second = pairs.T
    # Angles of the second as seen from the first's bearing, so that no interval is torn at the back of the camera.
    turn = _wrapped(bearing[second] - bearing[first])
    start = np.maximum(low[first], low[second] + turn)
    end = np.minimum(high[first], high[second] + turn)
    shared = np.flatnonzero(end - start > _TINY)
    middle = bearing[first[shared]] + (start[shared] + end[shared]) / 2
    rays = np.stack([np.sin(middle), np.cos(middle)], axis=-1)
    result = np.zeros(len(pairs), int)
    result[shared] = np.sign(_entry(footprints[second[shared]], rays) - _entry(footprints[first[shared]], rays))
    return result


def _angles(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bearing (N,) of each footprint, clockwise from straight away, and its (low, high) relative to that."""
    bearing = np.arctan2(quads[..., 0].mean(axis=1), quads[..., 1].mean(axis=1))
    relative = _wrapped(np.arctan2(quads[..., 0], quads[..., 1]) - bearing[:, None])
    return bearing, relative.min(axis=1), relative.max(axis=1)


def _wrapped(angle: np.ndarray) -> np.ndarray:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _entry(footprints: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """(P,) distance at which rays (P, 2) from the origin enter convex footprints (P, C, 2)."""
    edge = np.roll(footprints, -1, axis=1) - footprints
    outward = np.stack([edge[..., 1], -edge[..., 0]], axis=-1)
    centre = footprints.mean(axis=1, keepdims=True)
    outward *= np.where(((footprints - centre) * outward).sum(-1, keepdims=True) < 0, -1, 1)
    slope = np.einsum("pk,pck->pc", rays, outward)
    distance = (footprints * outward).sum(-1) / np.where(slope < -_TINY, slope, -_TINY)
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
    # Plain lists: of a few dozen objects numpy's calls would cost more than the work.
    blockers, behind, cycles = front.sum(axis=0).tolist(), [np.flatnonzero(row).tolist() for row in front], 0
    waiting = np.argsort(rank).tolist()
    for place in range(len(rank)):
        free = next((i for i in waiting if not blockers[i]), None)
        cycles += free is None
        chosen = waiting[0] if free is None else free
        result[chosen] = place
        waiting.remove(chosen)
        for other in behind[chosen]:
            blockers[other] -= 1
    return result, cycles
