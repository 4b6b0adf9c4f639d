from dataclasses import replace

import numpy as np
import pytest

from models.people_groups.levels import CROWDING, crowd_index, largest_overlap, level_row, of_crowding
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


def crowd(*people):
    """A picture of people of (box, joints, place): so many of their joints are known, all at one pixel."""
    rows = []
    for box, count, place in people:
        xy = np.full((12, 2), np.nan)
        xy[:count] = place
        state = np.where(np.arange(12) < count, VISIBLE, -1)
        rows.append(GroupPerson(np.array(box, float), xy, state, np.full(12, NOBODY), 1.0))
    return GroupPicture("x", (99, 99), tuple(rows), OPEC_12, lambda: np.zeros((99, 99, 3), np.uint8))


def test_a_crowd_index_by_hand():
    """In the first's box lie 2 joints of the second beside 4 of their own, in the second's nobody else's, in the
    third's 4 and 2 of others beside 5; a fourth has no joint that anybody knows."""
    first, second = ((0, 0, 20, 20), 4, (5, 5)), ((10, 10, 20, 20), 2, (15, 15))
    third, fourth = ((0, 0, 90, 90), 5, (80, 80)), ((0, 0, 90, 90), 0, (0, 0))
    several = crowd(first, second, third, fourth)
    assert crowd_index(several) == pytest.approx((2 / 4 + 0 / 2 + 6 / 5) / 3)
    ignored = replace(several.people[2], ignored=True)
    assert crowd_index(replace(several, people=(*several.people[:2], ignored))) == pytest.approx((2 / 4 + 0) / 2)
    assert crowd_index(crowd(first)) == 0 and np.isnan(crowd_index(crowd(fourth)))
    assert crowd_index(replace(several, crowd_index=0.1)) == 0.1  # what its file says


def test_a_joint_is_in_a_box_whose_edges_its_pixels_middle_is_between():
    on = [crowd(((0, 0, 5, 5), 1, (2, 2)), ((4, 4, 9, 9), 1, (x, 2))) for x in (4, 4.49, 4.5, 5)]
    assert [crowd_index(one) for one in on] == [0.5, 0.5, 0, 0]


def test_a_level_begins_with_its_lower_bound():
    one = crowd(((0, 0, 20, 20), 4, (5, 5)))
    pictures = [replace(one, crowd_index=index) for index in (0, 0.0999, 0.1, 0.7999, 0.8, 1, 2.5)]
    assert {name: of_crowding(pictures, name) for name in CROWDING} == {
        "easy": [0, 1],
        "medium": [2, 3],
        "hard": [4, 5, 6],
    }
    assert not any(of_crowding([crowd()], name) for name in CROWDING)
