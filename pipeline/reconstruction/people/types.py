"""What networks see of people, what their fit is given, what sets it, and what it gives back.

Camera frame as OpenCV's, metres; pixels are the frame's own, but in supports ideal ones, the lens undone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.core.skeletons import COCO_17, SMPL_24
from pipeline.reconstruction.support_function import DIRECTIONS


@dataclass(frozen=True)
class PeopleFitSettings:
    """How well each kind of evidence measures, and which fits are refused."""

    iterations: int = field(default=160, metadata={"help": "iterations of the refinement", "formerly": "rounds"})
    outline_noise_px: float = field(default=1.0, metadata={"help": "how far an outline may be off, pixels"})
    outline_noise_fraction: float = field(
        default=0.04,
        metadata={"help": "the same in fractions of the person's size in the image", "formerly": "outline_noise_share"},
    )
    lost_legs: float = field(
        default=1.5, metadata={"help": "how much farther people may reach below their masks than elsewhere, factor"}
    )
    keypoint_noise_px: float = field(default=1.0, metadata={"help": "how far a confident keypoint may be off, pixels"})
    keypoint_noise_fraction: float = field(
        default=0.04,
        metadata={
            "help": "the same in fractions of the person's size in the image",
            "formerly": "keypoint_noise_share",
        },
    )
    robust_scale: float = field(
        default=1.5,
        metadata={
            "help": "robust-loss scale: what is off by more counts little, standard deviations",
            "formerly": "kernel",
        },
    )
    min_score: float = field(default=0.3, metadata={"help": "keypoints scored lower are missing"})
    pose_sigma_rad: float = field(default=0.25, metadata={"help": "how far a joint may be from the network's, radians"})
    prior_weight: float = field(default=0.5, metadata={"help": "what the pose prior counts"})
    limit_sigma_rad: float = field(default=0.05, metadata={"help": "how far joints turn beyond their limits, radians"})
    tilt_sigma_rad: float = field(default=0.1, metadata={"help": "how far bodies lean from upright, radians"})
    turn_sigma_rad: float = field(
        default=0.35,
        metadata={"help": "how far a body is turned from where it goes, radians, besides what motion says"},
    )
    shape_sigma: float = field(default=1.0, metadata={"help": "how far shapes of one height are from the mean"})
    height_sigma: float = field(
        default=4.0, metadata={"help": "the same of the shape's part that is height, which the image measures"}
    )
    min_size_px: float = field(default=12.0, metadata={"help": "smaller people are refused, pixels"})
    max_residual_fraction: float = field(
        default=0.08,
        metadata={
            "help": "outlines farther off, in fractions of the person's size, are refused",
            "formerly": "max_residual_share",
        },
    )
    max_range_m: float = field(default=150.0, metadata={"help": "farther than this nobody is placed, metres"})
    min_person_m: float = field(default=0.8, metadata={"help": "smaller people are refused, metres"})
    max_person_m: float = field(default=2.3, metadata={"help": "taller people are refused, metres"})


@dataclass(frozen=True)
class RegressedPeople:
    """N people as networks see them: theta (N, 24, 3) rotation vectors, the first the orientation in the camera; beta
    (N, 10); COCO's keypoints (N, 17, 2) px, an integer is a pixel's centre, with score (N, 17) 0 to 1, 0 where none was
    looked for.

    Raises ValueError where shapes differ.
    """

    theta: np.ndarray
    beta: np.ndarray
    keypoints: np.ndarray
    score: np.ndarray

    @staticmethod
    def of_poses(theta: np.ndarray, beta: np.ndarray) -> RegressedPeople:
        """People nobody has seen keypoints of."""
        points = len(theta), len(COCO_17)
        return RegressedPeople(theta, beta, np.full((*points, 2), np.nan), np.zeros(points))

    def __post_init__(self) -> None:
        count, points = len(self.theta), len(COCO_17)
        shapes: dict[str, tuple[int, ...]] = {
            "theta": (count, len(SMPL_24), 3), "beta": (count, 10), "keypoints": (count, points, 2),
            "score": (count, points),
        }  # fmt: skip
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"people {name}: expected {shape}, got {getattr(self, name).shape}")


@dataclass(frozen=True)
class PeopleSeen:
    """N observations: theta (N, 24, 3) radians, orientation in the camera frame, and beta (N, 10) of a network, NaN
    where it saw nothing; track (N,) of any integers; support (N, S) of masks, see
    `pipeline.reconstruction.support_function.outline_of_mask`. keypoints (N, 17, 2) px, COCO's order, with score
    (N, 17) in 0..1, anything or NaN where missing. heading (N,) world yaw in radians with its sigma (N,), NaN or
    infinite where motion tells none.

    Raises ValueError where shapes differ.
    """

    theta: np.ndarray
    beta: np.ndarray
    track: np.ndarray
    support: np.ndarray
    keypoints: np.ndarray | None = None
    score: np.ndarray | None = None
    heading: np.ndarray | None = None
    heading_sigma: np.ndarray | None = None

    def __post_init__(self) -> None:
        count = len(self.track)
        points = count, len(COCO_17)
        shapes: dict[str, tuple[int, ...]] = {
            "theta": (count, len(SMPL_24), 3), "beta": (count, 10), "track": (count,),
            "support": (count, len(DIRECTIONS)), "keypoints": (*points, 2), "score": points,
            "heading": (count,), "heading_sigma": (count,),
        }  # fmt: skip
        for name, shape in shapes.items():
            given = getattr(self, name)
            if given is not None and given.shape != shape:
                raise ValueError(f"people: expected {name} of shape {shape}, got {given.shape}")
        for one, other in (("keypoints", "score"), ("heading", "heading_sigma")):
            if (getattr(self, one) is None) != (getattr(self, other) is None):
                raise ValueError(f"people: expected {one} and {other} together, got one of them")


@dataclass(frozen=True)
class PeopleFits:
    """Of N observations, NaN where refused before any fit: theta (N, 24, 3), orientation in the camera frame, beta
    (N, 10), the track's, transl (N, 3) as smplx has it; R (N, 3, 3) and t (N, 3), the ground point under the pelvis, x
    forward; dims_lwh_m (N, 3) of the posed body; height_m (N,) standing, the track's; keypoints_3d (N, 17, 3), camera
    frame; box_xywh (N, 4) of the body in the image, edges; residual_px (N,) root mean square distance of the outlines;
    covariance (N, 3, 3) of world x, y and yaw; footprint (N,) of (C, 2) outlines on the ground in the body's frame,
    None where refused; refusal (N,), a reason or "".
    """

    theta: np.ndarray
    beta: np.ndarray
    transl: np.ndarray
    R: np.ndarray
    t: np.ndarray
    dims_lwh_m: np.ndarray
    height_m: np.ndarray
    keypoints_3d: np.ndarray
    box_xywh: np.ndarray
    residual_px: np.ndarray
    covariance: np.ndarray
    footprint: np.ndarray
    refusal: np.ndarray

    @staticmethod
    def refused(refusal: np.ndarray) -> PeopleFits:
        """Nothing fitted yet, of refusals (N,)."""
        shapes: dict[str, tuple[int, ...]] = {
            "theta": (len(SMPL_24), 3), "beta": (10,), "transl": (3,), "R": (3, 3), "t": (3,), "dims_lwh_m": (3,),
            "height_m": (), "keypoints_3d": (len(COCO_17), 3), "box_xywh": (4,), "residual_px": (),
            "covariance": (3, 3),
        }  # fmt: skip
        empty = {name: np.full((len(refusal), *shape), np.nan) for name, shape in shapes.items()}
        return PeopleFits(**empty, footprint=np.full(len(refusal), None, object), refusal=refusal)

    @property
    def ok(self) -> np.ndarray:
        """(N,) bool."""
        return self.refusal == ""
