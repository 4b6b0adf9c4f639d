"""What the fit of vehicles is given, its settings, and what it gives back.

World frame of the ground plane, metres, yaw radians from x towards y; camera frame as OpenCV's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pipeline.core.skeletons import VEHICLE_12
from pipeline.reconstruction.support_function import DIRECTIONS
from pipeline.reconstruction.vehicles.facing import probability_turned


@dataclass(frozen=True)
class VehicleFitSettings:
    """How well keypoints measure, and which fits are refused."""

    noise_px: float = field(default=1.0, metadata={"help": "how far a confident keypoint may be off, pixels"})
    noise_fraction: float = field(
        default=0.01,
        metadata={"help": "the same in fractions of the vehicle's size in the image", "formerly": "noise_share"},
    )
    model_noise_m: float = field(default=0.02, metadata={"help": "how far a vehicle is from every basis, metres"})
    robust_scale: float = field(
        default=2.0,
        metadata={
            "help": "robust-loss scale: keypoints off by more count linearly, standard deviations",
            "formerly": "kernel",
        },
    )
    min_score: float = field(default=0.05, metadata={"help": "keypoints scored lower are missing"})
    min_points: int = field(default=4, metadata={"help": "fewer keypoints place no vehicle"})
    max_coefficient: float = field(
        default=3.0, metadata={"help": "bound on shape coefficients of bases without their own"}
    )
    first_iterations: int = field(
        default=4,
        metadata={"help": "iterations of each observation alone, for every group", "formerly": "first_rounds"},
    )
    iterations: int = field(default=12, metadata={"help": "iterations of whole tracks, at most", "formerly": "rounds"})
    outline_iterations: int = field(
        default=4,
        metadata={"help": "further iterations with outlines, where they are given", "formerly": "outline_rounds"},
    )
    outline_noise_px: float = field(default=1.0, metadata={"help": "how far an outline may be off, pixels"})
    outline_noise_fraction: float = field(
        default=0.015,
        metadata={
            "help": "the same in fractions of the vehicle's size in the image",
            "formerly": "outline_noise_share",
        },
    )
    car_fraction: float = field(
        default=0.8, metadata={"help": "how common cars are among vehicles, 0 to 1", "formerly": "car_share"}
    )
    van_fraction: float = field(
        default=0.13, metadata={"help": "the same of vans and minibuses", "formerly": "van_share"}
    )
    heavy_fraction: float = field(
        default=0.07, metadata={"help": "the same of buses and lorries", "formerly": "heavy_share"}
    )
    max_residual_fraction: float = field(
        default=0.06,
        metadata={
            "help": "keypoints farther off, in fractions of the vehicle's size, are refused",
            "formerly": "max_residual_share",
        },
    )
    max_position_sigma_m: float = field(
        default=1.0, metadata={"help": "what is placed less confidently is refused, metres"}
    )
    max_position_sigma_fraction: float = field(
        default=0.05,
        metadata={"help": "and, of what is far, fractions of its range", "formerly": "max_position_sigma_share"},
    )
    max_yaw_sigma_deg: float = field(
        default=15.0, metadata={"help": "what is turned less confidently is refused, degrees"}
    )
    min_turned_cost: float = field(
        default=4.0, metadata={"help": "front and back differ by so many squared standard deviations"}
    )

    @property
    def group_fractions(self) -> Mapping[str, float]:
        """How common each group of vehicles is; one that is not named is taken for rare."""
        common = {"car": self.car_fraction, "van": self.van_fraction, "heavy": self.heavy_fraction}
        return common | {f"wide_{name}": fraction for name, fraction in common.items()}


@dataclass(frozen=True)
class VehiclesSeen:
    """N observations: xy (N, 12, 2) pixels (anything where missing), scores (N, 12) in 0..1 with 0 for missing,
    track (N,) of any integers. heading (N,) radians with its sigma (N,), NaN or infinite where motion gives none.
    support (N, S), how far masks reach, see `pipeline.reconstruction.support_function.outline_of_mask`, rows of NaN
    where there is none. start (N, 3), world x, y and yaw of a first guess to try beside our own; rows of NaN where
    there is none.

    Raises ValueError where shapes differ or a score is outside 0..1.
    """

    xy: np.ndarray
    scores: np.ndarray
    track: np.ndarray
    heading: np.ndarray | None = None
    heading_sigma: np.ndarray | None = None
    support: np.ndarray | None = None
    start: np.ndarray | None = None

    def __post_init__(self) -> None:
        count = len(self.track)
        points = count, len(VEHICLE_12)
        given, wanted = (self.xy.shape, self.scores.shape), ((*points, 2), points)
        if given != wanted:
            raise ValueError(f"keypoints: expected xy and scores of shapes {wanted}, got {given}")
        if self.start is not None and self.start.shape != (count, 3):
            raise ValueError(f"keypoints: expected start of shape {(count, 3)}, got {self.start.shape}")
        if self.support is not None and self.support.shape != (count, len(DIRECTIONS)):
            raise ValueError(
                f"keypoints: expected support of shape {(count, len(DIRECTIONS))}, got {self.support.shape}"
            )
        if not ((self.scores >= 0) & (self.scores <= 1)).all():
            raise ValueError(f"keypoints: expected scores in 0..1, got {self.scores.min()} to {self.scores.max()}")
        if (self.heading is None) != (self.heading_sigma is None):
            raise ValueError("keypoints: expected heading and heading_sigma together, got one of them")


@dataclass(frozen=True)
class VehicleFits:
    """Of N observations, NaN where refused before any fit: R (N, 3, 3), t (N, 3), xy_m (N, 2) and yaw (N,) on the
    plane (NaN without one), shape (N, K), the track's, group (N,) names, keypoints_3d (N, 12, 3) in the camera frame,
    dims_lwh_m (N, 3), residual_px (N,) weighted root mean square, covariance (N, D, D) of x, y, yaw, or of the turn
    about the camera's axes and t; turned_cost (N,), by how much the vehicle turned about fits worse; refusal (N,), a
    reason or "".
    """

    R: np.ndarray
    t: np.ndarray
    xy_m: np.ndarray
    yaw: np.ndarray
    shape: np.ndarray
    group: np.ndarray
    keypoints_3d: np.ndarray
    dims_lwh_m: np.ndarray
    residual_px: np.ndarray
    covariance: np.ndarray
    turned_cost: np.ndarray
    refusal: np.ndarray

    @property
    def ok(self) -> np.ndarray:
        """(N,) bool."""
        return self.refusal == ""

    @property
    def turned_probability(self) -> np.ndarray:
        """(N,) how likely the vehicle faces the other way; NaN where nothing was fitted."""
        return probability_turned(self.turned_cost)
