"""Who holds a lock is named: machine, process and command; what a killed process left names nobody."""

import json
import os
import signal
import subprocess
import sys

import pytest
from waiting import until

from tasks.common.locks import Held, holders, lock, reading, shared_lock

HOLD = """
import sys, time
from pathlib import Path
from tasks.common.locks import shared_lock
sys.argv = ["/usr/bin/luigi", "Train", "--camera", "gate"]
with shared_lock(Path({path!r})):
    Path({said!r}).touch()
    time.sleep(1000)
"""


@pytest.fixture
def reader(tmp_path):
    """(lock, process) of another process that reads."""
    path, said = tmp_path / ".stages" / "clipart.use.lock", tmp_path / "holds"
    process = subprocess.Popen([sys.executable, "-c", HOLD.format(path=str(path), said=str(said))])
    until(said.exists)
    yield path, process
    process.kill()
    process.wait()


def test_who_reads_is_named_to_who_would_remove(reader):
    path, process = reader
    with (
        pytest.raises(Held, match=rf"held by process {process.pid} on \S+ \(luigi Train --camera gate\) since 20"),
        lock(path),
    ):
        pass
    with shared_lock(path):
        assert f"process {process.pid}" in holders(path) and str(os.getpid()) not in holders(path)


def test_a_killed_reader_holds_nothing_and_is_forgotten(reader):
    path, process = reader
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list((path.parent / "holders").iterdir())
    assert holders(path) == ""
    with lock(path):
        assert [json.loads(one.read_text())["pid"] for one in (path.parent / "holders").iterdir()] == [os.getpid()]
    assert not list((path.parent / "holders").iterdir())


def test_another_machines_reader_is_told_from_this_ones(tmp_path):
    path = tmp_path / ".stages" / "a.lock"
    with reading(tmp_path, ["a"]):
        said = {"host": "box2", "pid": os.getpid(), "command": "luigi Train", "since": "2025-06-03 07:00:00"}
        (path.parent / "holders" / "a.box2.1.0.json").write_text(json.dumps(said))
        assert holders(path) == f"process {os.getpid()} on box2 (luigi Train) since 2025-06-03 07:00:00"
