"""Principal components of a set of vehicles: keypoints, overall size and mesh move together.

Only the left half enters, the right is its mirror image: symmetry is exact by construction. Metres, vehicle frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.shape_basis.basis import ShapeBasis

COMPONENTS = 8
# How much a metre of the mean square deviation of each block counts against the others.
_BOUND_SIGMA_M = 0.03  # how near a model's keypoints its coefficients must bring the basis
_BEYOND, _LEAST_BOUND = 1.1, 2.0
_BLOCK_WEIGHTS = {"keypoints": 1.0, "dims": 0.5, "mesh": 1.0}


@dataclass(frozen=True)
class Example:
    """One vehicle to learn from: keypoints (12, 3), dims_lwh_m (3,), vertices (V, 3), symmetric, ordered as a basis.

    name says where it is from. All models of a group share the V vertices' order and their triangles; V may be 0.
    """

    name: str
    keypoints: np.ndarray
    dims_lwh_m: np.ndarray
    vertices: np.ndarray


def build_basis(
    group: str, models: Sequence[Example], triangles: np.ndarray, components: int = COMPONENTS, *, bounded: bool = False
) -> ShapeBasis:
    """The basis of a group's models: principal component analysis of [keypoints, size, vertices] together.

    bounded: its coefficients' bounds are the largest that any of the models needs, and a tenth more.

    components is K; where there are fewer models than K + 1 the rest of the components are zero, so that all groups
    share one K. Raises ValueError for fewer than two models or components < 1.
    """
    if len(models) < 2 or components < 1:
        raise ValueError(
            f"shape basis {group}: expected at least 2 models and 1 component, got {len(models)} and {components}"
        )
    rows, weights = np.stack([_independent_values(m) for m in models]), _weights(models[0])
    mean = rows.mean(axis=0)
    axes = _principal_axes((rows - mean) * weights, components) / weights
    keypoints, dims, vertices = _blocks(np.concatenate([mean[None], axes]), models[0])
    basis = ShapeBasis(
        group, keypoints[0], keypoints[1:], vertices[0], vertices[1:], triangles.astype(np.int32), dims[0], dims[1:]
    )
    if not bounded:
        return basis
    needed = np.abs([basis.solve(m.keypoints, sigma_m=_BOUND_SIGMA_M) for m in models])
    return replace(basis, bounds=np.maximum(needed.max(axis=0) * _BEYOND, _LEAST_BOUND))


def _principal_axes(centred: np.ndarray, components: int) -> np.ndarray:
    """(K, D) principal axes of rows (N, D), each as long as its standard deviation, largest entry positive."""
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes * (spread / np.sqrt(len(centred) - 1))[:, None]
    axes = axes[: min(components, len(centred) - 1)]
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    axes = axes * np.where(largest < 0, -1.0, 1.0)[:, None]
    return np.concatenate([axes, np.zeros((components - len(axes), axes.shape[1]))])


def _mirror_pairs(model: Example) -> int:
    """How many mirror pairs the vertices begin with."""
    beside = np.flatnonzero(model.vertices[:, 1])
    return (int(beside[-1]) + 1) // 2 if len(beside) else 0


def _independent_values(model: Example) -> np.ndarray:
    """(D,) left keypoints, size, left vertices, then x and z of those on the middle plane."""
    pairs = _mirror_pairs(model)
    middle = model.vertices[2 * pairs :, [0, 2]]
    left = model.keypoints[1::2], model.dims_lwh_m, model.vertices[1 : 2 * pairs : 2], middle
    return np.concatenate([np.ravel(block) for block in left])


def _weights(model: Example) -> np.ndarray:
    """(D,) weights of a row's entries: each block counts as a whole, however many numbers it has."""
    sizes = {"keypoints": 18, "dims": 3, "mesh": len(_independent_values(model)) - 21}
    return np.concatenate([np.full(n, _BLOCK_WEIGHTS[block] / np.sqrt(max(n, 1))) for block, n in sizes.items()])


def _blocks(rows: np.ndarray, like: Example) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows (N, D) as keypoints (N, 12, 3), sizes (N, 3) and vertices (N, V, 3) of both sides."""
    pairs, count = _mirror_pairs(like), len(rows)
    keypoints, dims, left, middle = np.split(rows, np.cumsum([18, 3, 3 * pairs]), axis=1)
    plane = np.insert(middle.reshape(count, -1, 2), 1, 0.0, axis=2)
    vertices = np.concatenate([_both_sides(left.reshape(count, -1, 3)), plane], axis=1)
    return _both_sides(keypoints.reshape(count, -1, 3)), dims, vertices


def _both_sides(left: np.ndarray) -> np.ndarray:
    """(N, 2 P, 3) right and left in turn from the left (N, P, 3)."""
    both = np.repeat(left, 2, axis=1)
    both[:, 0::2, 1] *= -1
    return both
