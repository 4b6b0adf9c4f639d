"""Not one camera: simulated cameras drawn by chance, a small job on each, and what the truth benchmarks say of them.

    python -m benchmarks.cameras [--seed N] [--count 6] [--check] [--quick] [--data DIR]

About 200 frames and five CPU minutes a camera; what is done of a camera is resumed. Median and worst are over the
cameras that show enough of a category, 40 cutouts for what is measured on cutouts and 30 clean tracks for recall;
`pooled` is over the objects of all of them. Thresholds may be chosen on seed 0, on no other.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import yaml

from benchmarks.common.actors import TrueActors
from benchmarks.common.drawn_cameras import camera_id, draw_camera
from benchmarks.common.job import Site, run
from benchmarks.common.report import Bar, Report, main
from benchmarks.common.truth import is_clean, matched, truth_of
from benchmarks.composition import composition_truth
from benchmarks.mining.mining_truth import matched_cutouts
from benchmarks.people import people_truth
from benchmarks.vehicles import vehicles_truth
from data_manifest import load_camera
from pipeline.core.storage import read_parts

SCENES = ("--scenes", "40", "--scenes-per-shard", "20")
CUTOUTS_ENOUGH, TRACKS_ENOUGH = 40, 30
# name: (what of the values, the bar of their median, the bar of the worst)
BARS: dict[str, dict[str, Any]] = {
    "all precision": {"median": {"at_least": 0.90}, "worst": {"at_least": 0.85}},
    "all track_recall": {"median": {"at_least": 0.50}},
    "vehicle track_recall": {"median": {"at_least": 0.45}},
    "vehicle position_90_m": {"median": {"at_most": 0.8}},
    "vehicle flipped": {"pooled": {"at_most": 0.01}},
    "person mpjpe_mm": {"median": {"at_most": 90.0}},
}
_MORE_IS_WORSE = ("position", "flipped", "mpjpe", "crossing")
# Measures over objects: mean of a column of 0 and 1 or of millimetres, or a quantile of metres.
Summary = Callable[[np.ndarray], float]


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _quantile(fraction: float) -> Summary:
    return lambda values: float(np.quantile(values, fraction)) if len(values) else float("nan")


MEASURES: dict[str, tuple[Summary, int]] = {
    **{f"{name} precision": (_mean, CUTOUTS_ENOUGH) for name in ("all", "vehicle", "person")},
    **{f"{name} track_recall": (_mean, TRACKS_ENOUGH) for name in ("all", "vehicle", "person")},
    "vehicle position_m": (_quantile(0.5), CUTOUTS_ENOUGH),
    "vehicle position_90_m": (_quantile(0.9), CUTOUTS_ENOUGH),
    "vehicle flipped": (_mean, CUTOUTS_ENOUGH),
    "person mpjpe_mm": (_mean, CUTOUTS_ENOUGH),
    "person position_m": (_quantile(0.5), CUTOUTS_ENOUGH),
}


def site_of(seed: int, number: int, data: Path) -> Site:
    """A drawn camera with its manifest written below the data root."""
    folder = data / "drawn_manifests"
    folder.mkdir(parents=True, exist_ok=True)
    name = camera_id(seed, number)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(draw_camera(seed, number)), encoding="utf-8")
    return Site(name, folder, SCENES)


def measure(site: Site, data: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Of a camera after its job the values of MEASURES over its objects, and what is one number; of what broke off,
    what there is."""
    folder = data / site.camera
    told: dict[str, Any] = {"camera": site.camera}
    job = run("GenerateClipArt", data, "--camera", site.camera, "--manifests", str(site.manifests), *site.options)
    told["ended"] = "well" if not job.code else job.output.strip().splitlines()[-1]
    values = {name: np.empty(0) for name in MEASURES}
    if (folder / "cutouts").is_dir():
        values |= _mined(folder)
    if (folder / "reconstructed").is_dir():
        values |= _placed(folder)
    told["order_right"] = told["crossing_in_10000"] = float("nan")
    if not job.code:
        actors = TrueActors(load_camera(site.camera, site.manifests), *site.calibrated(data))
        composed = composition_truth.measure(folder, "walt3d", actors)
        told |= {name: composed[name] for name in ("order_right", "crossing_in_10000")}
    return values, told


def _mined(folder: Path) -> dict[str, np.ndarray]:
    """(N,) whether each cutout is whole, and whether each actor that ever was clean has one that is."""
    truth = truth_of(folder)
    cutouts = matched_cutouts(folder, truth)
    able = truth[is_clean(truth) & truth["moving"]].drop_duplicates("actor_id")
    found = able["actor_id"].isin(cutouts.loc[cutouts["whole"], "actor_id"])
    values = {"all precision": cutouts["whole"], "all track_recall": found}
    for name in ("vehicle", "person"):
        values[f"{name} precision"] = cutouts.loc[cutouts["category"] == name, "whole"]
        values[f"{name} track_recall"] = found[able["category"] == name]
    return {name: series.to_numpy(float) for name, series in values.items()}


def _placed(folder: Path) -> dict[str, np.ndarray]:
    """(N,) errors of everything that was placed and has a truth."""
    placed = read_parts(folder / "reconstructed")
    of: dict[str, pd.DataFrame] = {}
    for name, benchmark in (("vehicle", vehicles_truth), ("person", people_truth)):
        truth, _ = matched(folder, name, benchmark.FARTHEST_M)
        of[name] = benchmark.errors(placed.filter(pc.equal(placed["category"], name)), truth)
    vehicles, people = of["vehicle"], of["person"]
    return {
        "vehicle position_m": vehicles["position_error_m"].to_numpy(float),
        "vehicle position_90_m": vehicles["position_error_m"].to_numpy(float),
        "vehicle flipped": vehicles["flipped"].to_numpy(float),
        "person mpjpe_mm": people["mpjpe_mm"].to_numpy(float),
        "person position_m": people["position_error_m"].to_numpy(float),
    }


def summary(values: list[dict[str, np.ndarray]]) -> list[dict]:
    """A row a measure: median and worst of the cameras that show enough, over the objects of all, and counts."""
    rows = []
    for name, (summarise, enough) in MEASURES.items():
        each = [summarise(camera[name]) for camera in values if len(camera[name]) >= enough]
        worse = max if any(part in name for part in _MORE_IS_WORSE) else min
        together = np.concatenate([camera[name] for camera in values])
        rows.append(
            {
                "measure": name,
                "median": float(np.median(each)) if each else float("nan"),
                "worst": float(worse(each)) if each else float("nan"),
                "pooled": summarise(together),
                "cameras": len(each),
                "objects": len(together),
            }
        )
    return rows


def report(quick: bool, data: Path, seed: int = 0, count: int = 6) -> Report:
    """What the cameras say together, then each by itself."""
    values, told = [], []
    for number in range(1 if quick else count):
        of_camera, about = measure(site_of(seed, number, data), data)
        values.append(of_camera)
        told.append(about | {name: f(of_camera[name]) for name, (f, _) in MEASURES.items()})
        print(told[-1], flush=True)
    rows = summary(values)
    bars = [
        Bar(f"{row['measure']} {which}", row[which], **limit)
        for row in rows
        for which, limit in BARS.get(row["measure"], {}).items()
    ]
    return Report([*rows, *told], bars, {"seed": seed})


if __name__ == "__main__":
    main(
        "cameras",
        __doc__,
        report,
        numbers={"seed": (0, "cameras of another seed are others"), "count": (6, "how many cameras are drawn")},
    )
