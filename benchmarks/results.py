"""Write docs/results.md from the last full runs in benchmarks/out: `python -m benchmarks.results`."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.report import HERE, OUT, table
from pipeline.storage import write_bytes

DOCUMENT = HERE.parent / "docs" / "results.md"
OPENING = """# Results

Each section is the last full run of one command. Simulated cameras are measured against their exact truth. Bars are the
limits that the command's `--check` holds it to. Written by `python -m benchmarks.results`.

How far to trust them: thresholds were chosen on cam07, so its numbers are not held out. cam11 chose no value, but its
precision was read three times (0.873, 0.896, 0.902) while mining was made stricter until it met its bar, so that one is
not a clean check. The free ground between footprints was raised twice, each time after cam07 had shown three true
crossings under one set of cutouts; zero crossings is what the last value gives on these two cameras, not a guarantee.
main_job was run before the last mining limits, which leave 492 cutouts of its 536.
"""


def section(run: dict) -> str:
    """One benchmark in Markdown: the command, where and when it ran, its table, its bars, its notes."""
    bars = [{"bar": b["name"], "limit": b["limit"], "value": b["value"], "met": b["met"]} for b in run["bars"]]
    parts = [
        f"## {run['name']}",
        f"`python -m benchmarks.{run['name']}`, commit {run['commit']}, {run['machine']}, {run['wall_s']:.0f} s",
        table(run["rows"]),
        table(bars) if bars else "",
        *(f"{name}: {value}" for name, value in run.get("notes", {}).items()),
    ]
    return "\n\n".join(part for part in parts if part)


def latest(folder: Path) -> list[dict]:
    """The full runs, by name."""
    return [json.loads(p.read_text()) for p in sorted(folder.glob("*.json")) if not p.name.endswith(".quick.json")]


if __name__ == "__main__":
    write_bytes(DOCUMENT, "\n\n".join([OPENING.rstrip(), *map(section, latest(OUT))]).encode() + b"\n")
    print(DOCUMENT)
