import json

import cv2
import numpy as np
import pytest

from models.checkpoints import write_weights
from models.occlusion_net.network import NetworkSettings, OcclusionNet, config_of
from models.occlusion_net.predict import LINKS, drawn, load, main, predict

SETTINGS = NetworkSettings(width=8, hidden=16)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """An untrained network's file."""
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    write_weights(path, OcclusionNet(SETTINGS), config_of(SETTINGS))
    return path


@pytest.fixture
def picture(tmp_path, rng):
    """A picture of noise."""
    path = tmp_path / "street.png"
    cv2.imwrite(str(path), rng.integers(0, 256, (120, 200, 3), np.uint8))
    return path


def test_vehicle_moves_with_its_box_and_grows_with_it(weights, rng):
    image = rng.integers(0, 256, (160, 160, 3), np.uint8)
    network, canvas = load(weights), np.zeros((400, 400, 3), np.uint8)
    canvas[100:260, 200:360] = image
    box = np.array([[40.0, 50, 80, 60]])
    here, there = predict(network, [image], box), predict(network, [canvas], box + [200, 100, 0, 0])
    np.testing.assert_allclose(there.xy, here.xy + [200, 100], atol=1e-3)
    np.testing.assert_allclose(there.points, here.points, atol=1e-4)
    assert here.xy.shape == here.wire_xy.shape == (1, 12, 2) and (here.focal_px > 0).all()


def test_no_vehicle_is_no_result(weights):
    found = predict(load(weights), [], np.zeros((0, 4)))
    assert found.xy.shape == (0, 12, 2) and found.focal_px.shape == (0,)
    image = np.full((20, 30, 3), 9, np.uint8)
    assert np.array_equal(drawn(image, found), image)


def test_links_join_every_keypoint_and_are_mirror_symmetric():
    assert {k for link in LINKS for k in link} == set(range(12))
    links = {frozenset(link) for link in LINKS}
    assert {frozenset((a ^ 1, b ^ 1)) for a, b in LINKS} == links and len(links) == 18


def test_box_of_a_picture_gives_a_picture_and_json(weights, picture, tmp_path):
    out = tmp_path / "out"
    options = ["--box", "20", "10", "100", "80", "--weights", str(weights), "--out", str(out)]
    assert main([str(picture), *options]) == 0
    (found,) = json.loads((out / "keypoints.json").read_text())
    (vehicle,) = found["vehicles"]
    assert found["image"] == "street.png" and len(vehicle["keypoints"]) == 12
    assert {k["state"] for k in vehicle["keypoints"].values()} <= {"visible", "occluded"}
    assert np.isclose(np.linalg.norm(vehicle["camera"]["quaternion"]), 1, atol=1e-3)
    overlay = cv2.imread(str(out / "street_keypoints.jpg"))
    assert overlay.shape == (120, 200, 3) and (overlay != cv2.imread(str(picture))).any()


def test_coco_detections_and_a_frame_without_vehicles(weights, picture, tmp_path):
    (other := tmp_path / "empty.png").write_bytes(picture.read_bytes())
    box = [20, 10, 100, 80]
    polygon = [20, 10, 120, 10, 120, 90, 20, 90]
    coco = {
        "images": [{"id": 1, "file_name": "street.png"}, {"id": 2, "file_name": "empty.png"}],
        "categories": [{"id": 3, "name": "car"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": box, "segmentation": [polygon]}],
    }
    (file := tmp_path / "coco.json").write_text(json.dumps(coco))
    options = ["--detector", "coco", "--file", str(file), "--weights", str(weights), "--out", str(tmp_path / "o")]
    assert main([str(picture), str(other), *options]) == 0
    first, second = json.loads((tmp_path / "o" / "keypoints.json").read_text())
    np.testing.assert_allclose(first["vehicles"][0]["box_xywh"], box, atol=1)
    assert second["vehicles"] == [] and (tmp_path / "o" / "empty_keypoints.jpg").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "expected pictures or --job"),
        (["nothing.png", "--box", "0", "0", "9", "9"], "nothing.png: cannot be read as a picture"),
        (["--job", "nowhere"], "nowhere: holds no detections"),
        (["PICTURE", "--detector", "coco", "--file", "none.json"], "none.json"),
        (["PICTURE", "--box", "0", "0", "0", "9"], "positive w h"),
    ],
)
def test_what_cannot_be_read_is_one_line(options, message, weights, picture, capsys, tmp_path):
    given = [str(picture) if option == "PICTURE" else option for option in options]
    assert main([*given, "--weights", str(weights), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_weights_without_graphs_are_refused(tmp_path):
    settings = NetworkSettings(width=8, graph=False, lift=False)
    write_weights(tmp_path / "b.safetensors", OcclusionNet(settings), config_of(settings))
    with pytest.raises(ValueError, match="expected weights with both graphs"):
        load(tmp_path / "b.safetensors")
