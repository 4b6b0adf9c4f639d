"""The linear shape model of a class group of vehicles: twelve keypoints, overall size and a dense mesh.

Vehicle frame: origin on the ground under the centre, x forward, y left, z up, metres. A shape is a vector of K
coefficients in standard deviations: X(b) = mean + sum_k b_k component_k. Everything is mirror symmetric to the last
bit: keypoint or vertex 2i is the right one, 2i + 1 the left one with y negated; vertices after the pairs have y = 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.skeletons import VEHICLE_12
from readers.arrays import read_npz

SHIPPED = Path(__file__).with_name("fleet.npz")
KEYPOINT_NAMES = VEHICLE_12.names
# Body types of the simulator's fleet in each group: one basis for all would be dominated by length.
GROUPS: dict[str, tuple[str, ...]] = {
    "car": ("hatchback", "sedan", "wagon", "suv", "pickup"),
    "van": ("van", "minibus"),
    "heavy": ("bus", "lorry"),
}
# The same of the wide fleet, whose bases are built but do not ship yet (wide.npz). Tractors are in no group.
WIDE_GROUPS: dict[str, tuple[str, ...]] = {
    "wide_car": ("microcar", "city_car", "hatchback", "sedan", "wagon", "coupe", "mpv", "suv", "offroader", "limousine",
                 "pickup", "small_van"),
    "wide_van": ("small_van", "van", "minibus"),
    "wide_heavy": ("box_van", "bus", "coach", "double_decker", "lorry", "tanker"),
    "wide_long": ("articulated_bus", "articulated_lorry"),
}  # fmt: skip
_KEYPOINT_SIGMA_M = 0.01  # how well keypoints are known, unless given: a twentieth of a wheel


@dataclass(frozen=True)
class ShapeBasis:
    """Mean shape and K principal components, each scaled by its standard deviation.

    name: the class group. mean (12, 3) and components (K, 12, 3): keypoints in the order of VEHICLE_12.
    mesh_mean (V, 3), mesh_components (K, V, 3), triangles (T, 3) int32, outward: the dense mesh; V = 0 where there is
    none. dims_mean (3,), dims_components (K, 3): overall length, width over mirrors, height. All metres, float64.
    bounds (K,): how large |b_k| may be, in standard deviations, for a vehicle like those it was built from; infinite
    where the file does not say.
    Raises ValueError where shapes disagree, numbers are not finite or the two sides are not mirror images.
    """

    name: str
    mean: np.ndarray
    components: np.ndarray
    mesh_mean: np.ndarray
    mesh_components: np.ndarray
    triangles: np.ndarray
    dims_mean: np.ndarray
    dims_components: np.ndarray
    bounds: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if not len(self.bounds):
            object.__setattr__(self, "bounds", np.full(len(np.atleast_1d(self.components)), np.inf))
        _check_shapes(self)
        _check_mirrored(f"{self.name}: keypoints", np.concatenate([self.mean[None], self.components]))
        _check_mirrored(f"{self.name}: mesh", np.concatenate([self.mesh_mean[None], self.mesh_components]))

    @property
    def size(self) -> int:
        """K, the number of coefficients."""
        return len(self.components)

    def keypoints(self, shape: np.ndarray) -> np.ndarray:
        """The twelve keypoints (..., 12, 3) in metres of shapes (..., K)."""
        return self._linear(shape, self.mean, self.components)

    def mesh(self, shape: np.ndarray) -> np.ndarray:
        """Vertices (..., V, 3) in metres of shapes (..., K); they are joined by `triangles`."""
        return self._linear(shape, self.mesh_mean, self.mesh_components)

    def dims_lwh_m(self, shape: np.ndarray) -> np.ndarray:
        """Length, width over mirrors and height (..., 3) in metres of shapes (..., K)."""
        return self._linear(shape, self.dims_mean, self.dims_components)

    def solve(
        self, keypoints: np.ndarray, weights: np.ndarray | None = None, sigma_m: float = _KEYPOINT_SIGMA_M
    ) -> np.ndarray:
        """The most probable shape (K,) of keypoints (12, 3) in metres under the unit Gaussian prior.

        Minimises sum_j w_j |x_j - X_j(b)|^2 / sigma_m^2 + |b|^2: ridge regression, the maximum a posteriori for
        keypoints with noise sigma_m. weights (12,) >= 0; a keypoint of weight 0 may be NaN. Raises ValueError where
        shapes or values are not these.
        """
        w = np.ones(len(self.mean)) if weights is None else np.asarray(weights, float)
        points = np.asarray(keypoints, float)
        _check_solvable(self.mean.shape, points, w, sigma_m)
        root = np.sqrt(w)[:, None] / sigma_m
        offset = np.where(w[:, None] > 0, points - self.mean, 0.0)
        A = (root * self.components).reshape(self.size, -1).T  # (36, K)
        return np.linalg.solve(A.T @ A + np.eye(self.size), A.T @ (root * offset).ravel())

    def _linear(self, shape: np.ndarray, mean: np.ndarray, components: np.ndarray) -> np.ndarray:
        b = np.asarray(shape, float)
        if b.shape[-1:] != (self.size,):
            raise ValueError(f"shape of basis {self.name}: expected (..., {self.size}) coefficients, got {b.shape}")
        b = b.reshape(b.shape + (1,) * mean.ndim)
        # Not a matrix product: its blocks may round the two sides differently.
        result = np.broadcast_to(mean, b.shape[: -1 - mean.ndim] + mean.shape).copy()
        for k, component in enumerate(components):
            result += b.take(k, axis=-1 - mean.ndim) * component
        return result


def save_bases(path: Path, bases: Mapping[str, ShapeBasis]) -> None:
    """Write bases as float32 arrays `<group>.<field>`; the same bases give the same bytes."""
    arrays: dict[str, Any] = {
        f"{name}.{f.name}": _compact(getattr(basis, f.name))
        for name, basis in bases.items()
        for f in fields(basis)
        if f.name != "name" and not (f.name == "bounds" and np.isinf(basis.bounds).all())
    }
    with path.open("wb") as file:  # a name would be given the ending .npz
        np.savez_compressed(file, **arrays)


def load_bases(path: Path | None = None) -> dict[str, ShapeBasis]:
    """The bases of a file by the name of their group; the shipped ones, of the simulated fleet, by default.

    Raises FileNotFoundError where there is no file, ValueError where it is not one that `save_bases` wrote. Nothing
    is unpickled.
    """
    path = SHIPPED if path is None else Path(path)
    arrays = _read_arrays(path)
    bases: dict[str, ShapeBasis] = {}
    for name in dict.fromkeys(key.partition(".")[0] for key in arrays):
        needed = [f.name for f in fields(ShapeBasis) if f.name not in ("name", "bounds")]
        missing = [f"{name}.{field}" for field in needed if f"{name}.{field}" not in arrays]
        needed += ["bounds"] if f"{name}.bounds" in arrays else []
        if missing:
            raise ValueError(f"{path}: expected arrays of shape bases, {', '.join(missing)} missing; {_REBUILD}")
        try:
            bases[name] = ShapeBasis(name, **{field: _full(arrays[f"{name}.{field}"]) for field in needed})
        except ValueError as error:
            raise ValueError(f"{path}: {error}; {_REBUILD}") from None
    if not bases:
        raise ValueError(f"{path}: holds no shape basis; {_REBUILD}")
    return bases


_REBUILD = "make the file again with `luigi --module tasks BuildShapeBasis`"


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of shape bases; {_REBUILD}")
    try:
        return read_npz(path)
    except ValueError as error:
        raise ValueError(f"{error}; {_REBUILD}") from None


def _compact(array: np.ndarray) -> np.ndarray:
    """What is stored: to a tenth of a micrometre, below which another machine's algebra may round otherwise."""
    if np.issubdtype(array.dtype, np.integer):
        return array.astype(np.int32)
    return (np.round(array, 7) + 0.0).astype(np.float32)  # no negative zeros


def _full(array: np.ndarray) -> np.ndarray:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "if":
        raise ValueError(f"expected arrays of numbers, got {getattr(array, 'dtype', type(array).__name__)}")
    return np.asarray(array, np.int32 if array.dtype.kind == "i" else np.float64)


def _check_shapes(basis: ShapeBasis) -> None:
    """Raise ValueError for an array of another shape or type, or with numbers that are not finite."""
    K, V, T = (np.atleast_1d(a).shape[0] for a in (basis.components, basis.mesh_mean, basis.triangles))
    expected = {
        "mean": (len(VEHICLE_12), 3),
        "components": (K, len(VEHICLE_12), 3),
        "mesh_mean": (V, 3),
        "mesh_components": (K, V, 3),
        "triangles": (T, 3),
        "dims_mean": (3,),
        "dims_components": (K, 3),
        "bounds": (K,),
    }
    for name, shape in expected.items():
        array = getattr(basis, name)
        if array.shape != shape:
            raise ValueError(f"shape basis {basis.name}: expected {name} {shape}, got {array.shape}")
        if not np.isfinite(array).all() and not (name == "bounds" and (array > 0).all()):
            raise ValueError(f"shape basis {basis.name}: {name} holds numbers that are not finite")
    if basis.triangles.dtype.kind != "i" or (T and not 0 <= basis.triangles.min() <= basis.triangles.max() < V):
        raise ValueError(f"shape basis {basis.name}: expected triangles as integers below {V}")


def _check_mirrored(what: str, points: np.ndarray) -> None:
    """Raise ValueError unless points (N, P, 3) are pairs right, left, mirrored exactly, then points with y = 0."""
    pairs = _pair_count(points)
    right, left = points[:, 0 : 2 * pairs : 2], points[:, 1 : 2 * pairs : 2]
    if not np.array_equal(right * (1.0, -1.0, 1.0), left):
        raise ValueError(f"shape basis {what}: expected the right side to be the left one with y negated exactly")


def _pair_count(points: np.ndarray) -> int:
    """How many mirror pairs come before the points on the middle plane."""
    beside = np.flatnonzero((points[..., 1] != 0).any(axis=0))
    return (int(beside[-1]) + 2) // 2 if len(beside) else 0


def _check_solvable(shape: tuple[int, ...], points: np.ndarray, weights: np.ndarray, sigma_m: float) -> None:
    if points.shape != shape or weights.shape != shape[:1]:
        raise ValueError(
            f"keypoints to solve a shape for: expected {shape} and weights {shape[:1]}, "
            f"got {points.shape} and {weights.shape}"
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all() and sigma_m > 0):
        raise ValueError("keypoints to solve a shape for: expected finite weights >= 0 and sigma_m > 0")
    if not np.isfinite(points[weights > 0]).all():
        raise ValueError("keypoints to solve a shape for: expected finite coordinates wherever the weight is above 0")
