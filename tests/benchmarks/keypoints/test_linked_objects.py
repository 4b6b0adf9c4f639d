"""What the table of a set says of pictures one could draw: two masts that overlap, one alone, a misplaced point."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.keypoints.linked_objects import class_rows, split_row
from models.linked_objects import ClassTable, LinkedObject, LinkedPicture, ObjectClass
from models.linked_objects.pictures import NOBODY, OCCLUDED, TRUNCATED, VISIBLE
from models.linked_objects.shards import LinkedPictures

TABLE = ClassTable((ObjectClass.of_names("mast", ["top", "foot"], [("top", "foot")]),))


def mast(x: float, body: int, state: tuple[int, int] = (VISIBLE, VISIBLE), hidden: float = 0.0) -> LinkedObject:
    """A mast 20 wide and 40 high at x."""
    xy = np.array([[x + 10, 10], [x + 10, 50.0]])
    occluder = np.where(np.array(state) == OCCLUDED, 0, NOBODY)
    return LinkedObject(0, np.array([x, 10, 20, 40.0]), xy, np.array(state), occluder, hidden, body)


def pictures(*groups: tuple[LinkedObject, ...]) -> LinkedPictures:
    image = np.zeros((60, 100, 3), np.uint8)
    return LinkedPictures(TABLE, [LinkedPicture(str(n), (60, 100), g, lambda: image) for n, g in enumerate(groups)])


def test_a_class_counts_bodies_states_and_what_overlaps():
    hidden = mast(12, 2, (OCCLUDED, VISIBLE), 0.4)
    (row,) = class_rows({"train": pictures((mast(0, 1), hidden), (mast(40, 1),))})
    assert (row["objects"], row["bodies"], row["points"], row["links"]) == (3, 2, 2, 1)
    assert row["hidden"] == pytest.approx(1 / 6) and row["seen"] == pytest.approx(5 / 6)
    assert row["mean_hidden"] == pytest.approx(0.4 / 3) and row["hidden_over_20_percent"] == pytest.approx(1 / 3)
    assert row["overlapping"] == pytest.approx(2 / 3)


def test_a_split_counts_pictures_that_overlap():
    row = split_row("train", pictures((mast(0, 1), mast(12, 2)), (mast(40, 1),)))
    assert (row["pictures"], row["objects"], row["bodies"]) == (2, 3, 2)
    assert row["overlapping"] == row["alone"] == 0.5 and row["bad_points"] == 0


@pytest.mark.parametrize(
    ("x", "state"), [(40, (VISIBLE, TRUNCATED)), (95, (VISIBLE, VISIBLE))], ids=["inside, truncated", "outside, seen"]
)
def test_points_whose_state_denies_their_place_are_counted(x, state):
    assert split_row("train", pictures((mast(x, 1, state),)))["bad_points"] > 0
