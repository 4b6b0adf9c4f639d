"""What luigi does not say by itself: tasks, settings with their defaults, what a run would do and why."""

import re
import subprocess

import pytest

import tasks
from tasks.common.camera_task import CameraTask
from tasks.common.overall import Overall


def test_tasks_are_listed_with_a_line_each(house):
    code, out, _ = house.luigi("Help")
    listed = re.findall(r"^  (\w+) +\S.*\.$", out, re.M)
    assert code == 0 and set(tasks.__all__) <= set(listed)
    camera = listed[: listed.index("GenerateClipArt") + 1]
    assert camera[:2] == ["IngestFrames", "MedianBackground"] and not {"Stage", "CameraTask"} & set(listed)
    assert camera.index("TrackObjects") < camera.index("EmptyStreet") < camera.index("MineUnoccluded")


def test_no_task_is_an_error_that_lists_them(house):
    done = subprocess.run(house.command()[:3], capture_output=True, text=True, cwd=house.folder)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.splitlines()[-1].startswith("error: no task is named") and "GenerateClipArt" in done.stderr


@pytest.mark.parametrize("family", ["IngestFrames", "EmptyStreet", "DetectObjects", "GenerateClipArt", "Train"])
def test_help_shows_every_setting_once_with_its_default(house, family):
    code, out, _ = house.luigi(family, "--help")
    flags = re.findall(r"^  (--[\w-]+).*\(.+\)$", out, re.M)
    params = dict(getattr(tasks, family).get_params())
    assert code == 0 and len(flags) == len(set(flags))
    assert set(flags) == {f"--{name.replace('_', '-')}" for name in params}
    assert ("in a camera's manifest" in out) == issubclass(getattr(tasks, family), CameraTask)
    assert "Choices" not in out
    if family == "IngestFrames":
        assert "--max-gap-s X  (2.0)" in out and "--camera VALUE  (needed)" in out
    if family == "EmptyStreet":
        assert (
            "one of mmdet, onnx, walt3d: who looks at the backgrounds" in " ".join(out.split())
            and "--motion" not in out
        )


def test_a_dry_run_says_what_and_why_and_makes_nothing(house):
    house.video()
    line = "DetectObjects", "--camera", "gate", "--dry-run"
    code, out, _ = house.luigi(*line)
    assert code == 0 and not house.data.exists()
    assert out.splitlines() == [
        "IngestFrames: would run: it was never made",
        "MedianBackground: would run: it was never made (after IngestFrames)",
        "DetectObjects: would run: it was never made (after MedianBackground)",
    ]
    assert house.luigi("MedianBackground", "--camera", "gate")[0] == 0
    assert house.luigi(*line)[1].splitlines()[:2] == ["IngestFrames: is done", "MedianBackground: is done"]
    changed = (*line, "--MedianBackground-max-frames", "7")
    said = house.luigi(*changed)[1].splitlines()
    assert said[1:] == [
        "MedianBackground: would stop: it is of other settings: MedianBackground max_frames: found 0, asked for 7",
        "DetectObjects: would not be reached: MedianBackground stops the run",
    ]
    said = house.luigi(*changed, "--redo")[1].splitlines()
    assert said[1].startswith("MedianBackground: would run again: it is of other settings")
    (path := next((house.data / "gate/median").glob("*.png"))).unlink()
    assert f"would go on: 1 of its files are damaged ({path.name}: gone)" in house.luigi(*line)[1]


def test_a_run_says_its_plan_and_how_far_it_is(house):
    house.video()
    code, _, lines = house.luigi("DetectObjects", "--camera", "gate")
    assert code == 0
    assert lines[0] == "gate plan: 3 stages to make: IngestFrames, MedianBackground, DetectObjects"
    told = [line for line in lines if "stages, about" in line]
    assert re.search(r"gate IngestFrames: 40 frames \(\d+ s; 1 of 3 stages, about \d+ (s|min) left\)", told[0])
    assert len(told) == 2 and re.search(r"gate DetectObjects: .* \(\d+ s\)$", lines[-1])


class _Named:
    def __init__(self, name):
        self.task_id = self.task_family = name


def test_what_is_left_is_told_by_what_was_taken():
    run = Overall([_Named("a"), _Named("b"), _Named("c")])
    assert run.plan() == "3 stages to make: a, b, c"
    assert run.made(_Named("a"), 120) == "1 of 3 stages, about 4 min left"
    assert run.made(_Named("b"), 20) == "2 of 3 stages, about 70 s left"
    assert run.made(_Named("c"), 5) == "" and Overall([_Named("a")]).plan() == ""
