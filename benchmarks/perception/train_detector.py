"""A detector trained on cam07's clip-art, on another day at the same crossroads, beside the motion detector.

    python -m benchmarks.train_detector [--check] [--quick] [--data DIR] [--camera NAME] [--manifests DIR]

Trains the tiny preset (`make train MODEL=detector`) where the run is not there yet and reads how long that took. On
day07, whose traffic, parked cars and weather are others, both detectors are measured against the exact truth: AP50 of
visible masks by size and by hidden fraction, and what mining makes of each. Cars that are parked all day are left out
of the count: no detector here knows of them. --quick trains a few steps on the quick camera's scenes and binds nothing.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from benchmarks.common.job import QUICK_SITE, Site, demand, frame_size_hw
from benchmarks.common.report import Bar, Report, main, shown
from benchmarks.common.truth import truth_of
from benchmarks.mining.mining_truth import measure
from models.detector.evaluate import average_precision
from models.metrics.average_precision import Detected, Wanted
from pipeline.core.storage import read_parts

TRAINED_ON, OTHER_DAY = "cam07", "day07"
RUN = f"detector-{TRAINED_ON}-tiny"
LONGEST_MIN, LEAST_AP50 = 25, 0.50
QUICK_STEPS = 4
# Candidates below the default are of use: tracking joins them to confident ones, and average precision counts them all.
_MIN_SCORE = 0.1


def trained(data: Path, quick: bool) -> tuple[Path, float]:
    """The run's folder, and the minutes that its training took."""
    if quick:
        QUICK_SITE.job(data)
        QUICK_SITE.demand("Train", data, "--model", "detector", "--run-name", "quick", "--steps", str(QUICK_STEPS))
    else:
        demand("Evaluate", data, "--model", "detector", "--camera", TRAINED_ON)
    folder = data / "runs" / ("quick" if quick else RUN)
    return folder, json.loads((folder / "metrics.json").read_text())[-1]["seconds"] / 60


def mined_with(weights: Path, site: Site, camera_dir: Path, elsewhere: Path) -> Path:
    """The camera's folder after mining the same frames with the run's network, in another data folder."""
    if not (elsewhere / camera_dir.name).exists():
        shutil.copytree(camera_dir, elsewhere / camera_dir.name)  # its frames are rendered already
    asked = {"detector": "mmdet", "mmdet-config": weights / "detector.py", "mmdet-checkpoint": weights / "weights.pth"}
    options = [f"--DetectObjects-{name}={value}" for name, value in {**asked, "mmdet-min-score": _MIN_SCORE}.items()]
    return site.demand("MineUnoccluded", elsewhere, *options)


def against_truth(camera_dir: Path) -> list[dict]:
    """Rows of average precision of a camera's DETECTIONS."""
    truth = truth_of(camera_dir)
    found = read_parts(camera_dir / "detections", columns=["frame_id", "category", "mask_rle", "score"]).to_pandas()
    frames = pq.read_table(camera_dir / "frames" / "index.parquet")["frame_id"].to_pylist()
    wanted, seen = _by_frame(truth[truth["px_count_visib"] > 0]), _by_frame(found)
    return average_precision(
        [[_wanted(row) for row in wanted.get(f, [])] for f in frames],
        [[Detected(row["category"], row["mask_rle"], row["score"]) for row in seen.get(f, [])] for f in frames],
        frame_size_hw(camera_dir),
    )


def _by_frame(table: pd.DataFrame) -> dict[int, list[dict]]:
    rows: dict[int, list[dict]] = {}
    for row in table.to_dict("records"):
        rows.setdefault(int(row["frame_id"]), []).append(row)
    return rows


def _wanted(row: dict) -> Wanted:
    hidden = 1 - row["visible_fraction"]
    return Wanted(row["category"], row["mask_visible_rle"], hidden, ignored=not row["moving"])


def report(quick: bool, data: Path, sites: Sequence[Site]) -> Report:
    """Rows of both detectors by size and hidden fraction, and what mining makes of them."""
    weights, minutes = trained(data, quick)
    (site,) = sites
    folder = site.demand("MineUnoccluded", data)
    folders = {"motion": folder, "trained": mined_with(weights, site, folder, data / "with_trained_detector")}
    rows = [{"detector": name, **row} for name, folder in folders.items() for row in against_truth(folder)]
    mining = {name: measure(folder)[0] for name, folder in folders.items()}
    if quick:
        return Report(rows, [], _said(mining))
    ap50 = {row["objects of"]: row["AP50"] for row in rows if row["detector"] == "trained"}
    gains = [mining["trained"][name] - mining["motion"][name] for name in ("precision", "track_recall")]
    bars = [
        Bar("minutes of training", minutes, at_most=LONGEST_MIN),
        Bar("AP50 medium", ap50["medium"], at_least=LEAST_AP50),
        Bar("AP50 large", ap50["large"], at_least=LEAST_AP50),
        Bar("mining, gained on motion in precision or in track recall", max(gains), at_least=0.001),
    ]
    return Report(rows, bars, _said(mining))


def _said(mining: dict[str, dict]) -> dict[str, str]:
    columns = ("cutouts", "precision", "track_recall", "median_iou")
    return {
        f"mining with {name}": ", ".join(f"{column} {shown(row[column])}" for column in columns)
        for name, row in mining.items()
    }


if __name__ == "__main__":
    main("train_detector", __doc__, report, cameras=(OTHER_DAY,))
