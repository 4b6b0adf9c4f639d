"""The harness of every benchmark: options, table, JSON with commit and machine, and the bars of --check."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.common.job import QUICK_CAMERA, sites
from pipeline.core.storage import write_bytes

HERE = Path(__file__).parents[1]
OUT = HERE / "out"


@dataclass(frozen=True)
class Bar:
    """A number and the limit it must keep, from below or from above."""

    name: str
    value: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool:
        """NaN meets nothing."""
        low = self.at_least is None or self.value >= self.at_least
        high = self.at_most is None or self.value <= self.at_most
        return bool(low and high and self.value == self.value)

    @property
    def limit(self) -> str:
        """The limit as text."""
        return f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"

    def __str__(self) -> str:
        return f"{self.name}: {self.value:.4g}, bar {self.limit}{'' if self.met else '  FELL SHORT'}"


@dataclass(frozen=True)
class Report:
    """Rows of the tables, a new one where the keys change, the bars, and anything worth keeping beside them."""

    rows: list[dict]
    bars: list[Bar] = field(default_factory=list)
    notes: dict = field(default_factory=dict)


def main(
    name: str,
    about: str | None,
    measure: Callable[..., Report],
    *,
    cameras: Sequence[str] = (),
    quick_cameras: Sequence[str] = (QUICK_CAMERA,),
    parts: Sequence[str] = (),
    numbers: Mapping[str, tuple[int, str]] | None = None,
    **paths: str,
) -> None:
    """Parse the options, call measure(quick, data folder), print, write the JSON; exit 1 if --check and a bar fell, or
    with one line if a file is not there.

    A benchmark that measures `cameras`, or `quick_cameras` in a quick run, takes --camera and --manifests for another
    one in their place and gets them as `sites`. One that consists of `parts` takes --only for one of them, and gets its
    name or None as `only`. `numbers` are whole numbers with their defaults and help; those that are not the defaults
    are in the JSON's name. `paths` are options of the benchmark's own, files that need not be given, and their help;
    measure gets both by name.
    """
    numbers = numbers or {}
    options, given = _parsed(name, about, cameras, quick_cameras, parts, numbers, paths)
    begun = time.monotonic()
    try:
        report = measure(options.quick, options.data, **given)
    except FileNotFoundError as error:  # weights, labels or footage, by the message of whoever wanted them
        sys.exit(f"benchmarks.{name}: {error}")
    print(table(report.rows))
    print("\n".join(str(bar) for bar in report.bars))
    bars = [{"name": b.name, "value": float(b.value), "limit": b.limit, "met": b.met} for b in report.bars]
    about_run = {"commit": commit(), "machine": machine(), "wall_s": round(time.monotonic() - begun, 1)}
    run = {"name": name, **about_run, "rows": report.rows, "bars": bars, "notes": report.notes}
    other = bool(cameras and options.camera) and (options.manifests or [options.camera] != list(cameras))
    one = options.camera if other else parts and options.only
    one = one or "-".join(f"{key}{given[key]}" for key, (usual, _) in numbers.items() if given[key] != usual)
    kind = ".quick" if options.quick else f".{one}" if one else ""
    write_bytes(OUT / f"{name}{kind}.json", (json.dumps(run, indent=2) + "\n").encode())  # in the table's order
    short = [bar.name for bar in report.bars if not bar.met]
    if options.check and short:
        sys.exit(f"benchmarks.{name}: fell short: {', '.join(short)}")


def _parsed(
    name: str,
    about: str | None,
    cameras: Sequence[str],
    quick_cameras: Sequence[str],
    parts: Sequence[str],
    numbers: Mapping[str, tuple[int, str]],
    paths: dict[str, str],
) -> tuple[argparse.Namespace, dict[str, Any]]:
    """The options, and what measure gets by name."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="exit 1 and name the bars that fell short")
    parser.add_argument("--quick", action="store_true", help="a small run, under a minute; its bars are not binding")
    parser.add_argument("--data", type=Path, default=OUT / "data", help="data root (default: %(default)s)")
    if cameras:
        parser.add_argument("--camera", help=f"the camera to measure (default: {', '.join(cameras)})")
        parser.add_argument("--manifests", type=Path, help="folder of the camera's manifest, where it is your own")
    if parts:
        parser.add_argument("--only", choices=parts, metavar="NAME", help=f"one of {', '.join(parts)}")
    for key, (usual, meaning) in numbers.items():
        parser.add_argument(f"--{key}", type=int, default=usual, help=f"{meaning} (default: %(default)s)")
    for key, meaning in paths.items():
        parser.add_argument(f"--{key.replace('_', '-')}", type=Path, help=meaning)
    options = parser.parse_args()
    given = {key: getattr(options, key) for key in (*numbers, *paths)}
    if parts:
        given["only"] = options.only
    if cameras:
        chosen = [options.camera] if options.camera else quick_cameras if options.quick else cameras
        given["sites"] = sites(chosen, options.manifests)
    return options, given


def table(rows: list[dict]) -> str:
    """Rows as Markdown; where the keys change another table begins."""
    if not rows:
        return "(no rows)"
    return "\n\n".join(_one_table(list(alike)) for _, alike in groupby(rows, key=list))


def _one_table(rows: list[dict]) -> str:
    lines = [list(rows[0]), ["---"] * len(rows[0]), *[[shown(v) for v in row.values()] for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def shown(value: object) -> str:
    """A cell: floats to four significant digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def commit() -> str:
    """The commit that ran, marked where the tree differs from it."""
    line = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=10"], cwd=HERE, capture_output=True, text=True, check=False
    )
    return line.stdout.strip() or "unknown"


def machine() -> str:
    """Cores and processor, as text."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores, {model}, Python {platform.python_version()}"
