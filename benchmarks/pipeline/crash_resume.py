"""Kill the job with SIGKILL at random moments, run it again: the same bytes as undisturbed, nothing left over.

python -m benchmarks.crash_resume [--check] [--quick] [--kills N]

Every other run has the other engine. Of three kills one takes a worker alone, which the run must survive or name; the
others take all of its processes. In between, and at the end, two runs of two variants work on the camera at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from benchmarks.common.job import QUICK_CAMERA, QUICK_OPTIONS, differing, digests, run, start
from benchmarks.common.report import Bar, Report, main

KILLS = 100
SEED = 20240514
ENGINES = ("process", "serial")
_VARIANT = ("--variant", "beside", "--scenes", "6", "--scenes-per-shard", "3")


def killed_at(root: Path, options: list[str], files: int, delay_s: float, *, worker: bool = False) -> bool:
    """Start the job, and a moment after so many files are there kill its whole process group, or one worker alone and
    let the job end; whether there was anything to kill."""
    root.mkdir(parents=True, exist_ok=True)
    process = start("GenerateClipArt", root, *options)
    while process.poll() is None and sum(1 for _ in root.rglob("*.*")) < files:
        time.sleep(0.02)
    try:
        process.wait(delay_s)
        return False
    except subprocess.TimeoutExpired:
        pass
    if not worker:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    workers = [one for one in psutil.Process(process.pid).children(recursive=True) if "spawn_main" in _line_of(one)]
    for one in workers[:1]:
        one.kill()
    process.wait()
    return bool(workers)


def _line_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def kept(root: Path) -> dict[str, str]:
    """Digests of what a run leaves, beside its locks."""
    return {name: digest for name, digest in digests(root).items() if not name.endswith(".lock")}


def report(quick: bool, data: Path, kills: int) -> Report:
    """Undisturbed runs of two variants, then the same killed at moments spread at random over what they write; `data`
    is not used.

    The small job is used in both forms: every stage and every kind of file takes part, and the kills fall closer.
    """
    options = ["--camera", QUICK_CAMERA, *QUICK_OPTIONS]
    beside = ["--camera", QUICK_CAMERA, *QUICK_OPTIONS[:2], *_VARIANT]
    rng, wanted = np.random.default_rng(SEED), 2 if quick else kills
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = Path(folder) / "whole", Path(folder) / "broken"
        ended = [run("GenerateClipArt", whole, *options), run("GenerateClipArt", whole, *beside)]
        expected = kept(whole)
        done, begun = 0, time.monotonic()
        for number, files in enumerate(np.sort(rng.integers(1, len(expected), size=wanted))):
            engine = ("--walt3d-engine", ENGINES[number % len(ENGINES)])
            line = beside if number % 5 == 4 else options
            delay_s, worker = float(rng.uniform(0, 0.3)), number % 3 == 2 and engine[1] == "process"
            done += killed_at(broken, [*line, *engine], int(files), delay_s, worker=worker)
        both = [start("GenerateClipArt", broken, *line) for line in (options, beside)]
        codes = [one.code for one in ended] + [process.wait() for process in both]
        if any(codes):
            raise SystemExit(f"benchmarks.crash_resume: ended with {codes}:\n{ended[-1].output[-2000:]}")
        unlike = differing(expected, kept(broken))
    row = {
        "kills": done,
        "undisturbed_s": sum(one.wall_s for one in ended),
        "with_kills_s": time.monotonic() - begun,
        "differing": len(unlike),
        "first": ", ".join(unlike[:3]) or "-",
    }
    least = 1 if quick else 0.8 * kills
    return Report([row], [Bar("differing files", len(unlike), at_most=0), Bar("kills", done, at_least=least)])


if __name__ == "__main__":
    main("crash_resume", __doc__, report, numbers={"kills": (KILLS, "how often it is killed")})
