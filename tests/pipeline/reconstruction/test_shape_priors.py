import numpy as np
import pytest

from pipeline.core.skeletons import OF_CATEGORY, VEHICLE_12
from pipeline.core.tables import KEYPOINT_STATES
from pipeline.reconstruction.shape_priors import KINDS, KINDS_OF, PERSON, states_alone


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_kinds_are_mirrored_and_fill_their_box(kind):
    mirrored = kind.points * [1, -1, 1]
    assert {tuple(p) for p in kind.points} == {tuple(p) for p in mirrored}
    np.testing.assert_allclose(kind.points.min(axis=0), [-0.5, -0.5, 0])
    np.testing.assert_allclose(kind.points.max(axis=0), [0.5, 0.5, 1])
    right, left = kind.keypoints[0::2], kind.keypoints[1::2]
    np.testing.assert_allclose(right * [1, -1, 1], left)
    assert (left[:, 1] > 0).all()


@pytest.mark.parametrize("category", KINDS_OF)
def test_what_is_called_left_is_on_the_left(category):
    for kind in KINDS_OF[category]:
        for name, (_, y, _) in zip(OF_CATEGORY[category].names, kind.keypoints, strict=True):
            assert np.sign(y) == ("left" in name) - float("right" in name), (kind.name, name)


def test_a_person_is_head_up():
    nose, shoulder, hip, ankle = PERSON.keypoints[[0, 5, 11, 15], 2]
    assert 1 > nose > shoulder > hip > ankle > 0


def test_a_camera_at_the_front_right_sees_the_front_right():
    keypoints = KINDS[0].keypoints * KINDS[0].size_m
    states = alone("vehicle", keypoints[None], np.array([[12.0, -9.0, 6.0]]))
    hidden = [name for name, state in zip(VEHICLE_12.names, states, strict=True) if state == "self_occluded"]
    assert hidden == ["left front wheel", "left back wheel", "right back light", "left back light"]
    assert set(states) == {"visible", "self_occluded"}


def alone(category, keypoints, eye):
    """Words of the states of one object, all of it in the picture but its first keypoint."""
    pixels = np.full((1, keypoints.shape[1], 2), 20.0)
    pixels[0, 0, 0] = 20.0 if category == "vehicle" else 40.0
    return [KEYPOINT_STATES[s] for s in states_alone(category, keypoints, eye, pixels, (30, 40))[0]]


def test_a_person_hides_nothing_of_itself_and_the_frame_cuts_it_off():
    states = alone("person", PERSON.keypoints[None], np.array([[12.0, -9.0, 6.0]]))
    assert states == ["truncated"] + ["visible"] * (len(OF_CATEGORY["person"]) - 1)


@pytest.mark.parametrize("category", KINDS_OF)
def test_every_kind_has_its_categorys_keypoints_and_their_mirror_images(category):
    skeleton = OF_CATEGORY[category]
    for kind in KINDS_OF[category]:
        assert kind.keypoints.shape == (len(skeleton), 3)
        np.testing.assert_allclose(kind.keypoints[list(skeleton.flip)] * [1, -1, 1], kind.keypoints)
