import json

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from mm_scene import scene, train_by_heart, write_config
from models.occlusion_net.predict import load, main, predict

from models.checkpoints import write_weights
from models.occlusion_net.network import OcclusionNet, OcclusionNetSettings, config_of
from pipeline.core.tables import DETECTIONS, FRAMES

SETTINGS = OcclusionNetSettings(width=8, hidden=16)


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


def test_box_of_a_picture_gives_a_picture_and_json(weights, picture, tmp_path):
    out = tmp_path / "out"
    options = ["--box", "20", "10", "100", "80", "--weights", str(weights), "--out", str(out)]
    assert main([str(picture), *options]) == 0
    (found,) = json.loads((out / "keypoints.json").read_text())
    (vehicle,) = found["vehicles"]
    assert found["image"] == "street.png" and len(vehicle["keypoints"]) == 12
    assert {k["state"] for k in vehicle["keypoints"].values()} <= {"visible", "occluded"}
    assert np.isclose(np.linalg.norm(vehicle["camera"]["quaternion"]), 1, atol=1e-3)
    assert cv2.imread(str(out / "street_keypoints.jpg")).shape[1] == 5 * 200  # a small picture is enlarged


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


@pytest.fixture
def job(tmp_path, rng):
    """A camera's folder of three frames: two vehicles and a person, nothing, and a vehicle in the other shard."""
    pictures = rng.integers(0, 256, (3, 120, 200, 3), np.uint8)
    (folder := tmp_path / "cam07").mkdir()
    for name in ("frames", "detections"):
        (folder / name).mkdir()
    frames = []
    for i, frame in zip((4, 5, 8), pictures, strict=True):
        cv2.imwrite(str(folder / "frames" / f"{i}.png"), frame)
        row = {"frame_id": i, "source": f"frames/{i}.png", "position": -1, "width": 200, "height": 120, "status": "ok"}
        frames.append(dict.fromkeys(FRAMES.names) | row)
    pq.write_table(pa.Table.from_pylist(frames, schema=FRAMES), folder / "frames" / "index.parquet")
    found = [(4, "vehicle", [10, 20, 90, 60]), (4, "person", [5, 5, 20, 50]), (4, "vehicle", [110, 30, 80, 70])]
    for part, rows in enumerate((found, [(8, "vehicle", [30.0, 10, 100, 90])])):
        rows = [{"frame_id": i, "category": kind, "bbox_xywh": box} for i, kind, box in rows]
        rows = [dict.fromkeys(DETECTIONS.names) | row for row in rows]
        table = pa.Table.from_pylist(rows, schema=DETECTIONS)
        pq.write_table(table, folder / "detections" / f"part-{part:05d}.parquet")
    return folder, dict(zip((4, 5, 8), pictures, strict=True))


def test_a_jobs_vehicles_are_found_in_its_frames(job, weights, tmp_path, capsys):
    folder, pictures = job
    options = ["--job", str(folder), "--weights", str(weights), "--out", str(tmp_path / "out")]
    assert main(options) == 0
    assert "3 vehicles in 3 pictures" in capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "keypoints.json").read_text())
    boxes = {picture["image"]: [vehicle["box_xywh"] for vehicle in picture["vehicles"]] for picture in found}
    assert boxes == {
        "frame000004.png": [[10, 20, 90, 60], [110, 30, 80, 70]],
        "frame000005.png": [],
        "frame000008.png": [[30, 10, 100, 90]],
    }
    right = predict(load(weights), [pictures[8]], np.array([[30.0, 10, 100, 90]]))
    keypoints = found[2]["vehicles"][0]["keypoints"].values()
    np.testing.assert_allclose([k["xy"] for k in keypoints], right.xy[0], atol=0.006)
    np.testing.assert_allclose([k["visible"] for k in keypoints], right.visible[0], atol=1e-4)
    assert len(list((tmp_path / "out").glob("frame*_keypoints.jpg"))) == 3


def test_chosen_frames_of_a_job_and_an_unknown_one(job, weights, tmp_path, capsys):
    options = ["--job", str(job[0]), "--weights", str(weights), "--out", str(tmp_path / "out")]
    assert main([*options, "--frames", "8,5"]) == 0
    found = json.loads((tmp_path / "out" / "keypoints.json").read_text())
    assert [picture["image"] for picture in found] == ["frame000005.png", "frame000008.png"]
    capsys.readouterr()
    for frames, message in {"4,7": "no frame 7; frames are 4 to 8", "4,x": "--frames: expected numbers"}.items():
        assert main([*options, "--frames", frames]) == 1
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1


def test_mmdet_finds_the_vehicles_and_is_built_once(weights, tmp_path, monkeypatch):
    from pipeline.detection import mmdet

    config, built = write_config(tmp_path), []
    torch.save({"state_dict": train_by_heart(config, 60).state_dict(), "meta": {}}, tmp_path / "small.pth")
    begin = mmdet.MmdetDetector.__init__
    monkeypatch.setattr(mmdet.MmdetDetector, "__init__", lambda *given: built.append(given) or begin(*given))
    image = scene()[0]
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    detector = ["--detector", "mmdet", "--config", str(config), "--checkpoint", str(tmp_path / "small.pth")]
    pictures = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    assert main([*pictures, *detector, "--weights", str(weights), "--out", str(tmp_path / "out")]) == 0
    first, second = json.loads((tmp_path / "out" / "keypoints.json").read_text())
    assert first["vehicles"] == second["vehicles"] and len(built) == 1
    own = mmdet.MmdetDetector(mmdet.MmdetSettings(config=str(config), checkpoint=str(tmp_path / "small.pth")))
    boxes = [list(one.box_xywh) for one in own(image, "", 0) if one.category == "vehicle"]
    assert boxes == [vehicle["box_xywh"] for vehicle in first["vehicles"]] != []


def test_without_mmdet_it_says_how_to_install_it(weights, picture, monkeypatch, capsys):
    monkeypatch.setattr("models.mm.find_spec", lambda name: None)
    assert main([str(picture), "--detector", "mmdet", "--weights", str(weights)]) == 1
    assert capsys.readouterr().err == "predict: mmdet is not installed; run `make setup-mm`\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "expected pictures or --job"),
        (["PICTURE", "a/street.png", "--box", "0", "0", "9", "9"], "expected pictures of different names"),
        (["PICTURE", "--detector", "mmdet"], "checkpoint: expected the path of a .pth"),
        (["PICTURE", "--detector", "mmdet", "--config", "no.py", "--checkpoint", "no.pth"], "'no.py': no such file"),
        (["PICTURE", "--detector", "coco", "--file", "WALT"], "run a camera's job with it"),
        (["nothing.png", "--box", "0", "0", "9", "9"], "nothing.png: cannot be read as a picture"),
        (["--job", "nowhere"], "nowhere: holds no detections"),
        (["--job", "nowhere", "--box", "0", "0", "9", "9"], "--box goes with pictures"),
        (["PICTURE", "--frames", "3"], "--frames with --job"),
        (["PICTURE", "--detector", "coco", "--file", "none.json"], "none.json"),
        (["PICTURE", "--box", "0", "0", "0", "9"], "positive w h"),
    ],
)
def test_what_cannot_be_read_is_one_line(options, message, weights, picture, capsys, tmp_path):
    walt = {"label_id": 1, "time": "2021-05-01 10:00", "bbox": "{1,2,9,9,1}", "segmentation": "{1,2,9,2,9,9}"}
    (file := tmp_path / "walt.json").write_text(json.dumps([walt]))
    places = {"PICTURE": str(picture), "WALT": str(file)}
    given = [places.get(option, option) for option in options]
    assert main([*given, "--weights", str(weights), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_weights_without_graphs_are_refused(tmp_path):
    settings = OcclusionNetSettings(width=8, graph=False, lift=False)
    write_weights(tmp_path / "b.safetensors", OcclusionNet(settings), config_of(settings))
    with pytest.raises(ValueError, match="expected weights with both graphs"):
        load(tmp_path / "b.safetensors")
