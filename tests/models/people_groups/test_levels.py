import numpy as np
import pytest

from models.people_groups.levels import largest_overlap, level_row
from models.people_groups.picture import NOBODY, OCCLUDED, SELF_OCCLUDED, TRUNCATED, VISIBLE, GroupPerson, GroupPicture
from pipeline.core.skeletons import OPEC_12


def picture(*boxes):
    """People of 12 joints: 6 visible, 2 self-occluded, 3 occluded, one of them by the first person, 1 truncated."""
    state = np.array([VISIBLE] * 6 + [SELF_OCCLUDED] * 2 + [OCCLUDED] * 3 + [TRUNCATED])
    hidden_by = np.array([NOBODY] * 8 + [0, NOBODY, NOBODY, NOBODY])
    people = tuple(GroupPerson(np.array(box, float), np.zeros((12, 2)), state, hidden_by, 1.0) for box in boxes)
    return GroupPicture("x", (99, 99), people, OPEC_12, lambda: np.zeros((99, 99, 3), np.uint8))


def test_a_table_by_hand():
    """IoUs of 1, 1/3 and of one alone."""
    pictures = [picture((0, 0, 9, 9), (0, 0, 9, 9)), picture((0, 0, 20, 10), (10, 0, 20, 10)), picture((0, 0, 5, 5))]
    row = level_row("mine", pictures)
    assert (row["pictures"], row["people"]) == (3, 5)
    assert [row[f"IoU > {level:g}"] for level in (0.3, 0.5, 0.75)] == pytest.approx([2 / 3, 1 / 3, 1 / 3])
    assert row["mean IoU"] == pytest.approx((1 + 1 / 3) / 3)
    # Of eleven labelled joints: what the picture cuts off is not among them.
    assert row["joints visible"] == pytest.approx(6 / 11) and row["joints occluded"] == pytest.approx(3 / 11)
    assert row["joints self-occluded"] == pytest.approx(2 / 11) and row["joints unknown"] == 0
    assert row["of these by a person"] == pytest.approx(1 / 3)


def test_the_largest_of_a_clump_counts():
    assert largest_overlap(picture((0, 0, 10, 10), (50, 0, 10, 10), (5, 0, 10, 10))) == pytest.approx(1 / 3)
