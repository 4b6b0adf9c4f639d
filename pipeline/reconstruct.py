"""Place every cutout on the ground: where it stands, which way it faces, how large it is, where its keypoints are.

First version: a hull of typical proportions is fitted to the mask's outline; one size a track. World frame of the
ground plane, metres; yaw from world x towards y. `fit_residual_px` is the root mean square distance between the
supporting lines of the mask's outline and of the model's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from calibration.camera import Camera, GroundPlane, edge_to_pixel
from pipeline import keypoints
from pipeline.silhouette import KINDS, PARAMETERS, Fit, Kind, Model, Targets, outline
from pipeline.tables import RECONSTRUCTED

Progress = Callable[[int, int], None]
_GRID = 8  # headings tried where nothing tells one: a vehicle's outline is nearly the same turned by half a turn
_BATCH = 64  # cutouts fitted at a time: bounds the memory


@dataclass(frozen=True)
class ReconstructSettings:
    """When a heading is believed, and when a fit."""

    min_speed_mps: float = field(
        default=1.0, metadata={"help": "faster vehicles head where they go, metres a second"}
    )
    heading_sigma_deg: float = field(
        default=4.0, metadata={"help": "how far a moving vehicle's heading may be off, standard deviation, degrees"}
    )
    foot_noise_px: float = field(default=1.5, metadata={"help": "how far a box's bottom may be off, pixels"})
    outline_noise_px: float = field(default=1.0, metadata={"help": "how far an outline may be off, pixels"})
    outline_noise_share: float = field(
        default=0.015, metadata={"help": "and the same in shares of the mask's size: the model is no portrait"}
    )
    track_size_sigma: float = field(
        default=0.02, metadata={"help": "how far one cutout's size may be from its track's, logarithm"}
    )
    max_residual_share: float = field(
        default=0.09, metadata={"help": "an outline farther off, in shares of the mask's size, is refused"}
    )
    max_range_m: float = field(default=150.0, metadata={"help": "farther than this nothing is placed, metres"})
    min_height_m: float = field(default=0.8, metadata={"help": "smaller people are refused, metres"})
    max_height_m: float = field(default=2.3, metadata={"help": "taller people are refused, metres"})


def reconstruct_vehicles(
    cutouts: pa.Table,
    tracks: pa.Table,
    camera: Camera,
    plane: GroundPlane,
    settings: ReconstructSettings,
    progress: Progress | None = None,
) -> pa.Table:
    """RECONSTRUCTED of the vehicles among CUTOUTS (pixels not needed), in their order."""
    cutouts = cutouts.filter(pc.equal(cutouts["category"], "vehicle"))
    views = _Views(cutouts, camera, plane, settings)
    yaw, sigma = headings(cutouts, tracks, views.slack_mps, settings)
    kind, fit = _fit_kinds(views, yaw, sigma, settings, progress)
    kind, fit = _fit_tracks(views, kind, fit, cutouts["track_id"].to_numpy(), settings)
    refusals = [_vehicle_refusal(views, fit, i, settings) for i in range(len(cutouts))]
    rows = [
        _row(camera, plane, fit.parameters[i], fit.distance_px[i], refusals[i], keypoints.vehicle)
        for i in range(len(cutouts))
    ]
    return _table(cutouts, rows)
