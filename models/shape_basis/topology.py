"""Meshes that share their triangles keep their own vertices: find which are mirror images of which. Metres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_PAIR_M = 0.02  # how far a vertex may lie from its partner's mirror image, or from the middle plane


def shared_topology(
    vertices: Sequence[np.ndarray], triangles: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray] | None:
    """(stacked (N, V, 3), triangles (T, 3)) of meshes with the same triangles, made exactly symmetric, or None.

    None where the meshes differ in their triangles or some vertex has no partner on the other side. Vertices are
    ordered as a basis wants them: pairs right and left in turn, then those on the middle plane.
    """
    if any(t.shape != triangles[0].shape or (t != triangles[0]).any() for t in triangles):
        return None
    if any(len(v) != len(vertices[0]) for v in vertices):
        return None
    stacked = np.stack(vertices)
    found = _partners(stacked.mean(axis=0))
    if found is None:
        return None
    right, left, middle = found
    number = np.empty(stacked.shape[1], np.int32)  # new number of each vertex
    number[np.concatenate([np.stack([right, left], 1).ravel(), middle])] = np.arange(len(number))
    pairs = 0.5 * (stacked[:, left] + stacked[:, right] * (1.0, -1.0, 1.0))
    both = np.repeat(pairs, 2, axis=1)
    both[:, 0::2, 1] *= -1
    return np.concatenate([both, stacked[:, middle] * (1.0, 0.0, 1.0)], axis=1), number[triangles[0]]


def _partners(vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """(right, left, middle) indices of vertices (V, 3): right[i] and left[i] mirror each other."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial import cKDTree

    y = vertices[:, 1]
    right, left, middle = (np.flatnonzero(side) for side in (y < -_PAIR_M, y > _PAIR_M, np.abs(y) <= _PAIR_M))
    if len(right) != len(left) or not len(right):
        return None
    mirrored = vertices[right] * (1.0, -1.0, 1.0)
    distance, nearest = cKDTree(vertices[left]).query(mirrored)
    if distance.max() > _PAIR_M:
        return None
    if len(np.unique(nearest)) < len(nearest):  # vertices that coincide: a matching decides, where it is affordable
        if len(right) > 3000:
            return None
        cost = np.linalg.norm(mirrored[:, None] - vertices[left][None], axis=2)
        nearest = linear_sum_assignment(np.minimum(cost, 1.0) ** 2)[1]
        if cost[np.arange(len(right)), nearest].max() > _PAIR_M:
            return None
    return right, left[nearest], middle
