"""The fuzzing harness itself: inputs are a function of their number, and every way to misbehave is noticed."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.project import fuzz_child
from benchmarks.project.fuzz_child import Watch, judge, mutated
from benchmarks.project.fuzz_kinds import KINDS, Kind

HEAVY = {"weights", "checkpoint", "release"}  # torch loads for seconds


def kind_that(read, *, named=True):
    return Kind(".txt", lambda: [b"x"], read, named=named)


@pytest.fixture(scope="module")
def watch(tmp_path_factory):
    """An audit hook stays for the life of the process: one for all tests, off in between."""
    return Watch(tmp_path_factory.mktemp("inside"))


def raising(error):
    def read(path):
        raise error(path) if callable(error) and not isinstance(error, type) else error

    return read


@pytest.mark.parametrize(
    ("read", "found"),
    [
        (lambda path: None, ""),
        (raising(lambda path: ValueError(f"{path}: no number")), ""),
        (raising(lambda path: FileNotFoundError(f"{path}: gone")), ""),
        (raising(ValueError("no number")), "unnamed: ValueError"),
        (raising(lambda path: ValueError(f"{path}:\nno number")), "unnamed: ValueError"),
        (raising(KeyError("x")), "traceback: KeyError"),
        (raising(RecursionError()), "traceback: RecursionError"),
        (lambda path: os.system("true"), "touched: os.system"),
        (lambda path: (path.parent.parent / "elsewhere").write_text("x"), "touched: wrote /"),
        (lambda path: Path("/etc/passwd").read_text(), "touched: read /etc/passwd"),
    ],
)
def test_every_way_to_misbehave_is_noticed(watch, read, found):
    path = Path(watch.written) / "input.txt"
    path.write_text("x")
    assert judge(kind_that(read), path, watch).startswith(found) and (found or not judge(kind_that(read), path, watch))


def test_what_takes_too_long_is_a_hang(watch, monkeypatch):
    monkeypatch.setattr(fuzz_child, "HANG_S", 1)
    before = signal.signal(signal.SIGALRM, fuzz_child._rings)
    try:
        assert judge(kind_that(lambda path: time.sleep(30)), Path(watch.written) / "x", watch) == "hang: over 1 s"
    finally:
        signal.signal(signal.SIGALRM, before)


def test_an_input_is_a_function_of_its_number():
    examples, words = [b"a: 12", b"<x/>"], (b"nan",)
    one, other = ([mutated(examples, words, np.random.default_rng([3, n])) for n in range(40)] for _ in "ab")
    assert one == other and len(set(one)) > 30


@pytest.mark.parametrize("name", sorted(set(KINDS) - HEAVY))
def test_examples_and_some_mutations_of_each_kind_are_read_or_refused(watch, monkeypatch, name):
    kind, folder = KINDS[name], Path(watch.written)
    monkeypatch.chdir(folder)
    examples = kind.examples()
    path = folder / f"input{kind.ending}"
    for number in range(30):
        path.write_bytes(mutated(examples, kind.words, np.random.default_rng([1, number])) if number else examples[0])
        found = judge(kind, path, watch)
        assert not found or found.startswith("touched: read"), (number, found)
