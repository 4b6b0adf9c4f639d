"""How far a model's skin reaches in fixed directions of the image, and what that adds to the fit of its keypoints.

Directions and pixels are `pipeline.reconstruction.support_function`'s. By the envelope theorem the reach changes as its
farthest vertex does, so no mask is rendered and no vertex but that one is differentiated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull

from models.shape_basis import ShapeBasis
from pipeline.reconstruction.support_function import DIRECTIONS

# An outline of so many directions tells about as much as this many independent numbers: neighbours tell the same.
_SAMPLES = 12.0
# A direction off by more than this, in squared standard deviations, may be a lost part of the mask.
_CAP = 9.0


@dataclass(frozen=True)
class VehicleSkin:
    """The vertices that can be farthest: mean (V, 3), components (K, V, 3), metres."""

    mean: np.ndarray
    components: np.ndarray

    @staticmethod
    def of(basis: ShapeBasis) -> VehicleSkin | None:
        """Those on the hull of the mean or of a shape two deviations along a component; None without a mesh."""
        if not len(basis.mesh_mean):
            return None
        shapes = np.concatenate([np.zeros((1, basis.size)), 2 * np.eye(basis.size), -2 * np.eye(basis.size)])
        chosen = np.unique(np.concatenate([ConvexHull(mesh).vertices for mesh in basis.mesh(shapes)]))
        return VehicleSkin(basis.mesh_mean[chosen], basis.mesh_components[:, chosen])

    def turned(self, R: np.ndarray, shape: np.ndarray) -> np.ndarray:
        """(N, V, 3) of rotations (N, 3, 3) and shapes (N, K)."""
        return (self.mean + np.tensordot(shape, self.components, 1)) @ R.transpose(0, 2, 1)

    def components_of(self, vertex: np.ndarray) -> np.ndarray:
        """(..., 3, K) of vertex indices (...)."""
        return np.moveaxis(self.components, 0, -1)[vertex]


@dataclass(frozen=True)
class Reach:
    """Of N models: reach (N, S) pixels, the farthest vertex (N, S), and that vertex turned into the camera's axes
    (N, S, 3)."""

    reach: np.ndarray
    vertex: np.ndarray
    turned: np.ndarray


def reach_of(
    skin: VehicleSkin, project: Callable[[np.ndarray], np.ndarray], R: np.ndarray, t: np.ndarray, shape: np.ndarray
) -> Reach:
    """How far models reach, PROJECT giving ideal pixels."""
    turned = skin.turned(R, shape)
    along = project(turned + t[:, None]) @ DIRECTIONS.T  # (N, V, S)
    vertex = along.argmax(axis=1)
    reach = np.take_along_axis(along, vertex[:, None], axis=1)[:, 0]
    return Reach(reach, vertex, np.take_along_axis(turned, vertex[..., None], axis=1))


def outline_cost(off: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(N,) Geman and McClure's cost of distances (N, S) with weights (N, S)."""
    square = weight * off**2
    return _SAMPLES / off.shape[1] * (square / (1 + square / _CAP)).sum(axis=1)


def outline_weight(off: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(N, S) weights of the least squares that has the same gradient."""
    return _SAMPLES / off.shape[1] * weight / (1 + weight * off**2 / _CAP) ** 2
