"""A day of frames, 10^5 of 160x120: does the memory of a stage grow with their number, and what does a frame cost?

    python -m benchmarks.long_day [--check] [--quick] [--data DIR]

One hour is rendered. The day holds its pictures again in every hour, and each hour is a time bucket; three hours are
measured beside all 24. Peak memory is that of the whole process tree of a stage; CPU time is of all its processes.
"""

from __future__ import annotations

import math
import os
import resource
import shutil
import time
from pathlib import Path

import yaml

from benchmarks.common.job import Run, Site, demand, run
from benchmarks.common.report import Bar, Report, main

STAGES = ("IngestFrames", "MedianBackground", "DetectObjects", "TrackObjects")
FRAMES_A_DAY, HOURS = 100_000, (3, 24)
FPS = FRAMES_A_DAY / 86_400
HOUR_S, QUICK_HOUR_S = 3600, 30
_BURST_S = 30
_RENDERED = "long_hour"
_CALIBRATION = {"focal_px": 135, "tilt_deg": 17, "height_m": 8.5}


def hour_manifest(hour_s: int) -> dict:
    """cam07's crossroads, small, for one hour of so many seconds."""
    source = {
        "kind": "simulated", "layout": "crossroads", "seed": 7, "date": "2024-05-14", "size_wh": [160, 120],
        "buckets": [{"name": "hour", "start": "12:00", "cloud": 0.1}], "bursts_per_bucket": hour_s // _BURST_S,
        "burst_s": _BURST_S, "fps": FPS, "fleet": "plain", "vehicles_per_minute": 9, "people_per_minute": 10,
    }  # fmt: skip
    return {"source": source, "calibration": _CALIBRATION}


def day_manifest(folder: Path, hours: int, hour_s: int) -> dict:
    """A folder of numbered images, hours of so many seconds from midnight on, a time bucket each."""
    clock = [f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}" for second in range(0, 86_400, hour_s)]
    ends = [*clock[1:], clock[0]]
    buckets = [{"name": f"hour{n:02}", "start": clock[n], "end": ends[n]} for n in range(hours)]
    source = {
        "kind": "images", "folder": str(folder), "glob": "*.jpg", "fps": FPS, "start": "2024-05-14 00:00:00",
        "time_zone": "UTC",
    }  # fmt: skip
    return {"source": source, "calibration": _CALIBRATION, "buckets": buckets}


def repeated(pictures: list[Path], hours: int, hour_s: int, folder: Path) -> int:
    """Link the pictures into a folder again and again, numbered by the clock, until so many hours are full; how
    many."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    count = int(hours * hour_s * FPS)
    for number in range(count):
        first = math.ceil(int(number / FPS) // hour_s * hour_s * FPS)  # of its hour
        os.link(pictures[(number - first) % len(pictures)], folder / f"{number:06d}.jpg")
    return count


def measured(site: Site, data: Path, stage: str) -> tuple[Run, float]:
    """A stage run to its end, and the CPU seconds of all its processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = run(stage, data, "--camera", site.camera, "--manifests", str(site.manifests))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.code:
        raise SystemExit(f"benchmarks.long_day: {stage} ended with {ended.code}:\n{ended.output[-2000:]}")
    return ended, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def rows_of(stage: str, sizes: list[int], runs: list[tuple[Run, float]]) -> dict:
    """A stage's row: peaks at both sizes, their ratio, and what a frame more costs."""
    (small, small_cpu), (large, large_cpu) = runs
    more = sizes[1] - sizes[0]
    return {
        "stage": stage, "frames": sizes[1], "peak_MB_of_few": small.peak_bytes / 1e6, "peak_MB": large.peak_bytes / 1e6,
        "growth": large.peak_bytes / small.peak_bytes, "minutes": large.wall_s / 60,
        "cpu_ms_a_frame": 1e3 * (large_cpu - small_cpu) / more,
    }  # fmt: skip


def report(quick: bool, data: Path) -> Report:
    """Every stage at both sizes, from nothing; the rendered hour stays for the next run."""
    begun, hour_s = time.monotonic(), QUICK_HOUR_S if quick else HOUR_S
    manifests = data / "long_day_manifests"
    manifests.mkdir(parents=True, exist_ok=True)
    rendered = f"{_RENDERED}_{hour_s}"
    names = [f"long_day_{hours}x{hour_s}" for hours in HOURS]
    about = {rendered: hour_manifest(hour_s)}
    about |= {name: day_manifest(data / "long_day" / name, n, hour_s) for name, n in zip(names, HOURS, strict=True)}
    for name, manifest in about.items():
        (manifests / f"{name}.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    demand("IngestFrames", data, "--camera", rendered, "--manifests", str(manifests))
    pictures = sorted((data / rendered / "frames" / "images").glob("*.jpg"))
    sizes, runs = [], dict[str, list[tuple[Run, float]]]()
    for name, hours in zip(names, HOURS, strict=True):
        sizes.append(repeated(pictures, hours, hour_s, data / "long_day" / name))
        shutil.rmtree(data / name, ignore_errors=True)
        for stage in STAGES:
            runs.setdefault(stage, []).append(measured(Site(name, manifests), data, stage))
    rows = [rows_of(stage, sizes, both) for stage, both in runs.items()]
    bars = [
        Bar("memory of all frames over that of an eighth, in the stage that grows most", max(r["growth"] for r in rows),
            at_most=1.10),
        Bar("minutes", (time.monotonic() - begun) / 60, at_most=60),
    ]  # fmt: skip
    return Report(rows, bars)


if __name__ == "__main__":
    main("long_day", __doc__, report)
