"""Scores of tracks that one can count by hand."""

import pandas as pd
import pytest

from benchmarks.tracking import scores


def walk(*who: int) -> pd.DataFrame:
    """A box that moves on by 2 px a frame, under these identities."""
    rows = [(k, name, 10.0 + 2 * k, 5.0, 8.0, 20.0) for k, name in enumerate(who)]
    return pd.DataFrame(rows, columns=["frame", "who", *"xywh"])


def test_the_same_boxes_under_one_name_are_perfect():
    assert scores(walk(*[7] * 10), walk(*[1] * 10)) == pytest.approx({"MOTA": 1, "IDF1": 1, "HOTA": 1, "switches": 0})


def test_a_name_that_changes_half_way_costs_half_of_the_identity():
    found = scores(walk(*[5] * 5, *[6] * 5), walk(*[1] * 10))
    assert found["switches"] == 1
    assert found["MOTA"] == pytest.approx(0.9) and found["IDF1"] == pytest.approx(0.5)
    assert found["HOTA"] == pytest.approx(0.5**0.5)


def test_frames_without_anyone_count_against_it():
    found = scores(walk(*[5] * 5), walk(*[1] * 10))
    assert found["MOTA"] == pytest.approx(0.5) and found["switches"] == 0
