import numpy as np
import pytest

from models.metrics.matching import mask_overlaps, match
from pipeline.core import masks

SIZE_HW = (40, 60)


def block(x, y, w, h):
    return masks.encode(np.ones((h, w), bool), (x, y), SIZE_HW)


def test_the_best_detection_takes_the_object_it_overlaps_most_and_the_next_what_is_left():
    overlap = np.array([[0.9, 0.6], [0.95, 0.2], [0.7, 0.55]])
    assert match(overlap, np.array([0.9, 0.5, 0.3])).tolist() == [0, 2]
    assert match(overlap, np.array([0.1, 0.5, 0.3])).tolist() == [1, 2]
    assert match(overlap, np.array([0.9, 0.5, 0.3]), least=0.97).tolist() == [-1, -1]
    assert match(np.zeros((3, 0)), np.zeros(3)).shape == (0,)
    assert match(np.zeros((0, 2)), np.zeros(0)).tolist() == [-1, -1]


def test_parts_are_compared_by_themselves():
    """Twenty columns, the left half seen; the found one is as large and sees five columns more."""
    true, found = (block(10, 5, 20, 10), block(10, 5, 10, 10)), (block(10, 5, 20, 10), block(10, 5, 15, 10))
    parts = mask_overlaps([found], [true], SIZE_HW)
    assert parts["whole"][0] == 1 and parts["visible"][0] == pytest.approx(10 / 15)
    assert parts["hidden"][0] == pytest.approx(5 / 10)
    seen = block(10, 5, 20, 10)
    assert np.isnan(mask_overlaps([(seen, seen)], [(seen, seen)], SIZE_HW)["hidden"][0])
