"""Precision and recall against counting by hand."""

import numpy as np
import pytest
from chance import examples
from hypothesis import given
from hypothesis import strategies as st

from models.occlusion_classifier.evaluate import curve, precision_at, precision_recall, quality_lines


def test_precision_and_recall_of_four():
    precision, recall = precision_recall(np.array([1, 1, 1, 0], bool), np.array([1, 0, 0, 1], bool))
    assert (precision, recall) == (pytest.approx(1 / 3), 0.5)
    assert np.isnan(precision_recall(np.zeros(2, bool), np.ones(2, bool))[0])


@examples(60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_the_curve_is_every_threshold_counted_by_hand(seed, n):
    rng = np.random.default_rng(seed)
    chance, whole = rng.integers(0, 8, n) / 8, rng.random(n) > 0.4
    whole[0] = True
    thresholds, precision, recall = curve(chance, whole)
    assert thresholds.tolist() == sorted(set(chance.tolist()), reverse=True)
    for t, p, r in zip(thresholds, precision, recall, strict=True):
        assert precision_recall(chance >= t, whole) == (pytest.approx(p), pytest.approx(r))
    assert recall[-1] == 1 and precision_at(1.0, chance, whole) >= whole.mean() - 1e-12
    assert precision_at(0.2, chance, whole) >= precision_at(0.8, chance, whole)


def test_no_whole_object_has_no_recall():
    with pytest.raises(ValueError, match="expected at least one whole object"):
        curve(np.ones(3), np.zeros(3, bool))


def test_tables_say_what_is_taken_for_what():
    right = np.eye(6, dtype=bool)[[0, 0, 1, 4]]
    chances = np.eye(6)[[0, 4, 1, 4]]
    lines = list(quality_lines(chances, right))
    assert "0.50 | 1.000 | 0.500" in lines
    assert any(line.startswith("unoccluded | 2 | 0.500 | 0.000 | 0.000 | 0.000 | 0.500") for line in lines)
