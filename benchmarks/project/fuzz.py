"""Files of strangers: mutated ones of every kind are read or refused in one line, soon, in little memory, as data.

    python -m benchmarks.fuzz [--check] [--quick] [--only KIND] [--seed N] [--inputs N]

Each kind is read in a child process. What went wrong is kept in benchmarks/out/fuzz, and belongs into tests/hostile
under the name that it has there: the cases of `fuzz_cases` are read as they are, and mutations start from them, too.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.common.report import HERE, OUT, Bar, Report, main
from benchmarks.project.fuzz_cases import known
from benchmarks.project.fuzz_child import HANG_S
from benchmarks.project.fuzz_kinds import KINDS

INPUTS, QUICK = 100_000, 1000
_MOST_BYTES = 1.5e9
_START_S = 120.0  # libraries load slowly on a busy machine
_CHILD = "from benchmarks.project.fuzz_child import main; main()"


def _child(kind: str, seed: int, first: int, last: int, folder: Path) -> tuple[int, dict]:
    """Run one over inputs first to last; the input at which it ended, and what it said, nothing where it died there."""
    line = [sys.executable, "-c", _CHILD, kind, str(seed), str(first), str(last), str(folder)]
    process = subprocess.Popen(line, cwd=HERE.parent, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    status, seen, since = folder / "status", "", time.monotonic() + _START_S
    while process.poll() is None:
        time.sleep(0.2)
        now = status.read_text() if status.exists() else ""
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > 4 * HANG_S:
            process.kill()
    process.wait()
    result = folder / "result.json"
    if result.exists():
        return last, json.loads(result.read_text())
    if not seen:
        said = process.stderr.read().decode(errors="replace") if process.stderr else ""
        raise SystemExit(f"benchmarks.fuzz: {kind}: the child ended before its first input:\n{said[-2000:]}")
    return int(seen), {}


def fuzzed(kind: str, seed: int, inputs: int) -> dict:
    """A row: how many inputs of a kind were read and how many known cases before them, what went wrong with how many,
    the slowest and the largest."""
    cases = len(known(kind, KINDS[kind].ending))
    wrong, first, slowest, peak, example = Counter[str](), -cases, 0.0, 0, ""
    while first < inputs:
        with tempfile.TemporaryDirectory() as folder:
            ended, said = _child(kind, seed, first, inputs, Path(folder))
            kept = list(Path(folder).glob(f"{kind}-*"))
            if not said:
                wrong["crash"] += 1
                example = example or f"input {ended}: the process died or hung"
                kept.append(Path(folder) / "inside" / f"input{KINDS[kind].ending}")
            for path in kept:
                (OUT / "fuzz").mkdir(parents=True, exist_ok=True)
                shutil.copy(path, OUT / "fuzz" / (path.name if "-" in path.name else f"{kind}-{ended}{path.suffix}"))
            first = ended if said else ended + 1
        for number, reason in said.get("bad", []):
            wrong[reason.partition(":")[0]] += 1
            example = example or f"input {number}: {reason}"
        slowest, peak = max(slowest, said.get("slowest_s", 0.0)), max(peak, said.get("peak_bytes", 0))
    names = ("traceback", "unnamed", "hang", "crash", "touched")
    counts = {"kind": kind, "cases": cases, "inputs": inputs, **{name: wrong[name] for name in names}}
    return counts | {"slowest_s": slowest, "peak_MB": round(peak / 1e6), "first": example or "-"}


def report(quick: bool, data: Path, only: str | None, seed: int, inputs: int) -> Report:
    """Every kind; `data` is not used."""
    count = inputs or (QUICK if quick else INPUTS)
    rows = []
    for kind in [only] if only else KINDS:
        rows.append(fuzzed(kind, seed, count))
        print(f"{kind}: {rows[-1]}", file=sys.stderr, flush=True)
    sums = {name: sum(row[name] for row in rows) for name in ("traceback", "unnamed", "hang", "crash", "touched")}
    bars = [Bar(f"inputs that end in {name}", value, at_most=0) for name, value in sums.items()]
    bars.append(Bar("largest child, bytes", 1e6 * max(row["peak_MB"] for row in rows), at_most=_MOST_BYTES))
    bars.append(Bar("slowest input, s", max(row["slowest_s"] for row in rows), at_most=HANG_S))
    return Report(rows, bars)


if __name__ == "__main__":
    main(
        "fuzz", __doc__, report, parts=tuple(KINDS),
        numbers={"seed": (0, "of the mutations"), "inputs": (0, "of each kind, else 10^5, or 10^3 in a quick run")},
    )  # fmt: skip
