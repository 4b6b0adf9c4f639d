"""Mining against exact truth: are the cutouts really unoccluded, how many objects yield one, how good are the masks.

    python -m benchmarks.mining_truth [--check] [--quick] [--data DIR] [--camera NAME] [--manifests DIR]

Runs (or resumes) the main job of cam07, on which thresholds are chosen, and of cam11, which chooses none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.common.job import CHECKED_CAMERAS, Site, frame_size_hw
from benchmarks.common.report import Bar, Report, main
from benchmarks.common.truth import is_clean, match, truth_of
from pipeline.core.storage import read_parts

BARS = {"precision": 0.90, "track_recall": 0.50, "median_iou": 0.85}


def matched_cutouts(camera_dir: Path, truth: pd.DataFrame) -> pd.DataFrame:
    """Cutouts with the actor each belongs to (-1 for none), the IoU with its amodal mask, and whether it was clean."""
    cutouts = read_parts(camera_dir / "cutouts", columns=["frame_id", "category", "mask_rle"]).to_pandas()
    matched = match(cutouts, truth, frame_size_hw(camera_dir))
    rows = truth.reindex(matched["truth_row"])
    clean = is_clean(truth).reindex(matched["truth_row"], fill_value=False)
    return cutouts.assign(
        iou=matched["iou"].to_numpy(),
        clean=clean.to_numpy(bool),
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
        found = tracks & set(mine.loc[mine["clean"], "actor_id"])
        rows.append(
            {
                "camera": camera_dir.name,
                "category": name,
                "cutouts": len(mine),
                "precision": float(mine["clean"].mean()),
                "phantoms": int((mine["actor_id"] == -1).sum()),
                "tracks_ever_clean": len(tracks),
                "track_recall": len(found) / max(len(tracks), 1),
                "median_iou": float(mine.loc[mine["actor_id"] >= 0, "iou"].median()),
            }
        )
    return rows


def report(quick: bool, data: Path, sites: Sequence[Site]) -> Report:
    """The cameras' rows and the bars on all their objects."""
    rows = [row for site in sites for row in measure(site.job(data))]
    overall = [r for r in rows if r["category"] == "all"]
    bars = [Bar(f"{r['camera']} {name}", r[name], at_least=limit) for r in overall for name, limit in BARS.items()]
    return Report(rows, bars)


if __name__ == "__main__":
    main("mining_truth", __doc__, report, cameras=CHECKED_CAMERAS)
