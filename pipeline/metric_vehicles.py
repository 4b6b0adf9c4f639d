"""Vehicles in metric 3D: keypoints of a network, and the fit of a deformable vehicle to them, row by row of a table.

The outline's fit (pipeline.reconstruct) comes first: it says what cannot be composed at all, and stays where keypoints
tell too little or disagree with the mask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from calibration.camera import Camera, GroundPlane, pixel_to_edge
from models.shape_basis import ShapeBasis
from models.vehicle_keypoints import Keypoints, VehicleKeypoints
from pipeline import vehicle_fit
from pipeline.frames import FrameReader
from pipeline.headings import Headings
from pipeline.reconstruct import states_alone
from pipeline.selection import box_iou
from pipeline.silhouette import outline
from pipeline.tables import KEYPOINT_STATES, RECONSTRUCTED

Progress = Callable[[int, int], None]
_FRAMES_AT_ONCE = 16  # decoded pictures held at a time: 0.4 GB of 4K
# What keypoints may know better than an outline; other refusals say that the mask shows two, or nothing that stands.
_LIFTED = ("outline", "unsure")


@dataclass(frozen=True)
class MetricSettings:
    """Which network finds keypoints, and when the fit to them is taken."""

    keypoints: bool = field(
        default=True, metadata={"help": "fit vehicles to keypoints; false: to their outlines alone"}
    )
    keypoint_weights: str = field(
        default="", metadata={"help": "weights file of the keypoint network, else the one that ships"}
    )
    keypoint_config: str = field(
        default="",
        metadata={"help": "top-down config of mmpose in the network's place, by its name in the zoo or a .py"},
    )
    keypoint_checkpoint: str = field(default="", metadata={"help": "weights (.pth) of keypoint_config"})
    keypoint_map: str = field(
        default="",
        metadata={
            "help": "which of keypoint_config's points are the twelve: carfusion, apollocar3d, or twelve numbers from "
            "0 with commas between, 3+4 for the mean of two; empty where it has just the twelve"
        },
    )
    min_box_overlap: float = field(
        default=0.7, metadata={"help": "a fit whose box agrees less with the mask's is of another vehicle; IoU"}
    )
    fit: vehicle_fit.VehicleFitSettings = field(default_factory=vehicle_fit.VehicleFitSettings)

    def __post_init__(self) -> None:
        if self.keypoint_weights and self.keypoint_config:
            raise ValueError("keypoint_weights and keypoint_config: expected one of them, both name a network")


def predict_keypoints(
    cutouts: pa.Table, frames: pa.Table, root: Path, network: VehicleKeypoints, progress: Progress | None = None
) -> Keypoints:
    """The network's points (N, 12) of vehicle CUTOUTS, looked at in their own FRAMES; NaN and score 0 where a frame
    cannot be read any more."""
    count, frame_ids = len(cutouts), cutouts["frame_id"].to_numpy()
    boxes = np.array(cutouts["bbox_xywh"].to_pylist(), float).reshape(-1, 4)
    xy, score = np.full((count, 12, 2), np.nan), np.zeros((count, 12))
    sigma, state = np.full((count, 12), np.inf), np.zeros((count, 12), np.int64)
    wanted = np.unique(frame_ids)
    table = frames.filter(pc.field("frame_id").isin(pa.array(wanted)))
    for first in range(0, len(wanted), _FRAMES_AT_ONCE):
        images = dict(FrameReader(table, root).read(wanted[first : first + _FRAMES_AT_ONCE].tolist()))
        rows = np.flatnonzero(np.isin(frame_ids, list(images)))
        found = network.predict([images[i] for i in frame_ids[rows].tolist()], boxes[rows])
        xy[rows], score[rows], sigma[rows], state[rows] = found.xy, found.score, found.sigma_px, found.state
        if progress:
            progress(min(first + _FRAMES_AT_ONCE, len(wanted)), len(wanted))
    return Keypoints(xy, score, sigma, state)


def fit_rows(
    outlined: pa.Table,
    points: Keypoints,
    cutouts: pa.Table,
    headings: Headings,
    camera: Camera,
    plane: GroundPlane,
    bases: Mapping[str, ShapeBasis],
    settings: MetricSettings,
) -> pa.Table:
    """RECONSTRUCTED of vehicle CUTOUTS, with the fit to their keypoints instead of the outline's where it holds."""
    track = np.asarray(outlined["track_id"].to_numpy())
    # The untracked are tracks of one observation each.
    track = np.where(track < 0, -1 - np.arange(len(track)), track)
    support = np.stack([outline(rle, camera).support for rle in cutouts["mask_rle"].to_pylist()])
    seen = vehicle_fit.Keypoints(
        np.nan_to_num(points.xy), points.score, track, headings.yaw, headings.sigma, support, _starts(outlined, plane)
    )
    fits = vehicle_fit.fit_vehicles(seen, camera, plane, bases, settings.fit)
    boxes = np.array(cutouts["bbox_xywh"].to_pylist(), float)
    lifted = np.array([reason in (None, *_LIFTED) for reason in outlined["refusal"].to_pylist()], bool)
    held = fits.ok & lifted & (_box_overlap(fits, boxes, camera, bases) > settings.min_box_overlap)
    rows = outlined.to_pylist()
    for i in np.flatnonzero(held).tolist():
        rows[i] |= _row(fits, points, i, camera)
    return pa.Table.from_pylist(rows, schema=RECONSTRUCTED)


def _starts(outlined: pa.Table, plane: GroundPlane) -> np.ndarray:
    """(N, 3) world x, y and yaw of the outlines' fits; NaN where there is none."""
    known = ~np.array(outlined["t"].is_null().to_pylist(), bool)
    starts, rows = np.full((len(outlined), 3), np.nan), outlined.filter(pa.array(known))
    if known.any():
        R, t = (np.array(rows[name].to_pylist(), float) for name in ("R", "t"))
        starts[known] = np.column_stack([plane.to_world(t)[:, :2], plane.yaw(R.reshape(-1, 3, 3))])
    return starts


def _row(fits: vehicle_fit.VehicleFits, points: Keypoints, i: int, camera: Camera) -> dict:
    """The columns that the fit of observation i fills."""
    R, t, points_cam = fits.R[i], fits.t[i], fits.keypoints_3d[i]
    pixels = camera.project(points_cam)
    states = states_alone(((points_cam - t) @ R)[None], (-R.T @ t)[None], pixels[None], camera.size_hw)[0]
    return {
        "z_m": float(t[2]),
        "keypoints_2d": pixels.ravel().tolist(),
        "keypoint_state": [KEYPOINT_STATES[s] for s in states],
        "keypoint_score": points.score[i].tolist(),
        "keypoints_3d": points_cam.ravel().tolist(),
        "R": R.ravel().tolist(),
        "t": t.tolist(),
        "dims_lwh_m": fits.dims_lwh_m[i].tolist(),
        "shape": fits.shape[i].tolist(),
        "shape_basis": str(fits.group[i]),
        "fit_residual_px": float(fits.residual_px[i]),
        "fit_ok": True,
        "refusal": None,
    }


def _box_overlap(
    fits: vehicle_fit.VehicleFits, boxes_xywh: np.ndarray, camera: Camera, bases: Mapping[str, ShapeBasis]
) -> np.ndarray:
    """(N,) overlap of each fitted mesh's box in the image with the mask's; 0 where nothing was fitted."""
    overlap = np.zeros(len(fits.t))
    for name, basis in bases.items():
        rows = np.flatnonzero(fits.ok & (fits.group == name))
        if len(rows):
            mesh = basis.mesh(fits.shape[rows]) @ fits.R[rows].transpose(0, 2, 1) + fits.t[rows, None]
            pixels = pixel_to_edge(camera.project(mesh))
            fitted = np.concatenate([pixels.min(axis=1), np.ptp(pixels, axis=1)], axis=1)
            overlap[rows] = box_iou(fitted, boxes_xywh[rows])
    return overlap
