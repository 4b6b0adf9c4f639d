from pathlib import Path

import numpy as np
import pytest

from models.people_groups.picture import NOBODY, OCCLUDED, UNKNOWN, VISIBLE, GroupPerson, GroupPicture
from pipeline.core.skeletons import COCO_17, CROWDPOSE_14, OPEC_12, PEOPLE_19


def person(count, shift=0.0):
    """Someone whose keypoint k is at (k, 10 + k), the first one occluded by person 1."""
    xy = np.stack([np.arange(count) + shift, 10.0 + np.arange(count)], axis=1)
    state, hidden_by = np.full(count, VISIBLE), np.full(count, NOBODY)
    state[0], hidden_by[0] = OCCLUDED, 1
    return GroupPerson(np.array([shift, 10, 30, 40.0]), xy, state, hidden_by, 600.0)


def picture(skeleton=PEOPLE_19):
    people = person(len(skeleton)), person(len(skeleton), 5)
    return GroupPicture("one", (60, 80), people, skeleton, lambda: np.zeros((60, 80, 3), np.uint8), "train", "hug")


@pytest.mark.parametrize("skeleton", [COCO_17, CROWDPOSE_14, OPEC_12])
def test_every_skeleton_of_people_is_part_of_the_stored_one(skeleton):
    """By name: each keypoint is where the same name was; back again, what was not taken along is unknown."""
    there = picture().in_skeleton(skeleton)
    for k, name in enumerate(skeleton.names):
        assert there.people[1].xy[k].tolist() == picture().people[1].xy[PEOPLE_19.names.index(name)].tolist()
    back = there.in_skeleton(PEOPLE_19).people[0]
    lost = [name not in skeleton.names for name in PEOPLE_19.names]
    assert np.isnan(back.xy[lost]).all() and (back.state[lost] == UNKNOWN).all()
    assert not back.labelled[lost].any() and not back.visible[lost].any() and not back.invisible[lost].any()


def test_hidden_and_seen_ones_are_all_whose_state_is_known():
    one = picture().people[0]
    assert one.invisible.tolist() == [True] + [False] * 18
    assert (one.visible ^ one.invisible).all()


@pytest.mark.parametrize("name, shape", [("xy", (19, 3)), ("hidden_by", (18,)), ("box_xywh", (2, 2))])
def test_shapes_are_checked(name, shape):
    values = {**vars(person(19)), name: np.zeros(shape)}
    with pytest.raises(ValueError, match=f"person: {name}: expected"):
        GroupPerson(**values)


def test_a_person_of_another_skeleton_is_refused():
    with pytest.raises(ValueError, match="one: person 0: expected 12 keypoints, got 19"):
        GroupPicture("one", (60, 80), (person(19),), OPEC_12, Path.cwd)
