"""What a stationary camera's own other views say of hidden keypoints, against exact truth.

    python -m benchmarks.occlusion_views [--check] [--quick] [--data DIR]

Keypoints that the simulator hides, of fitted vehicles up to 60 m away: how many two other views see, how far the point
that those views transfer lies from the truth, and how far the keypoint network's own guess does.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.job import CHECKED_CAMERAS, MANIFESTS, frame_size_hw, simulated_job
from benchmarks.report import Bar, Report, main
from benchmarks.truth import matched
from calibration.camera import Camera
from data_manifest import CAMERAS, load_camera
from models.occlusion_net.trifocal import transfer
from models.occlusion_net.view_sets import from_box, view_sets
from models.occlusion_net.views import COVERED_DEG, covered, views_of_camera

FARTHEST_M = 60.0
PCK_ALPHA = 0.1
HIDDEN = ("self_occluded", "occluded")


def measure(camera_dir: Path, camera: Camera) -> list[dict]:
    """Two rows: without and with mirror views."""
    truth, _ = matched(camera_dir, "vehicle", FARTHEST_M)
    views = views_of_camera(camera_dir, camera)
    views = views.at(np.isin(views.row, truth.index))
    rows = truth.loc[views.row]
    true = np.stack(rows["keypoints_2d"].tolist()).reshape(-1, 12, 2)
    hidden = np.isin(np.stack(rows["keypoint_state"].tolist()), HIDDEN)
    views = replace(views, hidden=hidden)
    guess_px = np.linalg.norm(from_box(views.xy, views.box_xywh) - true, axis=-1)
    side = views.box_xywh[:, 2:].max(axis=1)[:, None]
    found = []
    for mirrors in (False, True):
        sets = view_sets(views, mirrors=mirrors)
        cameras, other_xy, other_visible = map(torch.from_numpy, (sets.cameras, sets.other_xy, sets.other_visible))
        target, weight = (a.numpy() for a in transfer(cameras, other_xy, other_visible, COVERED_DEG))
        away = np.linalg.norm(from_box(target, views.box_xywh) - true, axis=-1)
        told = covered(views, sets) & (weight > 0)
        row: dict = {"camera": camera_dir.name, "mirrors": mirrors, "vehicles": len(views), "hidden": hidden.sum()}
        row |= {"covered": told.sum() / hidden.sum(), "transfer_px": _median(away[told])}
        for name, error in (("transfer", away / side), ("guess", guess_px / side)):
            row |= {f"{name}_share": _median(error[told]), f"{name}_pck": _mean(error[told] <= PCK_ALPHA)}
        found.append({name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()})
    return found


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def report(quick: bool, data: Path) -> Report:
    """Both cameras; the bars are those of the views with mirrors."""
    rows: list[dict] = []
    for camera_id in CHECKED_CAMERAS:
        folder = simulated_job(camera_id, data, quick=quick)
        entry = load_camera(folder.name, MANIFESTS if quick else CAMERAS)
        rows += measure(folder, entry.calibrated(frame_size_hw(folder))[0])
        if quick:
            break
    bars = [
        Bar(f"{row['camera']} {name}", float(row[name]), **limit)
        for row in rows
        if row["mirrors"]
        for name, limit in {"covered": {"at_least": 0.15}, "transfer_pck": {"at_least": 0.85}}.items()
    ]
    return Report(rows, bars)


if __name__ == "__main__":
    main("occlusion_views", __doc__, report)
