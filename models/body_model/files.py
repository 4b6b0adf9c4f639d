"""Read SMPL files as plain arrays: `.npz`, and the original `.pkl` without chumpy and without running its code."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.skeletons import SMPL_24, SMPL_PARENTS
from readers.arrays import read_npz
from readers.limits import read_bytes
from readers.pickles import Made, Unpickler, array_of, sparse_of

KEYS = ("v_template", "f", "weights", "J_regressor", "shapedirs", "posedirs", "kintree_table")
SHAPES = 10
# COCO's nose, eyes and ears among the vertices of SMPL's mesh, as smplx's table of vertex ids has them.
_SMPL_VERTICES, _SMPL_FACE = 6890, (332, 2800, 6260, 583, 4071)
# All that a pickled SMPL file names, beside chumpy's classes: arrays, sparse matrices, and what chumpy's objects and
# the oldest protocols need. Python 2 named some of them otherwise.
_NAMED = frozenset({
    *(f"numpy.{core}.{name}" for core in ("core", "_core")
      for name in ("multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer")),
    "numpy.ndarray", "numpy.dtype", "_codecs.encode",
    *(f"scipy.sparse.{module}_matrix" for module in ("csc.csc", "_csc.csc", "csr.csr", "_csr.csr")),
    *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in ("set", "object", "bytes")),
    "copyreg._reconstructor", "copy_reg._reconstructor",
})  # fmt: skip


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """KEYS and face_regressor (5, V) of an SMPL file, shapedirs truncated to ten components, all of checked shapes.

    Raises FileNotFoundError, and ValueError in one line for a file of another kind or one that would run code.
    """
    raw = _read_npz(path) if path.suffix == ".npz" else _read_pickle(path)
    missing = [key for key in KEYS if key not in raw]
    if missing:
        raise ValueError(f"{path}: not an SMPL model: {', '.join(missing)} missing")
    arrays = {key: _numbers(raw[key], key, path) for key in KEYS}
    if any(not array.ndim or not array.size for array in arrays.values()):
        raise ValueError(f"{path}: not an SMPL model: {next(k for k, a in arrays.items() if not a.size)} holds nothing")
    arrays["shapedirs"] = arrays["shapedirs"][..., :SHAPES]
    arrays["face_regressor"] = _face(raw, len(arrays["v_template"]), path)
    _check_members(arrays, path)
    return arrays


def _read_npz(path: Path) -> dict[str, Any]:
    wanted = {*KEYS, "face_regressor"}
    return dict(read_npz(path, wanted.__contains__))


def _read_pickle(path: Path) -> Mapping[str, Any]:
    data = read_bytes(path, "pickle_mb")
    try:
        content = Unpickler(io.BytesIO(data), lambda name: name in _NAMED or name.startswith("chumpy.")).load()
    except Exception as error:  # a damaged or hostile pickle may raise anything
        reason = " ".join(str(error).split())[:150] or type(error).__name__
        raise ValueError(f"{path}: not read: {reason}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a dictionary of SMPL's arrays, got {type(content).__name__}")
    return content


def _numbers(value: Any, key: str, path: Path) -> np.ndarray:
    """A dense numeric array of an array, or of what a pickle has in its place: a sparse matrix, chumpy's object."""
    where = f"{path}: {key}"
    if isinstance(value, Made) and value.name.startswith("chumpy.") and isinstance(value.state, dict):
        value = value.state.get("x")
    if isinstance(value, Made):
        value = sparse_of(value, where) if value.name.startswith("scipy.") else array_of(value, where)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        found = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
        raise ValueError(f"{where}: expected an array of numbers, got {found}")
    return value


def _face(raw: Mapping[str, Any], vertices: int, path: Path) -> np.ndarray:
    if "face_regressor" in raw:
        return _numbers(raw["face_regressor"], "face_regressor", path)
    if vertices != _SMPL_VERTICES:
        raise ValueError(f"{path}: expected SMPL's {_SMPL_VERTICES} vertices, got {vertices}")
    return np.eye(vertices, dtype=np.float32)[list(_SMPL_FACE)]


def _check_members(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    count = len(arrays["v_template"])
    joints = len(SMPL_24)
    expected = {
        "v_template": (count, 3), "weights": (count, joints), "J_regressor": (joints, count),
        "shapedirs": (count, 3, SHAPES), "posedirs": (count, 3, 9 * (joints - 1)), "kintree_table": (2, joints),
        "face_regressor": (5, count),
    }  # fmt: skip
    for key, shape in expected.items():
        if arrays[key].shape != shape:
            raise ValueError(f"{path}: not SMPL's body: {key}: expected {shape}, got {arrays[key].shape}")
    if arrays["f"].ndim != 2 or arrays["f"].shape[1] != 3 or not 0 <= arrays["f"].min() <= arrays["f"].max() < count:
        raise ValueError(f"{path}: f: expected triangles (F, 3) of {count} vertices, got {arrays['f'].shape}")
    if tuple(arrays["kintree_table"][0, 1:].astype(int)) != SMPL_PARENTS[1:]:
        raise ValueError(f"{path}: kintree_table: expected SMPL's 24 joints in their order")
