import numpy as np
import pytest

from pipeline.detection.blobs import classify


@pytest.mark.parametrize(
    ("size", "category"),
    [((0.6, 1.7), "person"), ((1.8, 1.5), "vehicle"), ((4.5, 2.0), "vehicle"), ((12.0, 6.0), "vehicle")],
)
def test_usual_sizes_fit_their_category(size, category):
    assert classify(size, 1.3) == (category, 1.0)


@pytest.mark.parametrize("size", [(0.5, 4.0), (30.0, 2.0), (4.0, 0.3), (np.nan, 1.0)])
def test_impossible_sizes_fit_badly(size):
    assert classify(size, 1.3)[1] < 0.3
