"""Read SMPL files as plain arrays: `.npz`, and the original `.pkl` without chumpy and without running its code."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from pipeline.core.skeletons import SMPL_24, SMPL_PARENTS

KEYS = ("v_template", "f", "weights", "J_regressor", "shapedirs", "posedirs", "kintree_table")
SHAPES = 10
# COCO's nose, eyes and ears among the vertices of SMPL's mesh, as smplx's table of vertex ids has them.
_SMPL_VERTICES, _SMPL_FACE = 6890, (332, 2800, 6260, 583, 4071)
# All that a pickled SMPL file is made of; chumpy's arrays become _Plain, which runs nothing.
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"),
    ("numpy", "ndarray"), ("numpy", "dtype"),
    ("scipy.sparse.csc", "csc_matrix"), ("scipy.sparse._csc", "csc_matrix"),
    ("scipy.sparse.csr", "csr_matrix"), ("scipy.sparse._csr", "csr_matrix"),
    ("numpy.core.numeric", "_frombuffer"), ("numpy._core.numeric", "_frombuffer"),
    ("_codecs", "encode"),
    # chumpy's objects hold a set; the oldest protocols make an object with the other two. Python 2 named them so.
    ("builtins", "set"), ("__builtin__", "set"), ("builtins", "object"), ("__builtin__", "object"),
    ("copyreg", "_reconstructor"), ("copy_reg", "_reconstructor"),
}  # fmt: skip
_MOVED = {"scipy.sparse.csc": "scipy.sparse", "scipy.sparse.csr": "scipy.sparse"}


class _Plain:
    """Stands for a chumpy object: keeps its state, of which `x` is the array."""

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Unpickler(pickle.Unpickler):
    """Refuses every class that an SMPL file has no need of, before it is imported."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "chumpy" or module.startswith("chumpy."):
            return _Plain
        if (module, name) not in _ALLOWED:
            raise ValueError(f"it asks for {module}.{name}, which no SMPL file needs")
        return super().find_class(_MOVED.get(module, module), name)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """KEYS and face_regressor (5, V) of an SMPL file, shapedirs truncated to ten components, all of checked shapes.

    Raises FileNotFoundError, and ValueError in one line for a file of another kind or one that would run code.
    """
    raw = _read_npz(path) if path.suffix == ".npz" else _read_pickle(path)
    missing = [key for key in KEYS if key not in raw]
    if missing:
        raise ValueError(f"{path}: not an SMPL model: {', '.join(missing)} missing")
    arrays = {key: _numbers(raw[key], key, path) for key in KEYS}
    arrays["shapedirs"] = arrays["shapedirs"][..., :SHAPES]
    arrays["face_regressor"] = _face(raw, len(arrays["v_template"]), path)
    _check_members(arrays, path)
    return arrays


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: cannot be read as a .npz of plain arrays ({error})") from None


def _read_pickle(path: Path) -> Mapping[str, Any]:
    try:
        content = _Unpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged or hostile pickle may raise anything
        raise ValueError(f"{path}: not read: {' '.join(str(error).split())[:150]}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a dictionary of SMPL's arrays, got {type(content).__name__}")
    return content


def _numbers(value: Any, key: str, path: Path) -> np.ndarray:
    """A dense numeric array of an array, a sparse matrix or chumpy's stand-in."""
    if isinstance(value, _Plain):
        value = value.state.get("x") if isinstance(value.state, dict) else None
    if sparse.issparse(value):
        value = _dense(value, key, path)
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{path}: {key}: expected an array of numbers, got {array.dtype}")
    return array


def _dense(value: Any, key: str, path: Path) -> np.ndarray:
    """A sparse matrix whose indices were checked: a pickle's may point outside it, and toarray would write there."""
    try:
        value.check_format(full_check=True)
        return value.toarray()
    except Exception as error:  # a hostile file may leave out or mistype any part of the matrix
        raise ValueError(f"{path}: {key}: not a sparse matrix: {' '.join(str(error).split())[:150]}") from None


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
    if arrays["f"].ndim != 2 or arrays["f"].shape[1] != 3 or arrays["f"].max() >= count:
        raise ValueError(f"{path}: f: expected triangles (F, 3) of {count} vertices, got {arrays['f'].shape}")
    if tuple(arrays["kintree_table"][0, 1:].astype(int)) != SMPL_PARENTS[1:]:
        raise ValueError(f"{path}: kintree_table: expected SMPL's 24 joints in their order")
