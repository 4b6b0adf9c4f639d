"""Would the tests notice? Small known faults, one at a time in a copy of the tree, and the tests that must fail.

    python -m benchmarks.mutants [--check] [--quick] [--only NAME]

Without a fault the copy passes all of these tests; with it the faulty module still imports. A fault is caught where a
test of its file fails, and by nothing else: a test that is gone, an import that breaks and a run without an end do not
count. The faults are in benchmarks/project/faults.py.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.common.report import HERE, Bar, Report, main
from benchmarks.project.faults import FAULTS, Fault
from benchmarks.project.tree import ROOTS

LEAST = 20
_LONGEST_S = 600.0  # a busy machine takes ten times as long as a free one
_PASSED, _FAILED, _ELSEWHERE, _NO_IMPORT = 0, 1, 20, 21  # pytest's own exit codes end at 5
_MEANING = {_PASSED: "survived", _FAILED: "caught", _NO_IMPORT: "does not import"}
# Imports come first and apart, so that a module that does not import is not taken for a failing test.
_RUN = f"""
import importlib, sys, traceback
from pathlib import Path
root, names, *options = sys.argv[1:]
try:
    found = [Path(importlib.import_module(name).__file__) for name in names.split(",")]
except BaseException:
    traceback.print_exc()
    sys.exit({_NO_IMPORT})
if strange := [path for path in found if not path.is_relative_to(root)]:
    print("not of the copy:", *strange)
    sys.exit({_ELSEWHERE})
import pytest
sys.exit(int(pytest.main(options)))
"""


def copied(root: Path, to: Path) -> Path:
    """The tree's code, tests and configuration in an empty folder."""
    unwanted = shutil.ignore_patterns("__pycache__", "out", ".*")
    for name in (*ROOTS, "tests"):
        if (root / name).is_dir():
            shutil.copytree(root / name, to / name, ignore=unwanted)
    for path in root.iterdir():
        if path.is_file():
            shutil.copy2(path, to)
    return to.resolve()


@contextmanager
def patched(tree: Path, fault: Fault) -> Iterator[None]:
    """The tree with a fault for as long as the block lasts. Raises ValueError as `Fault.applied`."""
    path = tree / fault.path
    before = path.read_text()
    path.write_text(fault.applied(before))
    # Bytecode is known by second and size, both of which a fault may leave as they were.
    for old in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        old.unlink()
    try:
        yield
    finally:
        path.write_text(before)


def run(tree: Path, modules: Sequence[str], tests: Sequence[str], *options: str) -> tuple[int | None, str]:
    """Exit code, None where it had to be ended, and output of importing modules and running tests, all of the tree."""
    arguments = ["-q", "-rfE", "--no-header", "--tb=short", "-p", "no:cacheprovider", *options, *tests]
    # Faulty bytecode is not kept; the sound tree's is, once, by the run without a fault.
    own = {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"} | ({"PYTHONDONTWRITEBYTECODE": "1"} if options else {})
    try:
        ended = subprocess.run(
            [sys.executable, "-c", _RUN, str(tree), ",".join(modules), *arguments],
            cwd=tree, env=os.environ | own, capture_output=True, text=True, check=False, timeout=_LONGEST_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, ""
    return ended.returncode, ended.stdout + ended.stderr


def check_sound(tree: Path, faults: Sequence[Fault]) -> None:
    """Raise ValueError where the tree without a fault does not pass the faults' tests."""
    code, output = run(tree, sorted({f.module for f in faults}), sorted({f.tests for f in faults}))
    if code != _PASSED:
        tail = "\n".join(output.splitlines()[-15:])
        raise ValueError(f"the copy without a fault fails, expected all of its tests to pass:\n{tail}")


def tried(tree: Path, fault: Fault) -> dict:
    """One fault's row: what became of it, and which test failed first."""
    begun = time.monotonic()
    with patched(tree, fault):
        code, output = run(tree, [fault.module], [fault.tests], "-x")
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    return {
        "fault": fault.name,
        "what is wrong": fault.about,
        "in": fault.path,
        "outcome": "no end" if code is None else _MEANING.get(code, f"tests did not run ({code})"),
        "caught by": failed[1] if failed and code == _FAILED else "",
        "seconds": round(time.monotonic() - begun, 1),
    }


def measure(root: Path, faults: Sequence[Fault]) -> Report:
    """A row a fault. Raises ValueError, before anything runs, for a fault whose place is gone, and as `check_sound`."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = copied(root, Path(folder))
        for fault in faults:
            compile(fault.applied((tree / fault.path).read_text()), fault.path, "exec")
        check_sound(tree, faults)
        rows = [_shown(tried(tree, fault)) for fault in faults]
    missed = [row["fault"] for row in rows if row["outcome"] != "caught"]
    bars = [Bar("faults that no test noticed", len(missed), at_most=0)]
    return Report(rows, bars, {"not caught": missed} if missed else {})


def _shown(row: dict) -> dict:
    print(f"{row['fault']}: {row['outcome']}, {row['seconds']} s", file=sys.stderr, flush=True)
    return row


def report(quick: bool, data: Path, only: str | None) -> Report:
    """This tree's faults, a few of them in a quick run, or one."""
    chosen = [fault for fault in FAULTS if (fault.name == only if only else fault.quick or not quick)]
    try:
        found = measure(HERE.parent, chosen)
    except ValueError as error:
        raise SystemExit(f"benchmarks.mutants: {error}") from None
    if not quick and only is None:
        found.bars.append(Bar("faults tried", len(found.rows), at_least=LEAST))
    return found


if __name__ == "__main__":
    main("mutants", __doc__, report, parts=[fault.name for fault in FAULTS])
