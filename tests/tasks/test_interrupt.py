"""Ctrl-C as a terminal sends it, to the whole process group, at several moments, locally and behind a luigid."""

import json
import os
import signal
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from house import clean_environment
from schedulers import luigid
from waiting import until

from tasks.common.interrupt import SAID

MOMENTS = {
    "the libraries load": lambda house: True,
    "frames are looked at": lambda house: (house.data / "gate/.stages/IngestFrames.json").exists(),
    "objects are detected": lambda house: list((house.data / "gate/detections").glob("part-*.parquet")),
}


def interrupted(house, moment, *options, engine="process", by=signal.SIGINT):
    """The exit code and the lines of stderr of a job that is interrupted at a moment."""
    command = house.command("TrackObjects", "--camera", "gate", "--cpus", "2", *options, engine=engine)
    process = subprocess.Popen(
        command,
        cwd=house.folder,
        env=clean_environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )
    if moment == "the libraries load":
        # Python itself and the first module of the project have to be there.
        until(lambda: "numpy" in Path(f"/proc/{process.pid}/maps").read_text() or process.poll() is not None)
    until(lambda: MOMENTS[moment](house) or process.poll() is not None)
    os.killpg(process.pid, by)
    _, said = process.communicate(timeout=60)
    return process.returncode, said.splitlines()


def only_line(lines):
    """Beside what the stages said, only the one line."""
    return [line for line in lines if line.strip() and not line.startswith("gate ")] == [SAID]


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interruption_is_one_line_and_the_next_run_goes_on(house, moment):
    house.video(count=260)
    code, lines = interrupted(house, moment)
    assert code == 130 and only_line(lines), lines
    kept = {p: p.stat().st_mtime_ns for p in (house.data / "gate").rglob("part-*.parquet")}
    code, _, lines = house.luigi("TrackObjects", "--camera", "gate")
    assert code == 0, lines
    assert {p: p.stat().st_mtime_ns for p in kept} == kept
    assert not list(house.data.rglob("*.part"))


def test_a_luigid_is_told_and_the_next_run_goes_on(house):
    house.video(count=260)
    with luigid(house.folder) as address:
        scheduler = "--scheduler-url", f"http://{address}"
        code, lines = interrupted(house, "objects are detected", *scheduler)
        assert code == 130 and only_line(lines), lines
        assert _tasks(address, "RUNNING") == set() and _tasks(address, "FAILED") == {"DetectObjects"}
        code, _, lines = house.luigi("TrackObjects", "--camera", "gate", *scheduler)
        assert code == 0, lines
        assert "TrackObjects" in _tasks(address, "DONE") and _tasks(address, "FAILED") == set()


def test_a_batch_systems_end_is_one_line_too(house):
    house.video(count=260)
    code, lines = interrupted(house, "objects are detected", engine="serial", by=signal.SIGTERM)
    assert code == 143 and only_line(lines), lines


def test_a_run_that_another_one_stands_before_is_told_so(house):
    """After kill -9 luigid believes for a minute that the killed run works on."""
    house.video(count=260)
    with luigid(house.folder) as address:
        scheduler = "--scheduler-url", f"http://{address}"
        code, _ = interrupted(house, "objects are detected", *scheduler, by=signal.SIGKILL)
        assert code == -9
        code, _, lines = house.luigi("TrackObjects", "--camera", "gate", *scheduler)
        assert code == 10
        (line,) = [line for line in lines if "another run" in line]
        assert "DetectObjects" in line and "run again" in line


def _tasks(address, status):
    query = urllib.parse.urlencode({"data": json.dumps({"status": status, "upstream_status": ""})})
    with urllib.request.urlopen(f"http://{address}/api/task_list?{query}") as answer:
        return {task["name"] for task in json.load(answer)["response"].values()}
