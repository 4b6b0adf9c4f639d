"""Same seed, same bytes: the whole job with one worker and with two, and as many threads in each, every file compared;
--quick is the same.

python -m benchmarks.determinism [--check] [--quick]
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.common.job import QUICK_CAMERA, QUICK_OPTIONS, differing, digests, run
from benchmarks.common.report import Bar, Report, main


def report(quick: bool, data: Path) -> Report:
    """Two runs of the small camera, which takes part in every stage, in fresh data roots; `data` is not used."""
    options = ["--camera", QUICK_CAMERA, *QUICK_OPTIONS]
    made = {}
    with tempfile.TemporaryDirectory() as folder:
        for cpus in (1, 2):
            root = Path(folder) / f"cpus{cpus}"
            job = run("GenerateClipArt", root, *options, "--cpus", str(cpus), OMP_NUM_THREADS=str(cpus))
            if job.code:
                raise SystemExit(f"benchmarks.determinism: {cpus} cpus ended with {job.code}:\n{job.output[-2000:]}")
            made[cpus] = digests(root)
    unlike = differing(made[1], made[2])
    row = {"files": len(made[1]), "differing": len(unlike), "first": ", ".join(unlike[:3]) or "-"}
    return Report([row], [Bar("differing files", len(unlike), at_most=0), Bar("files", len(made[1]), at_least=10)])


if __name__ == "__main__":
    main("determinism", __doc__, report)
