"""People of boxes, in the camera of their picture."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import models
from calibration.camera import Camera, edge_to_pixel
from models.body_model import load_body
from models.checkpoints import write_weights
from models.crops import PERSON_ASPECT, crop_from_camera, squares_of
from models.frames import Frame
from models.geometry import exp_so3
from models.hmr import SPEC, check_weights
from models.hmr.evaluate import measure
from models.hmr.network import MeshNetwork
from models.predictor import Predictor
from models.synthetic.people_shards import read_people
from pipeline.core.instances import Instances

CAMERA = Camera(np.array([[900.0, 0, 320], [0, 900, 240], [0, 0, 1]]), (480, 640))
PAIR = np.array([[305.0, 195, 30, 90], [560, 340, 30, 90]])


def untrained(settings):
    torch.manual_seed(0)
    return Predictor(SPEC, MeshNetwork(settings))


@pytest.fixture(scope="module")
def predictor(small):
    return untrained(small)


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)


def middles(boxes):
    return boxes[:, :2] + boxes[:, 2:] / 2


def matrices(found):
    return exp_so3(torch.from_numpy(found["smpl_theta"].reshape(-1, 24, 3))).numpy()


def test_people_come_out_in_the_order_of_the_boxes(predictor, image):
    boxes = np.array([[20 * i, 100, 30, 90.0] for i in range(30)])
    (found,) = predictor(image, boxes, camera=CAMERA)
    assert found["smpl_theta"].shape == (30, 72) and found["smpl_theta"].dtype == np.float64
    (one,) = predictor(image, boxes[23:24], camera=CAMERA)
    for name in SPEC.gives:
        np.testing.assert_allclose(found[name][23], one[name][0], atol=1e-3)


def test_the_orientation_is_turned_into_the_camera(predictor, image):
    """The same crop elsewhere in the picture is seen under another angle; all else is the same."""
    shifted = np.roll(image, (145, 255), axis=(0, 1))
    here, there = predictor([image, shifted], [PAIR[:1], PAIR[1:]], camera=CAMERA)
    np.testing.assert_allclose(here["smpl_theta"][0, 3:], there["smpl_theta"][0, 3:], atol=1e-5)
    R = crop_from_camera(CAMERA.rays(edge_to_pixel(middles(PAIR))))
    turned = [R[i] @ matrices(found)[0, 0] for i, found in enumerate((here, there))]
    np.testing.assert_allclose(turned[0], turned[1], atol=1e-5)
    assert np.abs(here["smpl_theta"][0, :3] - there["smpl_theta"][0, :3]).max() > 0.1


def test_where_people_face_is_known_in_the_cameras_frame(predictor, image):
    """The untrained network stays turned as they face, wherever the crop lies; NaN is as if there were no column."""
    boxes, facing = PAIR[[0, 1, 0]], np.array([[0.8, 0.0, 0.6], [0.8, 0.0, 0.6], [np.nan] * 3])
    objects = Instances(CAMERA.size_hw, {"bbox_xywh": boxes, "facing_cam": 2 * facing})
    (found,) = predictor(Frame(image, objects, camera=CAMERA))
    np.testing.assert_allclose(matrices(found)[:2, 0, :, 2], facing[:2], atol=0.2)
    (unknown,) = predictor(image, boxes[2:], camera=CAMERA)
    np.testing.assert_allclose(found["smpl_theta"][2], unknown["smpl_theta"][0], atol=1e-5)
    assert np.abs(matrices(unknown)[0, 0, :, 2] - facing[0]).max() > 0.4


def test_keypoints_lie_in_the_crops_and_are_unknown_to_networks_without_heatmaps(predictor, image, small):
    (found,) = predictor(image, PAIR, camera=CAMERA)
    side = squares_of(PAIR, PERSON_ASPECT)[:, None, 2:]
    assert (np.abs(found["keypoints_2d"] + 0.5 - middles(PAIR)[:, None]) <= side / 2).all()
    assert (found["keypoint_score"] > 0).all() and (found["keypoint_score"] <= 1).all()
    (blind,) = untrained(replace(small, weights=replace(small.weights, heatmaps=0.0)))(image, PAIR, camera=CAMERA)
    assert not blind["keypoint_score"].any()


def test_the_body_stands_where_it_is_seen(image, small):
    """Of a network without heatmaps keypoints_2d are the body's own in the crop: where its joints project."""
    predictor = untrained(replace(small, weights=replace(small.weights, heatmaps=0.0)))
    boxes = np.vstack([PAIR, [[5.0, 10, 40, 120]]])
    wide = Camera(np.array([[400.0, 0, 320], [0, 400, 240], [0, 0, 1]]), (480, 640))
    for camera in (CAMERA, wide, None):
        (found,) = predictor(image, boxes, camera=camera)
        focal = 5000 / 256 * 640
        shown = camera or Camera(np.array([[focal, 0, 319.5], [0, focal, 239.5], [0, 0, 1]]), (480, 640))
        off = np.linalg.norm(shown.project(found["keypoints_3d"]) - found["keypoints_2d"], axis=-1)
        # A weak camera knows no perspective; a wide one squeezes what is off its axis.
        assert (off.max(axis=1) < (0.12 if camera is wide else 0.04) * boxes[:, 3]).all()
        theta, beta, transl = (torch.from_numpy(found[n]) for n in ("smpl_theta", "smpl_beta", "smpl_transl"))
        _, keypoints = load_body().joints_only(theta.unflatten(1, (24, 3)), beta, transl)
        np.testing.assert_allclose(keypoints.numpy(), found["keypoints_3d"], atol=1e-4)


@pytest.mark.parametrize("box", [(300, 200, 2, 5), (-40, 100, 60, 120), (630, 470, 200, 400), (900, 900, 20, 50)])
def test_tiny_truncated_and_outside_boxes_give_finite_people(predictor, image, box):
    (found,) = predictor(image, np.array([box], float), camera=CAMERA)
    assert all(np.isfinite(found[name]).all() for name in SPEC.gives)


def test_a_body_that_was_predicted_with_can_be_fitted(image, small):
    """Prediction runs where torch records no gradients, and leaves no trace of that on the body that fits share."""
    load_body.cache_clear()
    untrained(small)(image, PAIR)
    body, theta = load_body(), torch.zeros(1, 24, 3, requires_grad=True)
    body.joints_only(theta, torch.zeros(1, 10))[0].sum().backward()
    assert theta.grad.abs().sum() > 0


def test_weights_are_read_back_and_others_refused_in_one_line(tmp_path, small):
    path, network = tmp_path / "w.safetensors", MeshNetwork(small)
    write_weights(path, network, SPEC.config(small))
    check_weights(path)
    assert models.load("hmr", path, "cpu").network.settings == small
    other = replace(small, backbone=replace(small.backbone, dim=96))
    write_weights(path, network, SPEC.config(other))
    with pytest.raises(ValueError, match="weights of another architecture") as raised:
        models.load("hmr", path, "cpu")
    assert "\n" not in str(raised.value)


def test_files_that_are_no_weights_are_told(tmp_path):
    with pytest.raises(ValueError, match="no such weights file"):
        check_weights(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a safetensors file"):
        check_weights(tmp_path / "bad.safetensors")


@pytest.mark.skipif(not SPEC.weights.exists(), reason="no trained weights beside the code")
def test_the_shipped_network_reads_people_it_never_saw(people_folder):
    """Better where it knows where they face; no body and no motion of these crops was trained on."""
    assert SPEC.weights.stat().st_size <= 10e6
    check_weights(SPEC.weights)
    found = measure(models.load("hmr", device="cpu").network, read_people(people_folder, "val"), 160)
    assert found["all"]["pck"] > 0.7
    assert found["facing known"]["orientation_deg"] < min(25, found["not known"]["orientation_deg"])
