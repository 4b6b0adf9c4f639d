import numpy as np
import pytest
from chance import examples
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from models.metrics.poses import angles_between, point_distances, pose_summary


@examples(30)
@given(seed=st.integers(0, 10_000))
def test_angles_are_scipys(seed):
    one, other = (Rotation.random(5, random_state=seed + k) for k in range(2))
    theirs = (one.inv() * other).magnitude()
    assert np.allclose(angles_between(one.as_matrix(), other.as_matrix()), theirs, atol=1e-6)


def test_a_small_angle_is_not_lost():
    turned = Rotation.from_rotvec([[0, 0, 1e-5]]).as_matrix()
    assert angles_between(turned, np.eye(3)[None])[0] == pytest.approx(1e-5, rel=1e-6)


def test_points_are_as_far_apart_as_they_were_moved():
    points = np.random.default_rng(0).normal(size=(1, 12, 3))
    here, there = (np.eye(3)[None], np.array([[0.0, 0, 10]])), (np.eye(3)[None], np.array([[3.0, 4, 10]]))
    assert point_distances(points, here, there)[0] == pytest.approx(5.0)
    half_turn = Rotation.from_rotvec([[0, 0, np.pi]]).as_matrix()
    square = np.array([[[1.0, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]]])
    assert point_distances(square, (half_turn, here[1]), here)[0] == pytest.approx(2.0)


def test_a_summary_worked_by_hand():
    """Four objects 4 m long: one right, one off by 20 degrees, one by half a turn, one not found."""
    turns = np.radians([0, 20, 180, 0])
    R = Rotation.from_rotvec(np.outer(turns, [0, 0, 1])).as_matrix()
    R[3] = np.nan
    t, true = np.tile([0.0, 0, 20], (4, 1)), (np.tile(np.eye(3), (4, 1, 1)), np.tile([0.0, 0, 20], (4, 1)))
    ends = np.tile(np.array([[2.0, 0, 0], [-2, 0, 0]]), (4, 1, 1))
    found = pose_summary(ends, (R, t), true)
    assert found["Acc(pi/6)"] == 0.5 and found["Acc(pi/18)"] == 0.25
    assert found["median_deg"] == pytest.approx((20 + 180) / 2)
    # 0, 2 * 2 sin(10 deg), 4: the second is beyond a tenth of 4 m
    assert found["ADD_m"] == pytest.approx((0 + 4 * np.sin(np.radians(10)) + 4) / 3)
    assert found["ADD-0.1d"] == 0.25
    assert np.isnan(pose_summary(ends[:0], (R[:0], t[:0]), (R[:0], t[:0]))["median_deg"])
