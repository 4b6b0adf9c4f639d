"""Archives of arrays are sized before they are unpacked."""

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from readers.arrays import read_npz

HOSTILE = Path(__file__).parents[1] / "hostile"


def header(shape, dtype="<f8"):
    """The header of an .npy alone."""
    text = io.BytesIO()
    npy.write_array_header_1_0(text, {"shape": shape, "fortran_order": False, "descr": dtype})
    return text.getvalue()


def archive(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return path


def test_arrays_come_back_and_only_the_wanted_ones(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.arange(6.0).reshape(2, 3), b=np.zeros((0, 4)), c=np.int8(3))
    found = read_npz(tmp_path / "a.npz")
    assert list(found) == ["a", "b", "c"] and np.array_equal(found["a"], np.arange(6.0).reshape(2, 3))
    assert found["b"].shape == (0, 4) and found["c"] == 3
    assert list(read_npz(tmp_path / "a.npz", "b".__eq__)) == ["b"]


def test_a_bomb_is_told_by_its_header_and_costs_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("WALT3D_ARRAYS_MB", "10")
    size = 2_000_000
    path = archive(tmp_path / "bomb.npz", poses=header((size,)) + bytes(8 * size))
    assert path.stat().st_size < 30_000
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"bomb\.npz: poses\.npy: MB unpacked: expected at most 10, found 16"):
        read_npz(path)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("shape", "dtype", "said"),
    [
        ((10**18,), "<f8", "its header claims"),
        ((-1,), "<f8", "its header claims"),
        ((10**9, 10**9, 10**9), "<f8", "its header claims"),
        ((3,), "|O", "expected numbers, got objects"),
    ],
)
def test_headers_that_lie_are_named(tmp_path, shape, dtype, said):
    path = archive(tmp_path / "lie.npz", a=header(shape, dtype) + bytes(24))
    with pytest.raises(ValueError, match=rf"lie\.npz: not an \.npz of plain arrays: a\.npy: {said}"):
        read_npz(path)


def test_a_single_array_is_told_from_an_archive():
    with pytest.raises(ValueError, match=r"npy\.npz: not an \.npz of plain arrays: a single array"):
        read_npz(HOSTILE / "npy.npz")
