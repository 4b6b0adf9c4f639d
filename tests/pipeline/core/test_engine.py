"""Shards are Python expressions here and the function is eval: it can be sent to a spawned process by name."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import until

from pipeline.core.engine import ENGINES, Outcome, ShardError, map_shards, register_engine

ME = "__import__('os').getpid()"
KILLED = f"__import__('os').kill({ME}, 9)"


@pytest.mark.parametrize("engine", ["serial", "process"])
def test_results_come_in_the_shards_order(engine):
    done = []
    shards = [f"{n} * {n}" for n in range(7)]
    assert map_shards(eval, shards, engine=engine, cpus=2, on_done=lambda n, of: done.append((n, of))) == [
        0, 1, 4, 9, 16, 25, 36,
    ]  # fmt: skip
    assert done == [(n, 7) for n in range(1, 8)]
    assert map_shards(eval, [], engine=engine) == []


def test_workers_are_other_processes_with_one_thread():
    threads = "__import__('os').environ['OMP_NUM_THREADS'] + str(__import__('cv2').getNumThreads())"
    assert map_shards(eval, [threads], cpus=1) == ["11"]
    assert map_shards(eval, [ME], cpus=1) != [os.getpid()]
    assert map_shards(eval, [ME] * 3, engine="serial") == [os.getpid()] * 3


@pytest.mark.parametrize("engine", ["serial", "process"])
def test_a_failed_shard_is_retried_and_the_others_finish(engine, tmp_path):
    flag = f"__import__('pathlib').Path({str(tmp_path / 'flag')!r})"
    once = f"'mended' if {flag}.exists() else ({flag}.touch(), 1 / 0)"
    assert map_shards(eval, ["1", once, "3"], engine=engine) == [1, "mended", 3]
    touch = f"__import__('pathlib').Path({str(tmp_path / 'late')!r}).touch()"
    with pytest.raises(ShardError, match="1 of 3 shards failed twice") as error:
        map_shards(eval, ["1 / 0", "2", touch], engine=engine)
    assert error.value.failures == {"1 / 0": "ZeroDivisionError: division by zero"}
    assert "eval" in error.value.trace or "division" in error.value.trace
    assert (tmp_path / "late").exists()


UNPICKLABLE = "(_ for _ in ()).throw(__import__('json').JSONDecodeError('bad', '', 0))"
NEVER_SENT = "(_ for _ in ()).throw(type('Own', (KeyError,), {})(lambda: 0))"


@pytest.mark.parametrize("engine", ["serial", "process"])
def test_what_kind_of_error_a_shard_failed_with_is_known_from_every_engine(engine):
    with pytest.raises(ShardError) as error:
        map_shards(eval, ["1", UNPICKLABLE, NEVER_SENT], engine=engine, cpus=2)
    assert error.value.any_is(json.JSONDecodeError) and error.value.any_is(ValueError)
    assert error.value.any_is(KeyError) and error.value.any_is(LookupError)
    assert not error.value.any_is(ZeroDivisionError) and not error.value.any_is(IndexError)
    assert error.value.kinds[UNPICKLABLE][0] == "json.decoder.JSONDecodeError"


def test_a_dead_worker_and_an_engine_that_tells_no_kind_are_of_none():
    with pytest.raises(ShardError) as error:
        map_shards(eval, [KILLED], cpus=1)
    assert not error.value.any_is(Exception)
    register_engine(
        "silent", lambda fn, shards, cpus: (Outcome(n, reason="too few cutouts") for n in range(len(shards)))
    )
    try:
        with pytest.raises(ShardError, match="too few cutouts") as error:
            map_shards(eval, ["1"], engine="silent")
    finally:
        del ENGINES["silent"]
    assert not error.value.any_is(ValueError)


def test_one_cause_is_said_once_with_the_names_it_hit():
    error = ShardError({"a": "disk full", "b": "disk full", "c": "bad"}, 9)
    many = ShardError({str(n): "bad" for n in range(8)}, 8)
    assert str(many) == "8 of 8 shards failed twice: 0, 1, 2, 3, 4 and 3 more: bad"
    assert str(error) == "3 of 9 shards failed twice, the others are done: a, b: disk full; c: bad"


def test_a_worker_that_dies_fails_its_own_shard_only():
    with pytest.raises(ShardError) as error:
        map_shards(eval, ["1", KILLED, "2", "3"], cpus=2)
    assert list(error.value.failures) == [KILLED]
    assert "worker process died with exit code -9" in str(error.value)


def test_a_worker_that_dies_names_what_it_was_at():
    shard = f"__import__('pipeline.core.engine').core.engine.at('frame 7 (/street/b.jpg)') or {KILLED}"
    with pytest.raises(ShardError, match=r"exit code -9, as when memory runs out, at frame 7 \(/street/b\.jpg\)"):
        map_shards(eval, [shard, "1"], cpus=1)


def test_a_result_that_cannot_be_pickled_is_a_failure_with_a_reason():
    with pytest.raises(ShardError, match="cannot be sent back"):
        map_shards(eval, ["lambda: 0"])


def test_engines_are_named():
    with pytest.raises(ValueError, match="expected one of process, serial, got 'cluster'"):
        map_shards(eval, ["1"], engine="cluster")
    register_engine("cluster", ENGINES["serial"])
    try:
        assert map_shards(eval, ["1"], engine="cluster") == [1]
    finally:
        del ENGINES["cluster"]


def test_workers_die_with_a_killed_parent(tmp_path):
    script = tmp_path / "job.py"
    pids = tmp_path / "pid"
    work = f"__import__('pathlib').Path({str(pids)!r}).write_text(str({ME})) and __import__('time').sleep(1000)"
    script.write_text(
        f"from pipeline.core.engine import map_shards\nif __name__ == '__main__':\n    map_shards(eval, [{work!r}])\n"
    )
    parent = subprocess.Popen([sys.executable, script], env=os.environ | {"PYTHONPATH": str(Path.cwd())})
    until(lambda: pids.exists() and pids.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until(lambda: not _alive(int(pids.read_text())))


def _alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # it may end between opening and reading
        return False
    return state != "Z"
