"""Metric 3D of mined people against exact truth: place, joints in 3D and in the image, by how much was done for it.

    python -m benchmarks.people_truth [--check] [--quick] [--data DIR] [--camera NAME] [--manifests DIR]
        [--no-adversarial-weights FILE]

People up to 60 m away whose cutout shows one actor; neither their bodies nor their gaits were trained on. `refined` is
what the job composes with; `regressor` the network's pose and shape as they are, on the ground where the mask stands;
`no adversarial` the same of a network trained without the discriminator (8000 steps, where the one that ships had 12
000; its card compares them after as many); `mean pose` someone at ease of the mask's height who faces where motion
goes; `outline` the first version, a hull of typical proportions. Errors are over everyone placed, hulls included;
`fitted` is the fraction of all cutouts that got a body. Position is a fraction of the distance; MPJPE and PCK 3D are of
shoulders to ankles from the middle of the hips, PCK 2D of what the person alone shows or hides, within a tenth of the
box's longer side. Thresholds are chosen on cam07, none on cam11.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import torch
from scipy.spatial.transform import Rotation

import models
from benchmarks.common.job import CHECKED_CAMERAS, Site
from benchmarks.common.report import Bar, Report, main
from benchmarks.common.truth import matched
from benchmarks.people.people import UNREFINED, Refit, stacked
from calibration.camera import Camera, GroundPlane
from models.body_model.points import LIMBS
from models.metrics.joints import mpjpe_mm, pa_mpjpe_mm
from models.poses.angles import theta_of, zeros
from pipeline.core.skeletons import COCO_17, SMPL_24
from pipeline.core.storage import read_parts
from pipeline.reconstruction.people.types import RegressedPeople

FARTHEST_M = 60.0
PCK_ALPHA, PCK_3D_M = 0.1, 0.15
BARS = {
    "position_error": {"at_most": 0.04},
    "mpjpe_mm": {"at_most": 90.0},
    "pa_mpjpe_mm": {"at_most": 65.0},
    "pck_3d": {"at_least": 0.85},
    "pck_2d": {"at_least": 0.90},
}
_HIPS = COCO_17.indices(["left_hip", "right_hip"])
_OWN = ("visible", "self_occluded")


def errors(placed: pa.Table, truth: pd.DataFrame) -> pd.DataFrame:
    """One row a cutout that is placed and has a truth: errors, and correct and counted keypoints."""
    table = placed.filter(placed["fit_ok"])
    table = table.filter(pc.is_in(table["cutout_id"], pa.array(truth.index)))
    ids = pd.Index(table["cutout_id"].to_numpy())
    true = pa.Table.from_pandas(truth.loc[ids])
    place = stacked(true, "t", 3)
    away = np.linalg.norm(stacked(table, "t", 3) - place, axis=1)
    rows = pd.DataFrame({"position_error": away / np.linalg.norm(place, axis=1), "position_error_m": away}, index=ids)
    ours_3d, true_3d = stacked(table, "keypoints_3d", len(COCO_17), 3), stacked(true, "keypoints_3d", len(COCO_17), 3)
    both = as_joints(ours_3d), as_joints(true_3d)
    rows["mpjpe_mm"], rows["pa_mpjpe_mm"] = mpjpe_mm(*both).numpy(), pa_mpjpe_mm(*both).numpy()
    rows["pck_3d"] = (np.linalg.norm(_from_hips(ours_3d) - _from_hips(true_3d), axis=2) <= PCK_3D_M).mean(axis=1)
    reach = PCK_ALPHA * stacked(true, "bbox_amodal_xywh", 4)[:, 2:].max(axis=1)
    off = np.linalg.norm(
        stacked(table, "keypoints_2d", len(COCO_17), 2) - stacked(true, "keypoints_2d", len(COCO_17), 2), axis=2
    )
    own = np.isin(np.array(true["keypoint_state"].to_pylist(), str).reshape(-1, len(COCO_17)), _OWN)
    rows["right"], rows["counted"] = ((off <= reach[:, None]) & own).sum(axis=1), own.sum(axis=1)
    rows["body"] = table["smpl_theta"].is_valid().to_numpy()
    return rows


def as_joints(keypoints: np.ndarray) -> torch.Tensor:
    """(N, 24, 3) SMPL joints of COCO keypoints (N, 17, 3), zero but for the limbs."""
    joints = np.zeros((len(keypoints), len(SMPL_24), 3))
    joints[:, LIMBS] = keypoints[:, 5:]
    return torch.from_numpy(joints)


def _from_hips(keypoints: np.ndarray) -> np.ndarray:
    """(N, 12, 3) shoulders to ankles from the middle of the hips, of keypoints (N, 17, 3)."""
    return keypoints[:, 5:] - keypoints[:, _HIPS].mean(axis=1, keepdims=True)


def summary(rows: pd.DataFrame, cutouts: int) -> dict:
    """The median place, means and fractions of the rows of `errors`, of so many cutouts with a truth."""
    return {
        "people": len(rows),
        "fitted": float(rows["body"].sum() / max(cutouts, 1)),
        "position_error": float(rows["position_error"].median()),
        **{name: float(rows[name].mean()) for name in ("mpjpe_mm", "pa_mpjpe_mm", "pck_3d")},
        "pck_2d": float(rows["right"].sum() / max(rows["counted"].sum(), 1)),
    }


def at_ease(outlined: pa.Table) -> RegressedPeople:
    """Someone of mean shape at ease in place of each outline, turned as it is."""
    standing = theta_of(zeros(1) | {"shoulder_out": np.full((1, 2), 12.0), "elbow": np.full((1, 2), 18.0)})
    theta = np.repeat(standing.astype(float), len(outlined), axis=0)
    # SMPL's axes x left, y up, z forward are the object's y, z and x.
    theta[:, 0] = Rotation.from_matrix(stacked(outlined, "R", 3, 3)[..., [1, 2, 0]]).as_rotvec()
    return RegressedPeople.of_poses(theta, np.zeros((len(theta), 10)))


def methods(refit: Refit, no_adversarial: Path | None) -> Iterator[tuple[str, pa.Table]]:
    """Names and RECONSTRUCTED, what the job wrote first."""
    placed = read_parts(refit.folder / "reconstructed")
    yield "refined", placed.filter(pc.equal(placed["category"], "person"))
    yield "regressor", refit.fit(refit.regress(models.load("hmr")), UNREFINED)
    if no_adversarial is not None:
        yield "no adversarial", refit.fit(refit.regress(models.load("hmr", no_adversarial)), UNREFINED)
    yield "mean pose", refit.fit(at_ease(refit.outlined.table), UNREFINED)
    yield "outline", refit.outlined.table


def measure(camera_dir: Path, camera: Camera, plane: GroundPlane, no_adversarial: Path | None) -> list[dict]:
    """One row a method."""
    truth, _ = matched(camera_dir, "person", FARTHEST_M)
    rows = []
    for name, table in methods(Refit(camera_dir, camera, plane), no_adversarial):
        rows.append({"camera": camera_dir.name, "method": name, **summary(errors(table, truth), len(truth))})
    return rows


def report(quick: bool, data: Path, sites: Sequence[Site], no_adversarial_weights: Path | None = None) -> Report:
    """The cameras, all methods; the bars are those of what the job wrote."""
    rows: list[dict] = []
    for site in sites:
        rows += measure(site.job(data), *site.calibrated(data), no_adversarial_weights)
    refined = [row for row in rows if row["method"] == "refined"]
    bars = [Bar(f"{row['camera']} {name}", row[name], **limit) for row in refined for name, limit in BARS.items()]
    return Report(rows, bars)


if __name__ == "__main__":
    main(
        "people_truth", __doc__, report, cameras=CHECKED_CAMERAS,
        no_adversarial_weights="weights.safetensors of a run without the discriminator; adds its row",
    )  # fmt: skip
