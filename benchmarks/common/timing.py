"""What parts of the fits cost: CPU seconds of a call, where they went, crops a second through a network."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

_SIZE_HW = (720, 1280)


def cpu_s(work: Callable[[], object], repeats: int) -> float:
    """Median CPU seconds of a call, all threads together, after one to warm up."""
    work()
    spent = []
    for _ in range(repeats):
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return median(spent)


def cpu_s_in_turns(works: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median CPU seconds of each of several calls that take turns: what slows the machine slows all of them."""
    spent: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            begun = time.process_time()
            work()
            if turn:  # after one to warm up
                spent[name].append(time.process_time() - begun)
    return {name: median(times) for name, times in spent.items()}


def profile(work: Callable[[], object], lines: int = 10) -> list[dict]:
    """The functions that took the most time of their own, printed, too: name, calls, fraction of the whole."""
    watch = cProfile.Profile()
    watch.runcall(work)
    stats = pstats.Stats(watch).stats  # type: ignore[attr-defined]
    whole = sum(entry[2] for entry in stats.values())
    ordered = sorted(stats.items(), key=lambda item: -item[1][2])[:lines]
    rows = [
        {"function": f"{Path(file).name}:{name}", "calls": entry[1], "fraction": round(entry[2] / whole, 3)}
        for (file, _, name), entry in ordered
    ]
    for row in rows:
        print(f"{row['fraction']:6.1%}  {row['calls']:7d}  {row['function']}")
    return rows


def repeated(what: str, work: Callable[[], object], count: int, repeats: int) -> dict:
    """The row of a call that handles `count` things."""
    spent = cpu_s(work, repeats)
    return {"what": what, "count": count, "cpu_s": spent, "a_second": count / spent}


def crops(what: str, predict: Callable[..., Any], shape_wh: tuple[float, float], count: int) -> dict:
    """The row of a network's crops a second, wall time on all cores: boxes of a shape in noise cost as others do."""
    rng = np.random.default_rng(5)
    frame = rng.integers(0, 255, (*_SIZE_HW, 3), np.uint8)
    sides = rng.uniform(60, 200, count)
    corners = np.column_stack([rng.uniform(0, 1000, count), rng.uniform(0, 500, count)])
    boxes = np.column_stack([corners, sides[:, None] * shape_wh])
    predict([frame] * 32, boxes[:32])
    begun, spent = time.perf_counter(), time.process_time()
    predict([frame] * count, boxes)
    wall, spent = time.perf_counter() - begun, time.process_time() - spent
    return {"what": what, "count": count, "cpu_s": spent, "a_second": count / wall}
