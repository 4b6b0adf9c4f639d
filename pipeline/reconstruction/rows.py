"""What metric fits of vehicles and of people share: cutouts in their frames, rows of RECONSTRUCTED."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from calibration.camera import Camera
from pipeline.core.tables import KEYPOINT_STATES
from pipeline.reconstruction.people.types import PeopleFits
from pipeline.reconstruction.shape_priors import states_alone
from pipeline.reconstruction.vehicles.types import VehicleFits

Progress = Callable[[int, int], None]
# What keypoints or a body may know better than an outline; other refusals say that the mask shows two, or nothing that
# stands.
_LIFTED = ("outline", "unsure")


def tracks_of(outlined: pa.Table) -> np.ndarray:
    """(N,) track of each row; the untracked are tracks of one observation each."""
    track = np.asarray(outlined["track_id"].to_numpy())
    return np.where(track < 0, -1 - np.arange(len(track)), track)


def liftable(outlined: pa.Table) -> np.ndarray:
    """(N,) whether a fit may take the place of the outline's, or of its refusal."""
    return np.array([reason in (None, *_LIFTED) for reason in outlined["refusal"].to_pylist()], bool)


def row_of(
    category: str,
    fits: VehicleFits | PeopleFits,
    i: int,
    camera: Camera,
    score: np.ndarray,
    footprint: np.ndarray,
    covariance: np.ndarray,
) -> dict:
    """The columns that a fit of observation i fills; score (K,) of its keypoints, its footprint (C, 2) in its own frame
    and the covariance (3, 3) of its place."""
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
        "ground_cov": covariance.ravel().tolist(),
        "fit_residual_px": float(fits.residual_px[i]),
        "fit_ok": True,
        "refusal": None,
    }
