"""Two runs of one camera at once, with different seeds: are both data sets whole, each of its own seed alone?

    python -m benchmarks.variants_race [--check] [--quick]

Every other time under one name, where one is to be made and the other refused. The stages before composing are taken
from the data root where it has them; else the first pair makes them, too, one waiting for the other.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.common.job import MANIFESTS, QUICK_CAMERA, differing, digests, start
from benchmarks.common.report import Bar, Report, main
from pipeline.core.storage import data_set_of
from tasks.common.variants import DataSet, name_of

TIMES = 20
SCENES = 6
_SIZES = ("--scenes", str(SCENES), "--scenes-per-shard", "2", "--cpus", "1")
_LINE = ("--camera", QUICK_CAMERA, "--manifests", str(MANIFESTS), *_SIZES)


def is_right(one: DataSet, seed: int) -> bool:
    """Whether a data set is whole, and its shards, manifest and gallery are all of one seed."""
    seeds = [pq.read_table(path, columns=["seed"])["seed"].to_pylist() for path in one.folder.glob("images/*.parquet")]
    if not one.whole or [number for shard in seeds for number in shard] != [seed] * SCENES:
        return False
    described = one.manifest["seed"] == seed and data_set_of(one.folder) == one.manifest["hash"]
    return described and f'"seeds":[{seed}]' in (one.folder / "gallery.html").read_text()


def race(root: Path, seeds: Sequence[int], *options: str) -> list[int]:
    """Exit codes of a run for each seed, all at once."""
    running = [start("GenerateClipArt", root, *_LINE, "--seed", str(seed), *options) for seed in seeds]
    return [process.wait() for process in running]


def report(quick: bool, data: Path) -> Report:
    """Pairs of seeds that no run had before; each time, all data sets of before are compared."""
    right = refused = changed = 0
    times = 4 if quick else TIMES
    with tempfile.TemporaryDirectory() as folder:
        root, before = Path(folder), dict[str, str]()
        if (data / QUICK_CAMERA).is_dir():
            shutil.copytree(data / QUICK_CAMERA, root / QUICK_CAMERA, ignore=shutil.ignore_patterns("clipart*"))
        for time in range(times):
            seeds = (2 * time, 2 * time + 1)
            if named := time % 2 == 1:
                codes = race(root, seeds, "--variant", f"pair{time}")
                won = [seed for seed, code in zip(seeds, codes, strict=True) if code == 0]
                refused += len(won) == 1
                right += len(won) == 1 and is_right(DataSet(root / QUICK_CAMERA, f"pair{time}"), won[0])
            else:
                codes = race(root, seeds)
                whole = [is_right(DataSet(root / QUICK_CAMERA, name_of("walt3d", seed)), seed) for seed in seeds]
                right += codes == [0, 0] and all(whole)
            print(f"{time}: {'one name' if named else 'two names'}, exit codes {codes}, {right} right", flush=True)
            now = {path: digest for path, digest in digests(root).items() if path.startswith(f"{QUICK_CAMERA}/clipart")}
            changed += len(differing(before, {path: now[path] for path in before if path in now}))
            before = now
    row = {"pairs": times, "right": right, "one of a name refused": refused, "files changed later": changed}
    bars = [Bar("pairs right", right, at_least=times), Bar("files changed later", changed, at_most=0)]
    return Report([row], bars)


if __name__ == "__main__":
    main("variants_race", __doc__, report)
