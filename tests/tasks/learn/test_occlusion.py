"""The classifier's tasks: where crops go, the gate that is off, and the page as a user starts it."""

import dataclasses
import http.client
import json
import re
import signal
import subprocess

import pytest
from house import clean_environment
from waiting import PATIENCE_S

from models.labels.occlusion_csv import read_csv
from models.occlusion_classifier import SPEC
from tasks import mine
from tasks.learn.occlusion import LabelOcclusion
from tasks.learn.train import Train
from tasks.learn.training_data import task_of
from tasks.mine import MineUnoccluded

OcclusionCrops = task_of(SPEC)


def test_only_the_training_cameras_are_learnt_from(tmp_path):
    crops = Train(model="occlusion_classifier", data_root=str(tmp_path)).requires()
    assert [type(task) for task in crops] == [OcclusionCrops]
    assert [task.camera for task in crops[0].requires()] == ["cam03", "cam05"]
    assert [path.path.rsplit("/", 1)[1] for path in crops[0].output()] == ["cam03.parquet", "cam05.parquet"]


def test_other_settings_are_other_crops_in_another_folder(tmp_path):
    one, two = (OcclusionCrops(data_root=str(tmp_path), per_actor=n) for n in (30, 5))
    assert one.folder != two.folder == OcclusionCrops(data_root=str(tmp_path), per_actor=5).folder
    with pytest.raises(ValueError, match="per_actor: expected at least 1, got 0"):
        OcclusionCrops(data_root=str(tmp_path), per_actor=0).folder  # noqa: B018  read when it is needed


def test_where_the_classifier_is_asked_its_weights_count(house, monkeypatch):
    house.video()
    here = {"camera": "gate", "manifests": str(house.manifests), "data_root": str(house.data)}
    weights = house.folder / "weights.safetensors"
    monkeypatch.setattr(mine, "find", lambda name: dataclasses.replace(SPEC, weights=weights))
    off = MineUnoccluded(**here, min_unoccluded=0.0, min_unoccluded_person=0.0)
    assert "occlusion_classifier" not in off.depends_on()
    with pytest.raises(FileNotFoundError, match="make train MODEL=occlusion_classifier"):
        MineUnoccluded(**here)
    marks = []
    for content in (b"one", b"two"):
        weights.write_bytes(content)
        MineUnoccluded.clear_instance_cache()
        marks.append(MineUnoccluded(**here).fingerprint)
    assert len({*marks, off.fingerprint}) == 3


def test_there_is_always_more_to_label(house):
    house.video()
    assert not LabelOcclusion(camera="gate", manifests=str(house.manifests), data_root=str(house.data)).complete()


def test_a_user_labels_a_cameras_crops_and_ends_with_control_c(house):
    from street import CALIBRATION, write_street

    video = house.folder / "street.avi"
    write_street(video, seconds=8)
    source = {"kind": "video", "path": str(video), "start": "2025-06-03T08:00:00"}
    house.camera("street", source, calibration=CALIBRATION)
    command = house.command("LabelOcclusion", "--camera", "street", "--port", "0", "--count", "5")
    # A shell in the background ignores Ctrl-C for its children: not this one.
    process = subprocess.Popen(
        command, cwd=house.folder, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stdout is not None
    try:
        said = next(line for line in process.stdout if "label at" in line)
        place = re.search(r"http://(127\.0\.0\.1):(\d+)/", said)
        assert place, said
        line = http.client.HTTPConnection(place[1], int(place[2]), timeout=PATIENCE_S)
        line.request("GET", "/state")
        first = json.loads(line.getresponse().read())
        line = http.client.HTTPConnection(place[1], int(place[2]), timeout=PATIENCE_S)
        body = json.dumps({"detection_id": first["detection_id"], "label": "unoccluded"})
        line.request("POST", "/label", body, {"Content-Type": "application/json"})
        assert json.loads(line.getresponse().read())["done"] == 1
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "1 labels in" in out and "Traceback" not in err
    ((frame, *_), label), *others = read_csv(house.data / "street/occlusion_labels.csv").items()
    assert (frame, label, others) == (first["detection_id"] // 10000, "unoccluded", [])
