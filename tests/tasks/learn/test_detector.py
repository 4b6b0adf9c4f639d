"""A detector's tasks as a user runs them, on drawn streets with COCO labels."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from house import clean_environment
from rendered_streets import write_coco

from models.contract import Given
from tasks.compose import GenerateClipArt
from tasks.learn.detector import EvaluateDetector, TrainDetector
from tasks.learn.evaluate import Evaluate
from tasks.learn.train import Train

LUIGI = Path(sys.executable).with_name("luigi")


def line(*options, data):
    command = [str(LUIGI), "--module", "tasks", *options]
    environment = {**clean_environment(), "WALT3D_DATA": str(data)}
    return subprocess.run(command, env=environment, cwd=data, capture_output=True, text=True, timeout=300)


def test_it_learns_from_the_cameras_clip_art(house):
    house.video()
    here = {"camera": "gate", "manifests": str(house.manifests), "data_root": str(house.data)}
    for train, evaluate, model in ((Train, Evaluate, {"model": "detector"}), (TrainDetector, EvaluateDetector, {})):
        (needed,) = train(**here, **model).requires()
        assert type(needed) is GenerateClipArt and needed.camera == "gate"
        assert train(**here, **model).given() == Given(shards=house.data / "gate" / "clipart")
        assert train(**here, **model, masks="amodal").given().masks == "amodal"
        assert train(**here, **model).folder == house.data / "runs" / "detector-gate-tiny"
        run, data = evaluate(**here, **model, preset="base").requires()
        assert type(run) is Train and run.folder == house.data / "runs" / "detector-gate-base"
        assert type(data) is GenerateClipArt


def test_from_labels_to_a_table_and_a_line_for_the_manifest(tmp_path):
    labels = write_coco(tmp_path / "frames", 20)
    asked = ("--labels", str(labels), "--run-name", "mine", "--steps", "2")
    ended = line("Evaluate", "--model", "detector", *asked, data=tmp_path)
    assert ended.returncode == 0, ended.stderr
    run = tmp_path / "runs" / "mine"
    assert f"detector: {{backend: mmdet, config: {run}/detector.py, checkpoint: {run}/weights.pth}}" in ended.stdout
    assert "AP50" in ended.stdout
    rows = json.loads((run / "evaluation.json").read_text())
    assert rows[0]["objects of"] == "all" and rows[0]["count"] == 4
    assert {path.name for path in run.iterdir()} >= {"config.json", "metrics.json", "tensorboard", "weights.pth"}
    again = line("EvaluateDetector", *asked, data=tmp_path)
    assert again.returncode == 0 and "Train detector" not in again.stderr
    assert again.stdout.count("hidden") == ended.stdout.count("hidden") > 0  # the table is shown each time


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--preset", "huge"), "detector: expected --preset of tiny, base, got 'huge'"),
        (("--masks", "both"), "both"),
        (("--labels", "nowhere.json"), "nowhere.json: no such file; expected a COCO dataset"),
    ],
)
def test_wrong_options_are_told_in_one_line(tmp_path, options, message):
    ended = line("TrainDetector", *options, data=tmp_path)
    assert ended.returncode != 0
    told = [text for text in ended.stderr.splitlines() if message in text]
    assert len(told) >= 1 and "Traceback" not in ended.stderr, ended.stderr
