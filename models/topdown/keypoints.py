"""Vehicle keypoints in boxes by any network behind one protocol: what fits ask for, and the project's own network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from models.crops import checked_boxes
from models.frames import Frame
from pipeline.core.frames import cutouts_with_frames
from pipeline.core.instances import Instances
from pipeline.core.skeletons import VEHICLE_12
from pipeline.core.tables import KEYPOINT_STATES

if TYPE_CHECKING:
    from models.predictor import FramePredictor

NETWORK = "vehicle_keypoints"
_COUNT = len(VEHICLE_12)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Keypoints:
    """N vehicles' keypoints, in the order of VEHICLE_12.

    xy (N, 12, 2) px of the image, an integer is a pixel's centre, hidden points too; score (N, 12) 0 to 1, how likely
    the point lies within a tenth of the box's longer side of xy; sigma_px (N, 12) expected error along an axis; state
    (N, 12) index of KEYPOINT_STATES.
    """

    xy: np.ndarray
    score: np.ndarray
    sigma_px: np.ndarray
    state: np.ndarray

    def __post_init__(self) -> None:
        shape = len(self.xy), _COUNT
        for name, expected in {"xy": (*shape, 2), "score": shape, "sigma_px": shape, "state": shape}.items():
            if getattr(self, name).shape != expected:
                raise ValueError(f"keypoints {name}: expected {expected}, got {getattr(self, name).shape}")


class VehicleKeypoints(Protocol):
    """Any network that finds the twelve keypoints in boxes."""

    def predict(
        self, images: Sequence[np.ndarray], boxes_xywh: np.ndarray, progress: Progress | None = None
    ) -> Keypoints:
        """Keypoints of boxes (N, 4), COCO edges in px, each in its BGR uint8 image (H, W, 3); images may repeat."""
        ...


class PredictedKeypoints:
    """A predictor of the project, whose objects get keypoints, behind the protocol."""

    def __init__(self, predictor: FramePredictor) -> None:
        self.predictor = predictor

    def predict(
        self, images: Sequence[np.ndarray], boxes_xywh: np.ndarray, progress: Progress | None = None
    ) -> Keypoints:
        """See `VehicleKeypoints`; raises ValueError for another number of images than of boxes, and for bad ones."""
        boxes = checked_boxes(np.asarray(boxes_xywh, float).reshape(-1, 4) if len(images) == 0 else boxes_xywh)
        if len(images) != len(boxes):
            raise ValueError(f"vehicle keypoints: expected one image for each of {len(boxes)} boxes, got {len(images)}")
        frames = [
            Frame(image, Instances(image.shape[:2], {"bbox_xywh": box[None]}), str(number))
            for number, (image, box) in enumerate(zip(images, boxes, strict=True))
        ]
        if not frames:
            none = np.zeros((0, _COUNT))
            return Keypoints(np.zeros((0, _COUNT, 2)), none, none, none.astype(np.int64))
        found = self.predictor.of_frames(frames, progress)
        names = ("keypoints_2d", "keypoint_score", "keypoint_sigma_px")
        xy, score, sigma = (np.concatenate([one[name] for one in found]) for name in names)
        state = [[KEYPOINT_STATES.index(name) for name in row] for one in found for row in one["keypoint_state"]]
        return Keypoints(xy, score, sigma, np.array(state, np.int64))


def load_keypoints(weights: Path | None = None, device: str | None = None) -> PredictedKeypoints:
    """The project's own network, of a weights file, else of what ships; see `models.load`."""
    import models  # torch loads for seconds, other stages do without it

    return PredictedKeypoints(models.load(NETWORK, weights, device))


def predict_keypoints(
    cutouts: pa.Table, frames: pa.Table, root: Path, network: VehicleKeypoints, progress: Progress | None = None
) -> Keypoints:
    """The network's points (N, 12) of vehicle CUTOUTS, cropped from their own FRAMES; NaN and score 0 where a frame
    cannot be read any more."""
    shape, boxes = (len(cutouts), _COUNT), np.array(cutouts["bbox_xywh"].to_pylist(), float).reshape(-1, 4)
    xy, score = np.full((*shape, 2), np.nan), np.zeros(shape)
    sigma, state = np.full(shape, np.inf), np.zeros(shape, np.int64)
    for rows, pictures in cutouts_with_frames(cutouts, frames, root, progress):
        found = network.predict(pictures, boxes[rows])
        xy[rows], score[rows], sigma[rows], state[rows] = found.xy, found.score, found.sigma_px, found.state
    return Keypoints(xy, score, sigma, state)
