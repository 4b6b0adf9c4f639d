from dataclasses import replace

import numpy as np
import pytest
import torch

from calibration.camera import Camera, edge_to_pixel
from models import hmr
from models.checkpoints import write_weights
from models.crops import crop_from_camera
from models.geometry import exp_so3
from models.hmr.evaluate import measure
from models.hmr.network import HumanMeshNetwork, config_of
from models.hmr.window import windows_of

CAMERA = Camera(np.array([[900.0, 0, 320], [0, 900, 240], [0, 0, 1]]), (480, 640))


@pytest.fixture(scope="module")
def regressor(small):
    torch.manual_seed(0)
    return hmr.Regressor(HumanMeshNetwork(small))


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)


def test_people_come_out_in_the_order_of_the_boxes(regressor, image):
    boxes = np.array([[20 * i, 100, 30, 90.0] for i in range(40)])
    found = regressor.predict([image] * 40, boxes, CAMERA)
    assert found.theta.shape == (40, 24, 3) and found.theta.dtype == np.float64
    one = regressor.predict([image], boxes[33:34], CAMERA)
    np.testing.assert_allclose(found.theta[33], one.theta[0], atol=1e-4)


def test_the_orientation_is_turned_into_the_camera(regressor, image):
    """The same crop elsewhere in the picture is seen under another angle; all else is the same."""
    boxes = np.array([[305.0, 195, 30, 90], [560, 340, 30, 90]])
    shifted = np.roll(image, (145, 255), axis=(0, 1))
    found = regressor.predict([image, shifted], boxes, CAMERA)
    np.testing.assert_allclose(found.theta[0, 1:], found.theta[1, 1:], atol=1e-5)
    R = crop_from_camera(CAMERA.rays(edge_to_pixel(windows_of(boxes)[:, :2])))
    turned = [R[i] @ exp_so3(torch.from_numpy(found.theta[i, 0])).numpy() for i in range(2)]
    np.testing.assert_allclose(turned[0], turned[1], atol=1e-5)
    assert np.abs(found.theta[0, 0] - found.theta[1, 0]).max() > 0.1


def test_where_people_face_is_told_in_the_cameras_frame(regressor, image):
    """The untrained network stays turned as it is told, wherever the crop lies; an unknown one is as if not told."""
    boxes = np.array([[305.0, 195, 30, 90], [560, 340, 30, 90], [305.0, 195, 30, 90]])
    facing = np.array([[0.8, 0.0, 0.6], [0.8, 0.0, 0.6], [np.nan] * 3])
    found = regressor.predict([image] * 3, boxes, CAMERA, 2 * facing)
    forward = exp_so3(torch.from_numpy(found.theta[:2, 0])).numpy()[:, :, 2]
    np.testing.assert_allclose(forward, facing[:2], atol=0.2)
    np.testing.assert_allclose(found.theta[2], regressor.predict([image], boxes[2:], CAMERA).theta[0], atol=1e-5)


def test_keypoints_lie_in_the_windows_and_are_unknown_to_networks_without_heatmaps(regressor, image, small):
    boxes = np.array([[305.0, 195, 30, 90], [560, 340, 30, 90]])
    found = regressor.predict([image] * 2, boxes, CAMERA)
    windows = windows_of(boxes)
    assert (np.abs(found.keypoints + 0.5 - windows[:, None, :2]) <= windows[:, None, 2:] / 2).all()
    assert (found.score > 0).all() and (found.score <= 1).all()
    plain = replace(small, weights=replace(small.weights, heatmaps=0.0))
    assert not hmr.Regressor(HumanMeshNetwork(plain)).predict([image] * 2, boxes, CAMERA).score.any()


@pytest.mark.parametrize("box", [(300, 200, 2, 5), (-40, 100, 60, 120), (630, 470, 200, 400), (900, 900, 20, 50)])
def test_tiny_cut_off_and_outside_boxes_give_finite_people(regressor, image, box):
    found = regressor.predict([image], np.array([box], float), CAMERA)
    assert all(np.isfinite(v).all() for v in (found.theta, found.beta, found.keypoints))


def test_no_box_no_people_and_a_missing_image_is_told(regressor, image):
    assert regressor.predict([], np.zeros((0, 4)), CAMERA).theta.shape == (0, 24, 3)
    with pytest.raises(ValueError, match="expected one image for each of 2 boxes, got 1"):
        regressor.predict([image], np.ones((2, 4)), CAMERA)
    with pytest.raises(ValueError, match=r"image 0: expected \(H, W, 3\) uint8 BGR"):
        regressor.predict([image[..., 0]], np.ones((1, 4)), CAMERA)


def test_weights_are_read_back_and_others_refused_in_one_line(tmp_path, small):
    path, network = tmp_path / "w.safetensors", HumanMeshNetwork(small)
    write_weights(path, network, config_of(small))
    hmr.check_weights(path)
    assert hmr.load(path, "cpu").network.settings == small
    config = config_of(small)
    config["network"]["backbone"]["dim"] = 96
    write_weights(path, network, config)
    with pytest.raises(ValueError, match="weights of another architecture") as told:
        hmr.load(path, "cpu")
    assert "\n" not in str(told.value)


def test_files_that_are_no_weights_are_told(tmp_path):
    with pytest.raises(ValueError, match="no such weights file"):
        hmr.check_weights(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a safetensors file"):
        hmr.check_weights(tmp_path / "bad.safetensors")


@pytest.mark.skipif(not hmr.WEIGHTS.exists(), reason="no trained weights beside the code")
def test_the_shipped_network_reads_people_it_never_saw(people_folder):
    """Better where it is told where they face; no body and no motion of these crops was trained on."""
    assert hmr.WEIGHTS.stat().st_size <= 10e6
    hmr.check_weights(hmr.WEIGHTS)
    found = measure(hmr.load_default("cpu").network, people_folder, 160)
    assert found["all"]["pck"] > 0.7
    assert found["facing told"]["orientation_deg"] < min(25, found["not told"]["orientation_deg"])
