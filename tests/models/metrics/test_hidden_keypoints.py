import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.metrics.hidden_keypoints import Scored, auc, centre_rotation, correspondences, joined, roc, yaw_errors_deg

EYE = np.eye(3)[None]


def turned(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[[c, -s, 0], [s, c, 0], [0, 0, 1.0]]])


def scored(error, state, instance=None):
    count = len(state)
    return Scored({"graph": error}, state, {"graph": error}, np.full(count, np.nan), np.arange(count))


@given(arrays(np.int64, 30, elements=st.integers(0, 9)), arrays(bool, 30))
def test_area_is_how_often_a_hidden_point_scores_above_a_visible_one(score, positive):
    if positive.all() or not positive.any():
        with pytest.raises(ValueError, match="one kind only"):
            roc(score, positive)
        return
    above = score[positive][:, None] - score[~positive][None]
    assert auc(score, positive) == pytest.approx(((above > 0) + 0.5 * (above == 0)).mean())


@given(st.floats(-180, 180), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_yaw_error_is_the_turn_whatever_the_ray(degrees, x, y):
    K = np.array([[[2.0, 0, 2 * x], [0, 3.0, 3 * y], [0, 0, 1]]])
    true = turned(40.0) @ turned(0)
    back = np.swapaxes(centre_rotation(K), 1, 2)
    assert yaw_errors_deg(back @ true @ turned(degrees), K, true)[0] == pytest.approx(abs(degrees), abs=1e-6)


def test_centre_rotation_takes_z_to_the_ray_of_the_boxs_centre():
    K = np.array([[[2.0, 0, 0.6], [0, 3.0, -0.9], [0, 0, 1]]])
    R = centre_rotation(K)
    ray = R[0] @ [0, 0, 1]
    np.testing.assert_allclose((K[0] @ ray)[:2], 0, atol=1e-12)
    np.testing.assert_allclose(R[0] @ R[0].T, np.eye(3), atol=1e-12)


def test_pck_counts_the_chosen_points_alone():
    error, state = np.full((2, 12), 0.05), np.zeros((2, 12), int)
    state[0, :3], error[0, 0], error[1, 5] = 1, 0.5, 0.5
    s = scored(error, state)
    assert s.pck_of_hidden("graph", 3) == pytest.approx(2 / 3)
    assert s.pck("graph", state == 0) == pytest.approx(20 / 21)
    assert np.isnan(s.pck_of_hidden("graph", 4))
    assert s.pck("graph", state == 0, alpha=0.6) == 1


def test_correspondences_need_two_views():
    error = np.full((3, 12), 0.5)
    error[0, :4], error[1, 2:6] = 0.01, 0.01
    s = Scored({"graph": error}, np.zeros((3, 12), int), {}, np.full(3, np.nan), np.array([7, 7, 8]))
    assert correspondences(s, "graph", 2, np.ones((3, 12), bool)) == 2
    assert correspondences(s, "graph", 2, np.ones((3, 12), bool), alpha=0.6) == 12
    assert np.isnan(correspondences(s, "graph", 3, np.ones((3, 12), bool)))


def test_what_has_no_place_or_no_state_counts_nowhere():
    error, state = np.full((2, 12), 0.05), np.zeros((2, 12), int)
    state[:, 6:], state[1, :3] = 1, -1
    error[0, :4], error[0, 4], error[1, 0] = np.nan, 0.5, 0.5
    hidden = np.where(state > 0, 0.9, 0.1)
    hidden[state < 0] = 1.0
    s = Scored({"graph": error}, state, {"graph": hidden}, np.full(2, np.nan), np.arange(2))
    assert s.pck("graph", state == 0) == pytest.approx(4 / 5)
    assert s.pck("graph", np.ones_like(state, bool)) == pytest.approx(18 / 20)
    assert s.auc("graph") == 1 and s.tells_hidden and s.located.sum() == 20
    assert np.isnan(s.pck("graph", np.isnan(error)))


def test_parts_are_joined_and_rows_are_taken():
    rng = np.random.default_rng(0)
    parts = [scored(rng.random((n, 12)), rng.integers(-1, 3, (n, 12))) for n in (3, 2)]
    whole = joined(parts)
    for part, rows in zip(parts, (np.arange(3), np.arange(3, 5)), strict=True):
        again = whole.rows(rows)
        np.testing.assert_array_equal(again.error["graph"], part.error["graph"])
        np.testing.assert_array_equal(again.hidden["graph"], part.hidden["graph"])
        for name in ("state", "yaw_deg", "instance"):
            np.testing.assert_array_equal(getattr(again, name), getattr(part, name))
