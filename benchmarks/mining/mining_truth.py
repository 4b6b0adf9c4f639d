"""Mining against exact truth: are the cutouts whole, how many objects yield one, how good are the masks.

    python -m benchmarks.mining_truth [--check] [--quick] [--data DIR] [--camera NAME] [--manifests DIR]

A cutout is whole where nothing hides its actor, the frame does not truncate it, and the mask is its own: their overlap
is at least 0.75. `clean` asks for the first two alone. A track is found by a whole cutout. Runs (or resumes) the main
job of cam07, on which thresholds are chosen, and of cam11, which chooses none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.common.job import CHECKED_CAMERAS, Site, frame_size_hw
from benchmarks.common.report import Bar, Report, main
from benchmarks.common.truth import is_clean, match, truth_of
from pipeline.core.storage import read_parts

WHOLE_IOU = 0.75
BARS = {
    "all": {"track_recall": 0.60, "median_iou": 0.85},
    "vehicle": {"precision": 0.90, "track_recall": 0.55, "nearest_of_track_m": 1.5},
    "person": {"precision": 0.90},
}
# On the camera that the numbers of vehicles were set for.
VEHICLES = {"cam07": {"cutouts": 200, "tracks": 40}}
_UNKNOWN = float("nan")


def matched_cutouts(camera_dir: Path, truth: pd.DataFrame) -> pd.DataFrame:
    """Cutouts with the actor each belongs to (-1 for none), the IoU with its amodal mask, whether it was clean, and
    whether the cutout is whole."""
    columns = ["frame_id", "category", "mask_rle", "track_id", "foot_xy_m"]
    cutouts = read_parts(camera_dir / "cutouts", columns=columns).to_pandas()
    matched = match(cutouts, truth, frame_size_hw(camera_dir))
    rows = truth.reindex(matched["truth_row"])
    clean = is_clean(truth).reindex(matched["truth_row"], fill_value=False)
    iou = matched["iou"].to_numpy()
    return cutouts.assign(
        iou=iou,
        clean=clean.to_numpy(bool),
        whole=clean.to_numpy(bool) & (iou >= WHOLE_IOU),
        actor_id=rows["actor_id"].fillna(-1).to_numpy(int),
        body=rows["body"].to_numpy(),
    )


def measure(camera_dir: Path) -> list[dict]:
    """One row for all, one for each category."""
    truth = truth_of(camera_dir)
    cutouts = matched_cutouts(camera_dir, truth)
    # What never moves within its bucket is the background itself: no detector of change can see it.
    able = truth[is_clean(truth) & truth["moving"]]
    rows = []
    for name in ("all", "vehicle", "person"):
        mine = cutouts if name == "all" else cutouts[cutouts["category"] == name]
        tracks = set(able["actor_id"] if name == "all" else able.loc[able["category"] == name, "actor_id"])
        found = tracks & set(mine.loc[mine["whole"], "actor_id"])
        rows.append(
            {
                "camera": camera_dir.name,
                "category": name,
                "cutouts": len(mine),
                "tracks": mine["track_id"].nunique(),
                "precision": float(mine["whole"].mean()),
                "clean": float(mine["clean"].mean()),
                "phantoms": int((mine["actor_id"] == -1).sum()),
                "tracks_ever_clean": len(tracks),
                "track_recall": len(found) / len(tracks) if tracks else _UNKNOWN,
                "median_iou": float(mine.loc[mine["actor_id"] >= 0, "iou"].median()),
                "nearest_of_track_m": nearest_of_track(mine),
            }
        )
    return rows


def nearest_of_track(cutouts: pd.DataFrame) -> float:
    """Metres on the ground between the two cutouts of one track that are nearest; infinite where no track has two."""
    nearest = np.inf
    for _, feet in cutouts[cutouts["track_id"] >= 0].groupby("track_id")["foot_xy_m"]:
        at = np.stack(feet.to_list())
        apart = np.linalg.norm(at[:, None] - at, axis=-1)[np.triu_indices(len(at), 1)]
        nearest = min(nearest, float(apart.min(initial=np.inf)))
    return nearest


def report(quick: bool, data: Path, sites: Sequence[Site]) -> Report:
    """The cameras' rows and the bars on each category."""
    rows = [row for site in sites for row in measure(site.job(data))]
    bars = []
    for row in rows:
        limits = dict(BARS[row["category"]])
        if row["category"] == "vehicle":
            limits |= VEHICLES.get(row["camera"], {})
        bars += [
            Bar(f"{row['camera']} {row['category']} {name}", row[name], at_least=limit)
            for name, limit in limits.items()
        ]
    return Report(rows, bars)


if __name__ == "__main__":
    main("mining_truth", __doc__, report, cameras=CHECKED_CAMERAS)
