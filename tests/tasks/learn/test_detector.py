"""A detector's tasks as a user runs them, on drawn streets with COCO labels."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from drawn_streets import write_coco
from house import clean_environment

from tasks.compose import GenerateClipArt
from tasks.learn.detector import EvaluateDetector, TrainDetector

LUIGI = Path(sys.executable).with_name("luigi")


def line(*options, data):
    command = [str(LUIGI), "--module", "tasks", *options]
    environment = {**clean_environment(), "WALT3D_DATA": str(data)}
    return subprocess.run(command, env=environment, cwd=data, capture_output=True, text=True, timeout=300)


def test_it_learns_from_the_cameras_clip_art(house):
    house.video()
    here = {"camera": "gate", "manifests": str(house.manifests), "data_root": str(house.data)}
    (needed,) = TrainDetector(**here).requires()
    assert type(needed) is GenerateClipArt and needed.camera == "gate"
    assert TrainDetector(**here).source == {"shards": str(house.data / "gate" / "clipart"), "masks": "visible"}
    assert TrainDetector(**here).folder == house.data / "runs" / "detector-gate-tiny"
    assert EvaluateDetector(**here, preset="base").requires().folder == house.data / "runs" / "detector-gate-base"


def test_from_labels_to_a_table_and_a_line_for_the_manifest(tmp_path):
    labels = write_coco(tmp_path / "frames", 20)
    asked = ("--labels", str(labels), "--run-name", "mine", "--steps", "2")
    ended = line("EvaluateDetector", *asked, data=tmp_path)
    assert ended.returncode == 0, ended.stderr
    run = tmp_path / "runs" / "mine"
    assert f"detector: {{backend: mmdet, config: {run}/detector.py, checkpoint: {run}/weights.pth}}" in ended.stdout
    assert "AP50" in ended.stdout
    rows = json.loads((run / "evaluation.json").read_text())
    assert rows[0]["objects of"] == "all" and rows[0]["count"] == 4
    assert {path.name for path in run.iterdir()} >= {"config.json", "metrics.json", "tensorboard", "weights.pth"}
    again = line("EvaluateDetector", *asked, data=tmp_path)
    assert again.returncode == 0 and "TrainDetector" not in again.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--preset", "huge"), "TrainDetector: expected --preset of tiny, base, got 'huge'"),
        (("--masks", "both"), "both"),
        (("--labels", "nowhere.json"), "nowhere.json: no such file; expected a COCO dataset"),
    ],
)
def test_wrong_options_are_told_in_one_line(tmp_path, options, message):
    ended = line("TrainDetector", *options, data=tmp_path)
    assert ended.returncode != 0
    told = [text for text in ended.stderr.splitlines() if message in text]
    assert len(told) >= 1 and "Traceback" not in ended.stderr, ended.stderr
