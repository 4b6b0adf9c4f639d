"""Pickles are data: arrays come back, nothing that a stream names is made, and no few bytes cost much."""

import io
import os
import pickle
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from readers.pickles import Made, Named, Refused, Unpickler, array_of, sparse_of

HOSTILE = Path(__file__).parents[1] / "hostile"


def read(data, allowed=lambda name: True):
    return Unpickler(io.BytesIO(data), allowed).load()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3)), np.zeros((0, 4), np.float32),
        np.arange(5, dtype=">i2"), np.array(3, np.uint8), np.arange(20.0)[::3],
    ],
    ids=["plain", "by columns", "empty", "big-endian", "scalar", "strided"],
)  # fmt: skip
def test_plain_arrays_come_back(array, protocol):
    found = array_of(read(pickle.dumps(array, protocol)), "x")
    assert found.dtype == array.dtype and found.shape == array.shape and np.array_equal(found, array)


@pytest.mark.parametrize("kind", [sparse.csc_matrix, sparse.csr_matrix])
def test_sparse_matrices_come_back_dense(kind):
    dense = np.array([[0, 1.5, 0], [2, 0, 0]])
    assert np.array_equal(sparse_of(read(pickle.dumps(kind(dense), 2)), "x"), dense)


def test_values_beside_arrays_are_values():
    value = {"a": [1, 2.5, None, True, "ä", b"x", (1, 2)], "b": {3: {}}, "c": 2**70}
    assert read(pickle.dumps(value, 3)) == read(pickle.dumps(value, 5)) == value


def test_what_is_named_is_neither_imported_nor_called(tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    made = read(pickle.dumps(Hostile()))
    assert isinstance(made, Made) and made.name in ("posix.system", "os.system")
    assert isinstance(read(b"cno.such.module\nthing\n."), Named)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(Refused, match=r"it asks for posix\.system, which could run code"):
        read(pickle.dumps(Hostile()), lambda name: name.startswith("numpy."))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("V8", "expected an array of numbers, got one of 'V8'"),
        ("O8", "expected an array of numbers, got one of 'O8'"),
        ("f16", "expected an array of numbers"),
        ("i8,i8", "expected an array of numbers"),
    ],
)
def test_a_forged_type_is_refused(code, said):
    made = read(pickle.dumps(np.zeros(3), 4))
    made.state[2].args = (code, False, True)
    with pytest.raises(ValueError, match=said):
        array_of(made, "x")


@pytest.mark.parametrize("shape", [(4,), (-3,), (2**62, 2), ("3",), (3, None), (True, 3)])
def test_a_shape_that_its_bytes_do_not_fill_is_refused(shape):
    made = read(pickle.dumps(np.zeros(3), 4))
    made.state = (1, shape, *made.state[2:])
    with pytest.raises(ValueError, match="x: expected an array of float64 that fills its 24 bytes"):
        array_of(made, "x")


@pytest.mark.parametrize("field", ["indices", "indptr", "data", "_shape"])
def test_a_sparse_matrix_that_does_not_hold_together_is_refused(field):
    made = read(pickle.dumps(sparse.csc_matrix(np.eye(3)), 4))
    bad = {"indices": np.array([0, 1, 9]), "indptr": np.array([0, 1, 9, 3]), "data": np.zeros(9)}
    made.state[field] = (2**30, 2**30) if field == "_shape" else read(pickle.dumps(bad[field], 4))
    with pytest.raises(ValueError, match=r"x: (not a sparse matrix|MB unpacked)"):
        sparse_of(made, "x")


NESTED = b"K\x01\x85" + b"q\x00h\x00\x86" * 60  # a pair of a pair of a pair: its hash takes 2^60 steps
BOMBS = {
    "memo": b"K\x01r\xff\xff\xff\x7f.",  # C's reader makes room for two thousand million objects
    "hash": b"}" + NESTED + b"K\x01s.",
    "frozen": b"(" + NESTED + b"\x91.",
    "members": b"\x8f(" + NESTED + b"\x90.",
    "bytes": b"\x8e" + b"\xff" * 7 + b"\x7f" + b"x.",
    "text": b"\x8d" + b"\xff" * 7 + b"\x7f" + b"x.",
    "frame": b"\x80\x04\x95" + b"\xff" * 7 + b"\x7f" + b"K\x01.",
    "long": b"\x8b\xff\xff\xff\x7fx.",
    "extension": b"\x82\x01.",
    "stack": b"0.",
}


@pytest.mark.parametrize("bomb", sorted(BOMBS))
def test_few_bytes_cost_little(bomb):
    begun = time.process_time()
    try:
        read(BOMBS[bomb])
    except Exception as error:
        assert not isinstance(error, MemoryError | RecursionError)
    assert time.process_time() - begun < 1


def test_the_body_that_crashed_the_process_is_refused():
    from models.body_model.files import read_arrays

    with pytest.raises(ValueError, match=r"segfault\.pkl: expected a dictionary of SMPL's arrays, got Made"):
        read_arrays(HOSTILE / "hostile_smpl_segfault.pkl")
