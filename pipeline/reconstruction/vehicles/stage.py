"""Vehicles in metric 3D: keypoints of a network, and the fit of a deformable vehicle to them, row by row of a table.

The outline's fit (pipeline.reconstruction.outline_fit) comes first: it says what cannot be composed at all, and stays
where keypoints tell too little or disagree with the mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from calibration.camera import Camera, GroundPlane, pixel_to_edge
from models.shape_basis import ShapeBasis
from models.topdown.keypoints import Keypoints
from pipeline.core.boxes import box_iou
from pipeline.core.tables import RECONSTRUCTED, matrix
from pipeline.reconstruction.outline_fit import Outlined
from pipeline.reconstruction.rows import liftable, row_of, tracks_of, with_covariance
from pipeline.reconstruction.uncertainty import footprint_of
from pipeline.reconstruction.vehicles import fit as vehicle_fit

# Two fits of one cutout that are no farther apart, in metres, the cosine of the turn and the overlap of boxes, are one.
_SAME_PLACE_M, _SAME_HEADING, _SAME_BOX = 1.0, 0.94, 0.6


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


def fit_vehicle_rows(
    outlined: Outlined,
    points: Keypoints,
    camera: Camera,
    plane: GroundPlane,
    bases: Mapping[str, ShapeBasis],
    settings: MetricSettings,
) -> pa.Table:
    """RECONSTRUCTED of vehicles, with the fit to their keypoints instead of the outline's where it holds."""
    table, headings = outlined.table, outlined.headings
    seen = vehicle_fit.VehiclesSeen(
        np.nan_to_num(points.xy), points.score, tracks_of(table), headings.yaw, headings.sigma, outlined.support,
        _outline_starts(table, plane),
    )  # fmt: skip
    fits = vehicle_fit.fit_vehicles(seen, camera, plane, bases, settings.fit)
    overlap = _box_overlap(fits, matrix(outlined.cutouts["bbox_xywh"], 4), camera, bases)
    accepted = fits.ok & liftable(table) & (overlap > settings.min_box_overlap)
    accepted |= _of_one_shape(fits, table, accepted, overlap, plane)
    rows = with_covariance(table, fits, accepted, camera, plane)
    for i in np.flatnonzero(accepted).tolist():
        footprint = footprint_of(bases[str(fits.group[i])].mesh(fits.shape[i]))
        rows[i] |= row_of(outlined.category, fits, i, camera, points.score[i], footprint)
        rows[i] |= {"shape": fits.shape[i].tolist(), "shape_basis": str(fits.group[i])}
        rows[i] |= {"turned_probability": float(fits.turned_probability[i])}
    for i in np.flatnonzero((fits.refusal == "ambiguous") & ~accepted).tolist():
        rows[i] |= _either_way(rows[i], fits, i, plane)
    for i in np.flatnonzero(_of_shaped_track(table, accepted) & ~accepted).tolist():
        if rows[i]["fit_ok"]:
            rows[i] |= {"fit_ok": False, "refusal": "other_shape"}
    return pa.Table.from_pylist(rows, schema=RECONSTRUCTED)


def _either_way(row: dict, fits: vehicle_fit.VehicleFits, i: int, plane: GroundPlane) -> dict:
    """Of an outline's row, whose front keypoints do not tell from its rear: how likely it faces away, and no keypoints,
    for half of them would be those of the other end."""
    turned = float(fits.turned_probability[i])
    if row["R"] is not None and np.cos(plane.yaw(np.reshape(row["R"], (1, 3, 3)))[0] - fits.yaw[i]) < 0:
        turned = 1 - turned
    names = ("keypoints_2d", "keypoint_state", "keypoint_score", "keypoints_3d")
    return {"turned_probability": turned} | {name: [] for name in names}


def _of_shaped_track(table: pa.Table, accepted: np.ndarray) -> np.ndarray:
    """(N,) bool: the row's track has a shape from fits that are accepted (N,)."""
    track = tracks_of(table)
    return np.isin(track, track[accepted])


def _of_one_shape(
    fits: vehicle_fit.VehicleFits, table: pa.Table, accepted: np.ndarray, overlap: np.ndarray, plane: GroundPlane
) -> np.ndarray:
    """(N,) bool: fits too doubtful by themselves that have the shape of others of their track, which are accepted (N,),
    and stand where the outline's fit, accepted too, stands and faces."""
    start = _outline_starts(table, plane)
    near = np.linalg.norm(fits.xy_m - start[:, :2], axis=1) < _SAME_PLACE_M
    alike = near & (np.cos(fits.yaw - start[:, 2]) > _SAME_HEADING) & (overlap > _SAME_BOX)
    outlined = table["fit_ok"].to_numpy(zero_copy_only=False)
    return alike & outlined & _of_shaped_track(table, accepted) & (fits.refusal != "against_motion")


def _outline_starts(placed: pa.Table, plane: GroundPlane) -> np.ndarray:
    """(N, 3) world x, y and yaw of the outlines' fits; NaN where there is none."""
    known = ~np.array(placed["t"].is_null().to_pylist(), bool)
    starts, rows = np.full((len(placed), 3), np.nan), placed.filter(pa.array(known))
    if known.any():
        R, t = matrix(rows["R"], 9), matrix(rows["t"], 3)
        starts[known] = np.column_stack([plane.to_world(t)[:, :2], plane.yaw(R.reshape(-1, 3, 3))])
    return starts


def _box_overlap(
    fits: vehicle_fit.VehicleFits, boxes_xywh: np.ndarray, camera: Camera, bases: Mapping[str, ShapeBasis]
) -> np.ndarray:
    """(N,) overlap of each fitted mesh's box in the image with the mask's; 0 where nothing was fitted."""
    overlap = np.zeros(len(fits.t))
    for name, basis in bases.items():
        rows = np.flatnonzero(np.isfinite(fits.t).all(axis=1) & (fits.group == name))
        if len(rows):
            mesh = basis.mesh(fits.shape[rows]) @ fits.R[rows].transpose(0, 2, 1) + fits.t[rows, None]
            pixels = pixel_to_edge(camera.project(mesh))
            fitted = np.concatenate([pixels.min(axis=1), np.ptp(pixels, axis=1)], axis=1)
            overlap[rows] = box_iou(fitted, boxes_xywh[rows])
    return overlap
