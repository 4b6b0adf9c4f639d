"""A network that needs no weights: the corners of a vehicle's box are its keypoints, the lower ones occluded."""

from dataclasses import dataclass

import numpy as np

from models.contract import Preset, Spec, TrainSettings
from models.predictor import FramePredictor
from pipeline.core.skeletons import Skeleton

QUAD = Skeleton(
    ("left top", "right top", "left bottom", "right bottom"), (1, 0, 3, 2), ((0, 1), (1, 3), (3, 2), (2, 0)), (0.1,) * 4
)


@dataclass(frozen=True)
class CornerSettings:
    """There is nothing to set."""


class Corners(FramePredictor):
    """Says on which device it was asked to be."""

    def predict_batch(self, frames):
        return [self._of(frame) for frame in frames]

    def _of(self, frame):
        (box,) = frame.objects["bbox_xywh"]
        x, y, w, h = box
        if w > 150:
            raise ValueError("a vehicle wider than a street")
        corners = np.array([[x, y], [x + w, y], [x, y + h], [x + w, y + h]])[None]
        states = [["visible", "visible", "occluded", "occluded"]]
        level = frame.image[int(y) : int(y + h), int(x) : int(x + w)].mean()
        return frame.objects.with_columns(
            {"keypoints_2d": corners, "keypoint_state": states, "level": np.array([level]), "far_m": np.array([np.nan])}
        )


def load(spec, weights, device):
    predictor = Corners(spec, batch=3)
    predictor.device = device
    return predictor


CORNERS = Spec(
    name="corners",
    summary="corners of boxes",
    settings=CornerSettings,
    network="corners:Corners",
    data="corners:load",
    presets={"tiny": Preset(CornerSettings(), TrainSettings())},
    skeleton=QUAD,
    categories=("vehicle",),
    gives=("keypoints_2d", "keypoint_state", "level", "far_m"),
    predictor="corners:load",
)
