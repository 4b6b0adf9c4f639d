import json
import subprocess
import sys

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from corners import CORNERS
from footage import grey, write_video
from mm_scene import scene, train_by_heart, write_config

import models
from data_manifest import load_camera
from models import contract
from pipeline.core import masks
from pipeline.core.instances import Instance, Instances
from pipeline.core.tables import DETECTIONS, FRAMES
from tasks.predict.command import main
from tasks.predict.inputs import frames_of
from tasks.predict.overlay import visualise


@pytest.fixture(autouse=True)
def corners(monkeypatch):
    """The network of box corners stands beside those that there are."""
    known = {**contract.specs(), "corners": CORNERS}
    monkeypatch.setattr(contract, "specs", lambda: known)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def picture(tmp_path, rng):
    """A picture of noise."""
    path = tmp_path / "street.png"
    cv2.imwrite(str(path), rng.integers(0, 256, (120, 200, 3), np.uint8))
    return path


def predictions(out):
    return json.loads((out / "predictions.json").read_text())


def boxes(picture):
    return [one["bbox_xywh"] for one in picture["objects"]]


def coco(path, images, annotations):
    """A COCO dataset with vehicles (3) and people (1) as boxes."""
    rows = []
    for number, (image, category, (x, y, w, h)) in enumerate(annotations, start=1):
        polygon = [x, y, x + w, y, x + w, y + h, x, y + h]
        rows.append({"id": number, "image_id": image, "category_id": category, "segmentation": [polygon]})
    names = [{"id": number, "file_name": name} for number, name in images.items()]
    categories = [{"id": 3, "name": "car"}, {"id": 1, "name": "person"}]
    path.write_text(json.dumps({"images": names, "categories": categories, "annotations": rows}))
    return path


def test_box_of_a_picture_gives_a_picture_and_json(picture, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["corners", str(picture), "--box", "20", "10", "100", "80", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"read 1, predicted 1 objects, left out 0; in {out}\n"
    found = predictions(out)
    assert found["model"] == "corners" and found["keypoints"] == list(CORNERS.skeleton.names)
    (only,) = found["pictures"]
    assert only["image"] == "street.png" and only["size_hw"] == [120, 200]
    (one,) = only["objects"]
    assert one["bbox_xywh"] == [20, 10, 100, 80] and one["keypoints_2d"][3] == [120, 90]
    assert one["keypoint_state"] == ["visible", "visible", "occluded", "occluded"] and one["far_m"] is None
    assert one["level"] == pytest.approx(cv2.imread(str(picture))[10:90, 20:120].mean(), abs=1e-4)
    shown, large = cv2.imread(str(out / only["picture"])), cv2.resize(cv2.imread(str(picture)), (1000, 600))
    assert shown.shape[1] == 1000 and shown.shape[0] > 600  # a small picture is enlarged, and has a strip below
    assert np.abs(shown[:600].astype(int) - large).max() > 60


def test_coco_detections_a_frame_without_vehicles_and_one_with_a_person(picture, tmp_path, capsys):
    (other := tmp_path / "empty.png").write_bytes(picture.read_bytes())
    (third := tmp_path / "third.png").write_bytes(picture.read_bytes())
    file = coco(
        tmp_path / "coco.json",
        {1: "street.png", 2: "empty.png", 3: "third.png"},
        [(1, 3, (20, 10, 100, 80)), (3, 1, (5, 5, 10, 30)), (3, 3, (50, 40, 30, 20))],
    )
    asked = ["--detector", "coco", "--file", str(file), "--out", str(tmp_path / "o")]
    assert main(["corners", str(picture), str(other), str(third), *asked]) == 0
    assert "read 3, predicted 2 objects, passed over 1 of other categories, left out 0" in capsys.readouterr().out
    first, second, last = predictions(tmp_path / "o")["pictures"]
    np.testing.assert_allclose(boxes(first), [[20, 10, 100, 80]], atol=1)
    np.testing.assert_allclose(boxes(last), [[50, 40, 30, 20]], atol=1)
    assert last["objects"][0]["category"] == "vehicle" and last["objects"][0]["score"] == 1
    assert second["objects"] == [] and (tmp_path / "o" / second["picture"]).is_file()


def test_what_cannot_be_read_is_left_out_with_its_reason(picture, tmp_path, capsys):
    (folder := tmp_path / "mixed").mkdir()
    whole = cv2.imencode(".jpg", cv2.imread(str(picture)))[1].tobytes()
    (folder / "a.jpg").write_bytes(whole)
    (folder / "b.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "c.txt").write_text("no picture")
    (folder / "d.mp4").write_bytes(b"no video")
    (folder / ".hidden.jpg").write_bytes(b"")
    write_video(folder / "e.avi", 5)
    asked = ["--box", "2", "2", "30", "20", "--every", "2", "--out", str(tmp_path / "out")]
    assert main(["corners", str(folder), str(tmp_path / "gone.png"), *asked]) == 0
    told = capsys.readouterr()
    assert "read 4, predicted 4 objects, left out 4 because: " in told.out and told.out.count("\n") == 1
    for name in (
        "b.jpg: cannot be read as a picture",
        "c.txt: cannot be read as a picture",
        "d.mp4: ",
        "gone.png: no such file",
    ):
        assert f"left out {name}" in told.err
    assert told.err.count("\n") == 4
    found = {one["image"]: one["objects"][0]["level"] for one in predictions(tmp_path / "out")["pictures"]}
    assert list(found) == ["a.jpg", "e_000000.png", "e_000002.png", "e_000004.png"]
    for number in (0, 2, 4):
        assert found[f"e_{number:06d}.png"] == pytest.approx(grey(number)[2:22, 2:32].mean(), abs=4)


def test_where_nothing_can_be_read_it_fails_and_leaves_no_json(tmp_path, capsys):
    (tmp_path / "a.png").write_text("no picture")
    assert main(["corners", str(tmp_path / "a.png"), "--box", "1", "1", "9", "9", "--out", str(tmp_path / "out")]) == 1
    assert "predict: read 0, predicted 0 objects, left out 1 because: cannot be read" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*")) and not list((tmp_path / "out").glob(".*"))


def test_one_frame_that_fails_leaves_the_others(picture, tmp_path, capsys):
    (other := tmp_path / "wide.png").write_bytes(picture.read_bytes())
    files = {1: "street.png", 2: "wide.png"}
    file = coco(tmp_path / "coco.json", files, [(1, 3, (20, 10, 100, 80)), (2, 3, (5, 5, 180, 50))])
    asked = ["--detector", "coco", "--file", str(file), "--out", str(tmp_path / "o")]
    assert main(["corners", str(other), str(picture), *asked]) == 0
    told = capsys.readouterr()
    assert "read 1, predicted 1 objects, left out 1 because: a vehicle wider than a street (1)" in told.out
    assert "left out wide.png: a vehicle wider than a street" in told.err
    assert [one["image"] for one in predictions(tmp_path / "o")["pictures"]] == ["street.png"]


def test_pictures_of_one_name_do_not_overwrite_each_other(picture, tmp_path):
    (tmp_path / "a").mkdir()
    black = tmp_path / "a" / "street.png"
    cv2.imwrite(str(black), np.zeros((120, 200, 3), np.uint8))
    asked = ["--box", "20", "10", "30", "30", "--out", str(tmp_path / "out")]
    assert main(["corners", str(picture), str(black), *asked]) == 0
    first, second = predictions(tmp_path / "out")["pictures"]
    assert (first["picture"], second["picture"]) == ("street.jpg", "street-2.jpg")
    assert second["objects"][0]["level"] == 0 < first["objects"][0]["level"]
    assert (
        cv2.imread(str(tmp_path / "out/street-2.jpg")).mean() < 10 < cv2.imread(str(tmp_path / "out/street.jpg")).mean()
    )


@pytest.fixture
def job(tmp_path, rng):
    """A camera's folder of four frames: two vehicles and a person, nothing, an unreadable one, and a vehicle in the
    other shard."""
    pictures = rng.integers(0, 256, (3, 120, 200, 3), np.uint8)
    (folder := tmp_path / "corner").mkdir()
    for name in ("frames", "detections"):
        (folder / name).mkdir()
    frames = []
    for i, frame in zip((4, 5, 8), pictures, strict=True):
        cv2.imwrite(str(folder / "frames" / f"{i}.png"), frame)
        row = {"frame_id": i, "source": f"frames/{i}.png", "position": -1, "width": 200, "height": 120, "status": "ok"}
        frames.append(dict.fromkeys(FRAMES.names) | row)
    frames.insert(2, frames[0] | {"frame_id": 6, "source": "frames/6.png", "status": "corrupt JPEG"})
    pq.write_table(pa.Table.from_pylist(frames, schema=FRAMES), folder / "frames" / "index.parquet")
    found = [(4, "vehicle", [10, 20, 90, 60]), (4, "person", [5, 5, 20, 50]), (4, "vehicle", [110, 30, 80, 70])]
    for part, rows in enumerate((found, [(8, "vehicle", [30.0, 10, 100, 90])])):
        rows = [{"frame_id": i, "category": kind, "bbox_xywh": box, "score": 0.5} for i, kind, box in rows]
        rows = [dict.fromkeys(DETECTIONS.names) | row for row in rows]
        table = pa.Table.from_pylist(rows, schema=DETECTIONS)
        pq.write_table(table, folder / "detections" / f"part-{part:05d}.parquet")
    return folder, dict(zip((4, 5, 8), pictures, strict=True))


def test_a_jobs_vehicles_are_found_in_its_frames(job, tmp_path, capsys):
    folder, pictures = job
    assert main(["corners", "--job", str(folder), "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr()
    assert (
        "read 3, predicted 3 objects, passed over 1 of other categories, left out 1 because: corrupt JPEG (1)"
        in told.out
    )
    found = {one["image"]: one for one in predictions(tmp_path / "out")["pictures"]}
    assert {name: boxes(one) for name, one in found.items()} == {
        "frame000004.png": [[10, 20, 90, 60], [110, 30, 80, 70]],
        "frame000005.png": [],
        "frame000008.png": [[30, 10, 100, 90]],
    }
    level = found["frame000008.png"]["objects"][0]["level"]
    assert level == pytest.approx(pictures[8][10:100, 30:130].mean(), abs=1e-4)
    assert len(list((tmp_path / "out").glob("frame*.jpg"))) == 3


def test_chosen_frames_of_a_job_and_an_unknown_one(job, tmp_path, capsys):
    asked = ["corners", "--job", str(job[0]), "--out", str(tmp_path / "out")]
    assert main([*asked, "--frames", "8,5"]) == 0
    found = predictions(tmp_path / "out")["pictures"]
    assert [one["image"] for one in found] == ["frame000005.png", "frame000008.png"]
    capsys.readouterr()
    for frames, message in {"4,7": "no frame 7; frames are 4 to 8", "4,x": "--frames: expected numbers"}.items():
        assert main([*asked, "--frames", frames]) == 1
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1


def test_a_network_that_compares_with_the_background_gets_the_jobs(tmp_path):
    """The matting network on a job, on the same pictures by name, and without the background."""
    rng = np.random.default_rng(3)
    street = np.clip(rng.normal(120, 3, (120, 160, 1)).repeat(3, 2), 0, 255).astype(np.uint8)
    whole = np.zeros((120, 160), bool)
    whole[30:90, 60:80] = True
    rough = cv2.dilate(whole.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    image = np.where(whole[..., None], np.array([60, 50, 150], np.uint8), street)
    (folder := tmp_path / "kerb").mkdir()
    for name in ("frames", "detections", "background"):
        (folder / name).mkdir()
    cv2.imwrite(str(folder / "frames/0.png"), image)
    cv2.imwrite(str(folder / "background/08.png"), street)
    row = {"frame_id": 0, "source": "frames/0.png", "position": -1, "status": "ok", "bucket": "08"}
    frames = pa.Table.from_pylist([dict.fromkeys(FRAMES.names) | row], schema=FRAMES)
    pq.write_table(frames, folder / "frames/index.parquet")
    rle = masks.encode(rough, (0, 0), rough.shape)
    row = {"frame_id": 0, "category": "person", "score": 0.9, "bbox_xywh": [58.0, 28, 24, 64], "mask_rle": rle}
    found = pa.Table.from_pylist([dict.fromkeys(DETECTIONS.names) | row], schema=DETECTIONS)
    pq.write_table(found, folder / "detections/part-00000.parquet")
    assert main(["matting", "--job", str(folder), "--out", str(tmp_path / "out")]) == 0
    (one,) = predictions(tmp_path / "out")["pictures"][0]["objects"]
    exact = masks.full(one["mask_visible_rle"], whole.shape)
    overlaps = [(mask & whole).sum() / (mask | whole).sum() for mask in (exact, rough)]
    assert overlaps[0] > max(0.9, overlaps[1])
    known = Instances(whole.shape, {"bbox_xywh": [[58, 28, 24, 64]], "mask_rle": [rle]})
    (direct,) = models.load("matting")(image, detect=lambda image: known, background=street)
    assert direct["mask_visible_rle"] == [one["mask_visible_rle"]]


def test_mmdet_finds_the_vehicles_and_is_built_once(tmp_path, monkeypatch):
    from models.mm import segmenter

    config, built = write_config(tmp_path), []
    torch.save({"state_dict": train_by_heart(config, 60).state_dict(), "meta": {}}, tmp_path / "small.pth")
    begin = segmenter.MmdetDetector.__init__
    monkeypatch.setattr(segmenter.MmdetDetector, "__init__", lambda *given: built.append(given) or begin(*given))
    image = scene()[0]
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    detector = ["--detector", "mmdet", "--config", str(config), "--checkpoint", str(tmp_path / "small.pth")]
    pictures = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    assert main(["corners", *pictures, *detector, "--mmdet-device", "cpu", "--out", str(tmp_path / "out")]) == 0
    first, second = predictions(tmp_path / "out")["pictures"]
    assert first["objects"] == second["objects"] and len(built) == 1
    own = segmenter.MmdetDetector(segmenter.MmdetSettings(config=str(config), checkpoint=str(tmp_path / "small.pth")))
    found = [list(one.box_xywh) for one in own(image, "", 0) if one.category == "vehicle"]
    assert found == boxes(first) != []


def test_without_mmdet_it_says_how_to_install_it(picture, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("models.mm.find_spec", lambda name: None)
    asked = ["--detector", "mmdet", "--config", "a.py", "--checkpoint", "a.pth"]
    assert main(["corners", str(picture), *asked]) == 1
    assert capsys.readouterr().err == "predict: mmdet is not installed; run `make setup-mm`\n"


def test_boxes_of_another_programs_poses_are_taken_and_it_says_that_the_poses_are_not(picture, tmp_path, capsys):
    rows = [
        {"file_name": name, "bbox": [20, 10, 100, 80], "keypoints": [30, 20, 1.0] * 17, "score": score}
        for name, score in ((picture.name, 0.5), (picture.name, 0.25), ("other.png", 1.0))
    ]
    (file := tmp_path / "poses.json").write_text(json.dumps(rows))
    assert main(["corners", str(picture), "--poses", str(file), "--out", str(tmp_path / "out")]) == 0
    assert "these weights of corners find poses anew: of --poses only boxes are used" in capsys.readouterr().err
    (found,) = json.loads((tmp_path / "out" / "predictions.json").read_text())["pictures"]
    assert [(one["bbox_xywh"], one["score"]) for one in found["objects"]] == [
        ([20, 10, 100, 80], 0.5),
        ([20, 10, 100, 80], 0.25),
    ]
    assert main(["corners", str(picture), "--box", "20", "10", "100", "80", "--out", str(tmp_path / "one")]) == 0
    (alone,) = json.loads((tmp_path / "one" / "predictions.json").read_text())["pictures"]
    assert alone["objects"][0]["keypoints_2d"] == found["objects"][0]["keypoints_2d"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "expected pictures or --job"),
        (["PICTURE"], "expected one of --box, --detector, --poses and --job"),
        (["PICTURE", "--detector", "mmdet"], "no weights at"),
        (["PICTURE", "--detector", "mmdet", "--config", "no.py", "--checkpoint", "no.pth"], "'no.py': no such file"),
        (["PICTURE", "--detector", "coco", "--file", "WALT"], "run a camera's job with it"),
        (["PICTURE", "--detector", "motion"], "run a camera's job with it"),
        (["PICTURE", "--detector", "radar"], "expected one of coco, mmdet, motion, onnx, walt3d, got 'radar'"),
        (["PICTURE", "a.mp4", "--detector", "coco", "--file", "WALT"], "expected pictures, or one video"),
        (["PICTURE", "--detector", "coco", "--file", "none.json"], "none.json"),
        (["PICTURE", "--detector", "coco", "--file", "WALT", "--box", "0", "0", "9", "9"], "expected one of --box"),
        (["--job", "nowhere"], "nowhere: holds no detections"),
        (["--job", "nowhere", "--box", "0", "0", "9", "9"], "--box, --poses, --camera and --detector go with pictures"),
        (["PICTURE", "--box", "0", "0", "9", "9", "--frames", "3"], "--frames with --job"),
        (["PICTURE", "--box", "0", "0", "0", "9"], "positive w h"),
        (["PICTURE", "--box", "0", "0", "9", "9", "--device", "toaster"], "expected auto, cpu or cuda, got 'toaster'"),
        (["PICTURE", "--box", "0", "0", "9", "9", "--every", "0"], "--every: expected at least 1, got 0"),
        (["PICTURE", "--box", "0", "0", "9", "9", "--background", "none.png"], "none.png: no such file"),
        (
            ["PICTURE", "--detector", "coco", "--file", "WALT", "--class", "car"],
            "--class goes with --box; got it without",
        ),
        (
            ["PICTURE", "--box", "0", "0", "9", "9", "--detector-weights", "a"],
            "--detector-weights goes with --detector",
        ),
        (["PICTURE", "--poses", "none.json"], "none.json"),
        (["PICTURE", "--poses", "WALT"], "walt.json: expected a JSON list of image_id, bbox and keypoints"),
        (["PICTURE", "--poses", "WALT", "--detector", "motion"], "expected one of --box, --detector, --poses"),
        (["PICTURE", "--detector", "dpad", "--detector-weights", "none.safetensors"], "none.safetensors"),
    ],
)
def test_what_is_asked_wrongly_is_one_line(options, message, picture, capsys, tmp_path):
    walt = {"label_id": 1, "time": "2021-05-01 10:00", "bbox": "{1,2,9,9,1}", "segmentation": "{1,2,9,2,9,9}"}
    (file := tmp_path / "walt.json").write_text(json.dumps([walt]))
    places = {"PICTURE": str(picture), "WALT": str(file)}
    given = [places.get(option, option) for option in options]
    assert main(["corners", *given, "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing", "."], "got 'nothing'; try `make predict MODEL=occlusion_net"),
        ([], "network: expected one of detector,"),
        (["detector", "a.png"], "predict: a.png: no such file; expected pictures, folders of them or videos"),
        (["detector", "."], "no weights ship with detector"),
        (["detector", ".", "--detector", "coco"], "detector finds objects itself; expected no --detector"),
        (["detector", ".", "--weights", "none.pth"], "none.pth"),
    ],
)
def test_networks_are_told_apart(arguments, message, capsys):
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_the_detectors_settings_are_listed(capsys):
    with pytest.raises(SystemExit):
        main(["corners", "--detector", "coco", "--help"])
    told = capsys.readouterr().out
    assert "settings of --detector coco" in told and "--person-names" in told
    with pytest.raises(SystemExit):
        main(["corners", "a.png", "--detector", "coco", "--scale", "wide"])
    assert "--scale: expected a finite number, got 'wide'" in capsys.readouterr().err


def test_the_module_is_a_command():
    done = subprocess.run([sys.executable, "-m", "tasks.predict", "nothing"], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("predict: network: expected one of") and not done.stdout


def test_what_is_drawn_lies_where_it_was_found():
    """A disc for a visible keypoint, a ring for an occluded one, a box and a mask's outline; elsewhere the picture."""
    image = np.full((100, 160, 3), 120, np.uint8)
    mask = np.zeros((100, 160), bool)
    mask[60:90, 100:140] = True
    found = Instances(
        (100, 160),
        {
            "bbox_xywh": [[10, 10, 60, 40]],
            "keypoints_2d": [[[20.0, 20], [60, 20], [20, 40], [-9e9, np.nan]]],
            "keypoint_state": [["visible", "occluded", "visible", "truncated"]],
            "mask_rle": [masks.encode(mask, (0, 0), mask.shape)],
        },
    )
    picture = visualise(image, found)
    changed = (picture != image).any(axis=2)
    assert (image == 120).all() and changed[20, 20] and not changed[20, 60] and changed[16:25, 56:65].any()
    assert changed[10, 30] and changed[60, 120] and not changed[75, 120] and not changed[95:, :].any()
    assert np.array_equal(visualise(image, Instances((100, 160), {})), image)


def test_detections_become_columns():
    crop = np.ones((4, 6), bool)
    one, two = Instance("person", 0.25, crop, (3, 5)), Instance("vehicle", 0.75, crop.T, (0, 0))
    found = Instances.detected((20, 30), [one, two])
    assert found["category"] == ["person", "vehicle"] and found["score"].tolist() == [0.25, 0.75]
    assert found["bbox_xywh"].tolist() == [[3, 5, 6, 4], [0, 0, 4, 6]]
    assert (
        masks.full(found["mask_rle"][0], (20, 30))[5:9, 3:9].all() and masks.area(found["mask_rle"][0], (20, 30)) == 24
    )
    none = Instances.detected((20, 30), [])
    assert len(none) == 0 and none["bbox_xywh"].shape == (0, 4)


def test_pictures_get_the_calibration_of_the_camera_that_is_named(picture, tmp_path, capsys):
    (read,) = frames_of([picture], calibrated=load_camera("cam07").calibrated)
    assert read.frame.camera.size_hw == (120, 200) and read.frame.plane.d == pytest.approx(8.5)
    (unknown,) = frames_of([picture])
    assert unknown.frame.camera is None and unknown.frame.plane is None
    asked = ["corners", str(picture), "--box", "20", "10", "80", "40", "--out", str(tmp_path / "out")]
    assert main([*asked, "--camera", "nowhere"]) == 1
    assert "nowhere" in capsys.readouterr().err
