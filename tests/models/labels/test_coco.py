import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as pycoco

from models.labels.coco import postgres_array, segmentation_mask


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_postgres_arrays_read_back(numbers):
    assert postgres_array("{" + ",".join(map(repr, numbers)) + "}", "bbox") == numbers


@given(arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_run_lengths_compressed_or_plain_give_the_mask_back(mask):
    edges = np.flatnonzero(np.diff(np.r_[False, mask.ravel("F")]))  # COCO counts down the columns
    plain = np.diff(np.r_[0, edges, mask.size]).tolist()
    packed = pycoco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    for counts in (plain, packed):
        found = segmentation_mask({"size": list(mask.shape), "counts": counts}, mask.shape, 1.0, "here")
        assert (found == mask).all()


def test_a_polygon_of_a_picture_twice_as_large_is_halved():
    mask = segmentation_mask([[4, 8, 20, 8, 20, 16, 4, 16]], (12, 14), 2.0, "here")
    expected = np.zeros((12, 14), bool)
    expected[4:8, 2:10] = True
    assert (mask == expected).all()


def test_what_is_no_segmentation_is_told_with_its_place():
    with pytest.raises(ValueError, match="detection 3: expected a segmentation"):
        segmentation_mask("x", (4, 4), 1.0, "d.json: detection 3")


@pytest.mark.parametrize("counts", [[3, 5, -4, 6], [3, 14], [-1, 2], "35L1", "3b1", "P", "é"])
def test_runs_that_go_back_or_leave_the_picture_are_told_with_their_place(counts):
    with pytest.raises(ValueError, match="detection 3: run lengths that leave the picture 4x4"):
        segmentation_mask({"size": [4, 4], "counts": counts}, (4, 4), 1.0, "detection 3")


def test_no_runs_are_an_empty_mask():
    assert not segmentation_mask({"size": [4, 4], "counts": []}, (4, 4), 1.0, "here").any()
