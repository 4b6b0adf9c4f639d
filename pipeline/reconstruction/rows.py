"""What metric fits of vehicles and of people share: cutouts in their frames, rows of RECONSTRUCTED."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from calibration.camera import Camera, GroundPlane
from pipeline.core.tables import KEYPOINT_STATES
from pipeline.reconstruction.people.types import PeopleFits
from pipeline.reconstruction.shape_priors import states_alone
from pipeline.reconstruction.uncertainty import disputed, ground_covariance, unusually_tall
from pipeline.reconstruction.vehicles.types import VehicleFits

Progress = Callable[[int, int], None]
# What keypoints or a body may know better than an outline; other refusals say that the mask shows two, or nothing that
# stands.
_LIFTED = ("outline", "unsure", "against_motion")


def tracks_of(outlined: pa.Table) -> np.ndarray:
    """(N,) track of each row; the untracked are tracks of one observation each."""
    track = np.asarray(outlined["track_id"].to_numpy())
    return np.where(track < 0, -1 - np.arange(len(track)), track)


def liftable(outlined: pa.Table) -> np.ndarray:
    """(N,) whether a fit may take the place of the outline's, or of its refusal."""
    return np.array([reason in (None, *_LIFTED) for reason in outlined["refusal"].to_pylist()], bool)


def with_covariance(
    outlined: pa.Table, fits: VehicleFits | PeopleFits, accepted: np.ndarray, camera: Camera, plane: GroundPlane
) -> list[dict]:
    """The outlines' rows, the covariance of the fits' places in those whose fit is accepted (N,); of others it grows,
    for what makes a fit fail may have misled the outline's."""
    category = outlined["category"][0].as_py()
    outline, t = (_known(outlined[name], width) for name, width in (("ground_cov", 9), ("t", 3)))
    fitted = ground_covariance(category, fits.covariance, fits.t, camera, plane)
    covariance = np.where(accepted[:, None, None], fitted, outline.reshape(-1, 3, 3))
    first, other = (plane.to_world(place)[:, :2] for place in (fits.t, t))
    told = disputed(covariance, first, other, accepted)
    if category == "person":
        told += unusually_tall(first, fits.dims_lwh_m[:, 2], plane)
    told = told.reshape(-1, 9)
    known = np.isfinite(told).all(axis=1)
    rows = outlined.to_pylist()
    return [row | {"ground_cov": told[i].tolist() if known[i] else None} for i, row in enumerate(rows)]


def _known(column: pa.ChunkedArray, width: int) -> np.ndarray:
    """(N, width) of a list column; NaN where a row is null."""
    return np.array([[np.nan] * width if row is None else row for row in column.to_pylist()], float)


def row_of(
    category: str,
    fits: VehicleFits | PeopleFits,
    i: int,
    camera: Camera,
    score: np.ndarray,
    footprint: np.ndarray,
) -> dict:
    """The columns that a fit of observation i fills; score (K,) of its keypoints, footprint (C, 2) in its own frame."""
    R, t, points_cam = fits.R[i], fits.t[i], fits.keypoints_3d[i]
    pixels = camera.project(points_cam)
    own, eye = (points_cam - t) @ R, -R.T @ t  # the keypoints and the camera in the object's frame
    states = states_alone(category, own[None], eye[None], pixels[None], camera.size_hw)[0]
    return {
        "z_m": float(t[2]),
        "keypoints_2d": pixels.ravel().tolist(),
        "keypoint_state": [KEYPOINT_STATES[s] for s in states],
        "keypoint_score": score.tolist(),
        "keypoints_3d": points_cam.ravel().tolist(),
        "R": R.ravel().tolist(),
        "t": t.tolist(),
        "dims_lwh_m": fits.dims_lwh_m[i].tolist(),
        "footprint_m": footprint.ravel().tolist(),
        "fit_residual_px": float(fits.residual_px[i]),
        "fit_ok": True,
        "refusal": None,
    }
