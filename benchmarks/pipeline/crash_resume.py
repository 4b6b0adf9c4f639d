"""Kill the job with SIGKILL at random moments, run it again: the same bytes as undisturbed, nothing left over.

python -m benchmarks.crash_resume [--check] [--quick]
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common.job import QUICK_CAMERA, QUICK_OPTIONS, differing, digests, run, start
from benchmarks.common.report import Bar, Report, main

KILLS = 10
SEED = 20240514


def killed_at(root: Path, options: list[str], files: int, delay_s: float) -> bool:
    """Start the job, kill its whole process group a moment after so many files are there; whether it still ran."""
    root.mkdir(parents=True, exist_ok=True)
    process = start("GenerateClipArt", root, *options)
    while process.poll() is None and sum(1 for _ in root.rglob("*.*")) < files:
        time.sleep(0.02)
    try:
        process.wait(delay_s)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True


def report(quick: bool, data: Path) -> Report:
    """An undisturbed run, then one killed at moments spread at random over what it writes; `data` is not used.

    The small job is used in both forms: every stage and every kind of file takes part, and the kills fall closer.
    """
    options = ["--camera", QUICK_CAMERA, *QUICK_OPTIONS]
    rng = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = Path(folder) / "whole", Path(folder) / "broken"
        undisturbed = run("GenerateClipArt", whole, *options)
        expected = digests(whole)
        kills, begun = 0, time.monotonic()
        for files in np.sort(rng.integers(1, len(expected), size=2 if quick else KILLS)):
            kills += killed_at(broken, options, int(files), float(rng.uniform(0, 0.3)))
        resumed = run("GenerateClipArt", broken, *options)
        codes = (undisturbed.code, resumed.code)
        if any(codes):
            raise SystemExit(
                f"benchmarks.crash_resume: ended with {codes}:\n{(undisturbed.output + resumed.output)[-2000:]}"
            )
        unlike = differing(expected, digests(broken))
    row = {
        "kills": kills,
        "undisturbed_s": undisturbed.wall_s,
        "with_kills_s": time.monotonic() - begun,
        "differing": len(unlike),
        "first": ", ".join(unlike[:3]) or "-",
    }
    return Report(
        [row], [Bar("differing files", len(unlike), at_most=0), Bar("kills", kills, at_least=1 if quick else 8)]
    )


if __name__ == "__main__":
    main("crash_resume", __doc__, report)
