import numpy as np
import pytest

from pipeline.core.tables import KEYPOINT_STATES
from pipeline.reconstruction.shape_priors import KINDS, PERSON, vehicle_states


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_kinds_are_mirrored_and_fill_their_box(kind):
    mirrored = kind.points * [1, -1, 1]
    assert {tuple(p) for p in kind.points} == {tuple(p) for p in mirrored}
    np.testing.assert_allclose(kind.points.min(axis=0), [-0.5, -0.5, 0])
    np.testing.assert_allclose(kind.points.max(axis=0), [0.5, 0.5, 1])
    right, left = kind.keypoints[0::2], kind.keypoints[1::2]
    np.testing.assert_allclose(right * [1, -1, 1], left)
    assert (left[:, 1] > 0).all()


def test_a_persons_keypoints_are_left_before_right_and_head_up():
    left, right = PERSON.keypoints[1::2], PERSON.keypoints[2::2]
    np.testing.assert_allclose(left * [1, -1, 1], right)
    nose, shoulder, hip, ankle = PERSON.keypoints[[0, 5, 11, 15], 2]
    assert 1 > nose > shoulder > hip > ankle > 0


def test_a_camera_at_the_front_right_sees_the_front_right():
    keypoints = KINDS[0].keypoints * KINDS[0].size_m
    states = vehicle_states(keypoints[None], np.array([[12.0, -9.0, 6.0]]))[0]
    seen = [KEYPOINT_STATES[s] == "visible" for s in states]
    # right, left of: front wheel, back wheel, headlight, back light, front roof corner, back roof corner
    assert seen == [True, False, True, False, True, True, False, False, True, True, True, True]
