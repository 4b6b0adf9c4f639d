"""What the README says is true: its examples run on the shards of a real job, its links and commands exist."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import cv2
import pandas as pd
import pytest
from luigi.task_register import Register

import tasks  # noqa: F401  registers every task
from benchmarks.common.job import QUICK_SITE
from benchmarks.composition.composition_truth import measure as composition
from benchmarks.mining.mining_truth import measure as mining
from benchmarks.people.people_truth import measure as people

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
DOCUMENTS = ["README.md", "CONTRIBUTING.md"]
DOCUMENTS += [str(p.relative_to(ROOT)) for p in [*ROOT.glob("docs/*.md"), *ROOT.glob("models/*/card.md")]]


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """The small simulated camera's folder after its main job, in a data root of its own."""
    root = tmp_path_factory.mktemp("readme") / "data"
    root.mkdir()
    return QUICK_SITE.job(root)


def test_the_worked_examples_run_as_they_stand(job):
    (job.parent / "cam07").symlink_to(job)
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
    ended = subprocess.run([sys.executable, "-c", code], cwd=job.parent.parent, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    objects = pd.read_parquet(job / "clipart" / "objects")
    printed = [int(line.split()[-1]) for line in ended.stdout.splitlines() if line.startswith("(")]
    assert sum(printed) == len(objects)
    assert cv2.imread(str(job.parent.parent / "hidden_most.png")) is not None
    assert "mean_depth_m" in ended.stdout


def test_what_the_job_made_agrees_with_exact_truth(job):
    """Loose limits on a few seconds of film: the benchmarks hold the real cameras to the real ones."""
    rows = {row["category"]: row for row in mining(job)}
    assert rows["all"]["cutouts"] >= 15 and rows["all"]["precision"] > 0.6 and rows["all"]["median_iou"] > 0.6
    scenes = composition(job, "walt3d")
    assert scenes["pairs"] > 20 and scenes["order_right"] > 0.9
    assert scenes["crossing_in_10000"] < 20 and scenes["worst_crossing"] < 0.3
    camera, plane = QUICK_SITE.calibrated(job.parent)
    bodies = {row["method"]: row for row in people(job, camera, plane, None)}
    refined, someone = bodies["refined"], bodies["mean pose"]
    assert refined["fitted"] > 0.8 and refined["position_error"] < 0.04
    assert refined["mpjpe_mm"] < someone["mpjpe_mm"] and refined["pa_mpjpe_mm"] < someone["pa_mpjpe_mm"]


def test_a_finished_job_is_not_done_again(job):
    before = {p: p.stat().st_mtime_ns for p in job.rglob("*.parquet")}
    QUICK_SITE.job(job.parent)
    assert {p: p.stat().st_mtime_ns for p in job.rglob("*.parquet")} == before


def test_calibration_can_be_looked_at(job):
    QUICK_SITE.demand("ShowCalibration", job.parent)
    assert cv2.imread(str(job / "calibration.png")) is not None


def test_files_and_commands_that_the_readme_names_exist():
    for link in re.findall(r"\]\(((?!http)[^)]+)\)", README):
        path, _, heading = link.partition("#")
        assert (ROOT / path).exists(), link
        assert not heading or heading in anchors((ROOT / (path or "README.md")).read_text()), link
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert f"\n{target}:" in MAKEFILE, target


@pytest.mark.parametrize("path", DOCUMENTS)
def test_modules_targets_and_tasks_that_a_document_names_exist(path):
    text = " ".join((ROOT / path).read_text().split())
    for module in re.findall(r"-m ((?:tasks|models|pipeline|benchmarks)(?:\.[a-z]\w*)+)", text):
        assert exists(module), module
    for name in re.findall(r"`((?:tasks|models|pipeline|calibration)(?:\.(?!png|csv|yaml)\w+)+)", text):
        module, _, attribute = name.rpartition(".")
        assert exists(name) or hasattr(importlib.import_module(module), attribute), name
    for target in re.findall(r"`make ([a-z][a-z0-9-]*)", text):
        assert f"\n{target}:" in MAKEFILE, target
    for task in re.findall(r"--module tasks ([A-Z]\w+)", text):
        assert task in Register.task_names(), task


def anchors(text):
    """What links to a page's headings are made of."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def exists(module):
    """Whether there is a module of this name."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def test_the_flow_names_the_stages_as_their_folders():
    shown = " ".join(re.findall(r">([^<>]+)<", (ROOT / "docs" / "flow.svg").read_text()))
    method = README.split("## How it works")[1].split("\n## ")[0]
    rooms = {path.stem for path in (ROOT / "pipeline").iterdir() if path.stem[0] != "_"} - {"core", "simulate"}
    assert {room for room in rooms if room not in shown} == set()
    assert {room for room in rooms if room not in method} == set()
