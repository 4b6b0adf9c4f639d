"""A network of CarFusion's 14 points as one of our twelve."""

import dots
import numpy as np
import pytest

from models.topdown.network import TopDown
from models.topdown.vehicles import MmposeKeypoints, sigmas, states
from pipeline.core.tables import KEYPOINT_STATES

CARFUSION = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12]
IMAGE = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def fourteen(tmp_path_factory):
    """Config and checkpoint of 14 points."""
    folder = tmp_path_factory.mktemp("fourteen")
    return dots.with_random_weights(dots.write_config(folder, 14), folder)


def test_points_and_scores_are_the_networks_own_in_our_order(fourteen):
    boxes = np.array([[30, 20, 40, 30.0], [-15, 50, 60, 60]])
    reported = []
    found = MmposeKeypoints(*fourteen, "carfusion").predict([IMAGE] * 2, boxes, lambda *done: reported.append(done))
    xy, score = TopDown(*fourteen).predict([IMAGE] * 2, boxes)
    np.testing.assert_array_equal(found.xy, xy[:, CARFUSION])
    np.testing.assert_array_equal(found.score, score[:, CARFUSION])
    assert reported == [(2, 2)]


def test_no_boxes_and_boxes_without_an_area(fourteen):
    network = MmposeKeypoints(*fourteen, ",".join(map(str, CARFUSION)))
    assert network.predict([], np.zeros((0, 4))).xy.shape == (0, 12, 2)
    found = network.predict([IMAGE], np.array([[5, 5, 0, 0.0]]))
    assert np.isnan(found.xy).all() and not found.score.any()


def test_a_network_of_other_points_asks_for_a_map(fourteen):
    with pytest.raises(ValueError, match="keypoint_map: the network has 14 points, not the twelve"):
        MmposeKeypoints(*fourteen)


def test_the_score_is_the_fraction_of_errors_within_a_tenth_of_the_box():
    score, rng = np.array([[0.2, 0.5, 0.9]]), np.random.default_rng(0)
    sigma = sigmas(score, np.array([[0, 0, 80.0, 50.0]]))
    within = np.linalg.norm(rng.normal(0, sigma[0][:, None, None], (3, 100_000, 2)), axis=2) < 8.0
    np.testing.assert_allclose(within.mean(axis=1), score[0], atol=0.01)


def test_unconfident_points_are_occluded_and_confident_ones_outside_truncated():
    xy = np.array([[[50, 40], [50, 40], [-0.4, 0], [-0.6, 0], [119.4, 89.4], [119.6, 40]]], float)
    state = states(xy, np.array([[0.9, 0.1, 0.9, 0.9, 0.9, 0.9]]), np.array([[90, 120.0]]))
    names = [KEYPOINT_STATES[k] for k in state[0]]
    assert names == ["visible", "occluded", "visible", "truncated", "visible", "truncated"]
