"""Metric 3D of mined vehicles against exact truth: place, heading, size, keypoints, and the outline of the fit.

    python -m benchmarks.vehicles_truth [--check] [--quick] [--data DIR] [--camera NAME] [--manifests DIR]

Vehicles up to 60 m away whose cutout shows one actor. `fit` is what the job composes with; `outline` the first
version, typical proportions fitted to the mask, on the same cutouts. Thresholds are chosen on cam07, none on cam11.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.common.job import CHECKED_CAMERAS, Site
from benchmarks.common.report import Bar, Report, main
from benchmarks.common.truth import matched, truth_of
from calibration.camera import Camera, GroundPlane
from pipeline.composition.meshes import silhouettes
from pipeline.core import masks
from pipeline.core.skeletons import VEHICLE_12
from pipeline.core.storage import read_parts
from pipeline.reconstruction.outline_fit import ReconstructSettings, place_by_outline

FARTHEST_M = 60.0
PCK_ALPHA = 0.1
FACES_MPS, _MOTION_S = 1.0, 0.5
BARS = {
    "depth_error": {"at_most": 0.03},
    "position_error_m": {"at_most": 0.40},
    "position_90_m": {"at_most": 0.80},
    "yaw_error_deg": {"at_most": 3.0},
    "flipped": {"at_most": 0.05},
    "backwards": {"at_most": 0.005},
    "tracks_of_several_shapes": {"at_most": 0.0},
    "length_error": {"at_most": 0.08},
    "width_error": {"at_most": 0.08},
    "height_error": {"at_most": 0.08},
    "pck_visible": {"at_least": 0.90},
    "pck_self_occluded": {"at_least": 0.80},
    "fit_mask_iou": {"at_least": 0.80},
}
_GEOMETRY = ("R", "t", "dims_lwh_m", "keypoints_2d")


def errors(placed: pa.Table, truth: pd.DataFrame) -> pd.DataFrame:
    """One row a cutout that is placed and has a truth: errors, and correct and counted keypoints by state."""
    table = placed.to_pandas()
    table = table[table["fit_ok"]].set_index("cutout_id")
    ids = table.index.intersection(truth.index)
    ours = {name: np.stack(table.loc[ids, name].tolist()) for name in _GEOMETRY[:-1]}
    # What faces either way as well has no keypoints.
    points = table.loc[ids, "keypoints_2d"]
    ours["keypoints_2d"] = np.stack([p if len(p) else np.full(2 * len(VEHICLE_12), np.nan) for p in points])
    true = {name: np.stack(truth.loc[ids, name].tolist()) for name in _GEOMETRY}
    R, R_true = ours["R"].reshape(-1, 3, 3), true["R"].reshape(-1, 3, 3)
    cosine = np.einsum("ni,ni->n", R[..., 0], R_true[..., 0]).clip(-1, 1)
    turn = np.degrees(np.arccos(cosine))
    size = np.abs(ours["dims_lwh_m"] / true["dims_lwh_m"] - 1)
    rows = pd.DataFrame({"body": truth.loc[ids, "body"], "turn": turn, "flipped": turn > 90}, index=ids)
    rows["depth_error"] = np.abs(ours["t"][:, 2] / true["t"][:, 2] - 1)
    rows["position_error_m"] = np.linalg.norm(ours["t"] - true["t"], axis=1)
    rows["yaw_error_deg"] = turn
    rows["length_error"], rows["width_error"], rows["height_error"] = size.T
    reach = PCK_ALPHA * np.array([max(box[2:]) for box in truth.loc[ids, "bbox_amodal_xywh"]])
    away = np.linalg.norm((ours["keypoints_2d"] - true["keypoints_2d"]).reshape(-1, len(VEHICLE_12), 2), axis=2)
    state = np.stack(truth.loc[ids, "keypoint_state"].tolist())
    for name in ("visible", "self_occluded"):
        rows[f"{name}_right"] = ((away <= reach[:, None]) & (state == name)).sum(axis=1)
        rows[f"{name}_all"] = ((state == name) & np.isfinite(away)).sum(axis=1)
    return rows


def summary(rows: pd.DataFrame) -> dict:
    """Medians, fractions and PCK of the rows of `errors`."""
    names = ("depth_error", "position_error_m", "yaw_error_deg", "length_error", "width_error", "height_error")
    pck = {f"pck_{s}": rows[f"{s}_right"].sum() / rows[f"{s}_all"].sum() for s in ("visible", "self_occluded")}
    found = {
        "vehicles": len(rows),
        **rows[list(names)].median(),
        "position_90_m": rows["position_error_m"].quantile(0.9),
    }
    return found | {"flipped": rows["flipped"].mean(), **pck}


def backwards(placed: pa.Table, truth: pd.DataFrame, every: pd.DataFrame, time_s: pd.Series) -> float:
    """Fraction of placed vehicles, of those that truly move faster than FACES_MPS, that face away from where they go.

    truth: of cutouts, by cutout_id; every: rows of TRUTH of all frames; time_s: by frame_id. NaN where nothing moves.
    """
    table = placed.to_pandas()
    table = table[table["fit_ok"]].set_index("cutout_id")
    of_actor = dict(list(every.groupby("actor_id")))
    faces = []
    for cutout in table.index.intersection(truth.index):
        row = truth.loc[cutout]
        there = of_actor[row["actor_id"]]
        off_s = time_s.reindex(there["frame_id"]).to_numpy() - time_s.get(row["frame_id"], np.nan)
        near = np.abs(off_s) <= _MOTION_S
        if near.sum() < 2:
            continue
        velocity = np.polyfit(off_s[near], np.stack(there.loc[near, "t"].to_list()), 1)[0]
        if np.linalg.norm(velocity) > FACES_MPS:
            faces.append(np.reshape(table.loc[cutout, "R"], (3, 3))[:, 0] @ velocity < 0)
    return float(np.mean(faces)) if faces else float("nan")


def several_shapes(placed: pa.Table) -> int:
    """Tracks whose accepted fits are not all of one size, to the millimetre."""
    table = placed.to_pandas()
    table = table[table["fit_ok"] & (table["track_id"] >= 0)]
    sizes = table.assign(size=[tuple(np.round(dims, 3)) for dims in table["dims_lwh_m"]])
    return int((sizes.groupby("track_id")["size"].nunique() > 1).sum())


def mask_iou(placed: pa.Table, truth: pd.DataFrame, camera: Camera) -> float:
    """Median overlap of the fitted meshes' masks with the true amodal masks."""
    ids = pd.Index(placed["cutout_id"].to_numpy())
    rows = np.flatnonzero(ids.isin(truth.index) & placed["fit_ok"].to_numpy(zero_copy_only=False))
    rendered = silhouettes(placed.take(pa.array(rows)), camera)
    true = truth.loc[ids[rows], "mask_amodal_rle"].tolist()
    return float(np.median([masks.iou([a], [b], camera.size_hw)[0, 0] for a, b in zip(rendered, true, strict=True)]))


def measure(camera_dir: Path, camera: Camera, plane: GroundPlane) -> list[dict]:
    """The fit's row and the first version's."""
    truth, cutouts = matched(camera_dir, "vehicle", FARTHEST_M)
    tracks = pq.read_table(camera_dir / "tracks.parquet")
    placed = read_parts(camera_dir / "reconstructed")
    placed = placed.filter(pc.equal(placed["category"], "vehicle"))
    outline = place_by_outline("vehicle", cutouts, tracks, camera, plane, ReconstructSettings()).table
    every, frames = truth_of(camera_dir), pq.read_table(camera_dir / "frames" / "index.parquet")
    seconds = frames["timestamp"].cast(pa.int64()).to_numpy() / 1e6
    time_s = pd.Series(seconds, index=frames["frame_id"].to_numpy())
    rows = []
    for name, table in (("fit", placed), ("outline", outline)):
        found = {"camera": camera_dir.name, "method": name, **summary(errors(table, truth))}
        found |= {
            "backwards": backwards(table, truth, every, time_s),
            "tracks_of_several_shapes": several_shapes(table),
        }
        rows.append(found | {"fit_mask_iou": mask_iou(table, truth, camera) if name == "fit" else np.nan})
    return rows


def report(quick: bool, data: Path, sites: Sequence[Site]) -> Report:
    """The cameras, both methods; the bars are the fit's."""
    rows = [row for site in sites for row in measure(site.job(data), *site.calibrated(data))]
    fits = [r for r in rows if r["method"] == "fit"]
    bars = [Bar(f"{r['camera']} {name}", float(r[name]), **limit) for r in fits for name, limit in BARS.items()]
    return Report(rows, bars)


if __name__ == "__main__":
    main("vehicles_truth", __doc__, report, cameras=CHECKED_CAMERAS)
