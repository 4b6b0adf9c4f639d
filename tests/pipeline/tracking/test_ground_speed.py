import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from walkers import CAMERA, PLANE, box_at

from pipeline.tracking.ground_speed import foot_points, velocities

SPEED = st.tuples(st.floats(-40, 40), st.floats(-40, 40))


@given(SPEED, st.lists(st.floats(0.03, 3.0), min_size=1, max_size=30), st.floats(0.0, 2.0))
def test_who_goes_straight_on_has_its_speed_whenever_it_is_seen(speed, steps_s, smooth_s):
    time_s = 1e9 + np.cumsum([0.0, *steps_s])
    foot = np.array([3.0, -7.0]) + np.outer(time_s - time_s[0], speed)
    found = velocities(np.zeros(len(time_s), int), time_s, foot, smooth_s)
    np.testing.assert_allclose(found, np.tile(speed, (len(time_s), 1)), atol=1e-3)


def test_tracks_do_not_mix_and_lone_or_untracked_boxes_have_no_speed():
    ids, time_s = np.array([0, 1, 0, 1, 2, -1]), np.array([0.0, 0.0, 0.5, 0.5, 0.0, 0.0])
    foot = np.array([[0.0, 0], [9, 9], [1, 0], [9, 7], [5, 5], [6, 6]])
    found = velocities(ids, time_s, foot, 1.0)
    np.testing.assert_allclose(found[:4], [[2, 0], [0, -4], [2, 0], [0, -4]])
    assert np.isnan(found[4:]).all()


def test_a_foot_is_where_the_box_stands_and_a_far_one_is_less_certain():
    boxes = np.array([box_at(x, y, 0.6, 1.75) for x, y in ((1.0, 12.0), (-2.0, 60.0))])
    xyxy = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    foot, slack = foot_points(xyxy, CAMERA, PLANE, 3.0)
    np.testing.assert_allclose(foot, [[1.0, 12.0], [-2.0, 60.0]], atol=0.05)
    assert 0 < slack[0] < 0.1 * slack[1] < np.inf


def test_nobody_stands_above_the_horizon():
    foot, slack = foot_points(np.array([[10.0, -400, 20, -300]]), CAMERA, PLANE, 3.0)
    assert np.isnan(foot).all() and np.isinf(slack).all()
