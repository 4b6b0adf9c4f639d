"""Vehicles of boxes, wherever they lie in their picture."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.checkpoints import write_weights
from models.geometry.rotations import quaternion_to_matrix
from models.occlusion_net import SPEC, OcclusionNetSettings
from models.occlusion_net.network import OcclusionNet
from models.predictor import Predictor, load
from pipeline.core.instances import Instances

BOX = np.array([[40.0, 50, 80, 60]])


@pytest.fixture(scope="module")
def predictor(tiny):
    torch.manual_seed(0)
    return Predictor(SPEC, OcclusionNet(tiny))


def test_a_vehicle_moves_with_its_box_and_grows_with_it(predictor, rng):
    image = rng.integers(0, 256, (160, 160, 3), np.uint8)
    canvas = np.zeros((400, 400, 3), np.uint8)
    canvas[100:260, 200:360] = image
    here, there = predictor([image, canvas], [BOX, BOX + [200, 100, 0, 0]])
    for name in ("keypoints_2d", "wire_xy"):
        np.testing.assert_allclose(there[name], here[name] + [200, 100], atol=1e-3)
        assert here[name].shape == (1, 12, 2)
    for name in ("points_m", "quaternion", "translation_m", "keypoint_visible", "focal_px"):
        np.testing.assert_allclose(there[name], here[name], atol=1e-3)
    (large,) = predictor(np.kron(image, np.ones((2, 2, 1), np.uint8)), 2 * BOX)
    assert large["focal_px"] == pytest.approx(2 * here["focal_px"], rel=0.1)


def test_the_wireframe_is_where_the_reported_camera_projects_the_points(predictor, rng):
    """Looking along the ray of the box's centre, with a focal length in px: x right, y down."""
    image, boxes = rng.integers(0, 256, (300, 400, 3), np.uint8), np.array([[40.0, 50, 80, 60], [100, 80, 90, 200]])
    (found,) = predictor(image, boxes)
    np.testing.assert_allclose(np.linalg.norm(found["quaternion"], axis=1), 1, atol=1e-6)
    R = quaternion_to_matrix(torch.from_numpy(found["quaternion"])).numpy()
    seen = found["points_m"] @ R.transpose(0, 2, 1) + found["translation_m"][:, None]
    middle = boxes[:, None, :2] + boxes[:, None, 2:] / 2
    shown = found["focal_px"][:, None, None] * seen[..., :2] / seen[..., 2:] + middle - 0.5
    assert (seen[..., 2] > 0.3).all() and (found["focal_px"] > 0).all()
    np.testing.assert_allclose(shown, found["wire_xy"], atol=1e-2)


def test_states_say_what_is_likelier(predictor, rng):
    (found,) = predictor(
        rng.integers(0, 256, (300, 400, 3), np.uint8), np.array([[40.0, 50, 80, 60]] * 3) + np.eye(4)[:3]
    )
    for row, visible in zip(found["keypoint_state"], found["keypoint_visible"], strict=True):
        assert row == ["visible" if value >= 0.5 else "occluded" for value in visible]
    assert (found["keypoint_score"] > 0).all() and (found["keypoint_score"] <= 1).all()


def test_no_vehicle_is_no_result(predictor):
    (found,) = predictor(np.zeros((80, 90, 3), np.uint8), np.zeros((0, 4)))
    assert len(found) == 0 and set(SPEC.gives) <= set(found.columns)


def test_weights_without_graphs_give_what_heatmaps_read(tiny, tmp_path, rng):
    """The baseline: no pose, and the heatmaps' own places with their confidences as visibility."""
    settings = replace(tiny, graph=False, lift=False)
    write_weights(tmp_path / "b.safetensors", OcclusionNet(settings), SPEC.config(settings))
    (found,) = load(SPEC, tmp_path / "b.safetensors", "cpu")(rng.integers(0, 256, (160, 160, 3), np.uint8), BOX)
    assert isinstance(found, Instances)
    assert set(found.columns) == {"bbox_xywh", "keypoints_2d", "keypoint_visible", "keypoint_score", "keypoint_state"}
    np.testing.assert_array_equal(found["keypoint_visible"], found["keypoint_score"])


@pytest.mark.parametrize("box", [(30, 20, 2, 5), (-40, 10, 60, 120), (150, 150, 200, 40), (900, 900, 20, 50)])
def test_tiny_truncated_and_outside_boxes_give_finite_vehicles(predictor, rng, box):
    (found,) = predictor(rng.integers(0, 256, (160, 160, 3), np.uint8), np.array([box], float))
    assert all(np.isfinite(found[name]).all() for name in SPEC.gives if name != "keypoint_state")
    assert isinstance(predictor.network.settings, OcclusionNetSettings)
