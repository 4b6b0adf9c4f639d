"""Keypoints of people in boxes, COCO's 17, by any network behind one protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from models.mm.configs import resolve_config
from models.topdown.onnx import OnnxPose
from readers.texts import expanded

__all__ = ["OnnxPose", "PersonPose", "load_pose"]


class PersonPose(Protocol):
    """Any network that finds people's keypoints."""

    def predict(self, images_bgr: Sequence[np.ndarray], boxes_xywh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """xy (N, 17, 2) px, an integer is a pixel's centre, NaN where nobody is found, and score (N, 17) 0 to 1 of
        boxes (N, 4), COCO edges, each in its uint8 image (H, W, 3)."""
        ...


def load_pose(model: str, checkpoint: str = "") -> PersonPose | None:
    """The network of a YOLO-pose export (.onnx), or of a top-down config of mmpose and its checkpoint (.pth); None
    where no model is named. Raises ValueError, one line, for files that are not there or are of another network."""
    if not model:
        return None
    if model.endswith(".onnx"):
        return OnnxPose(expanded(model, "pose_model"))
    # mmpose loads for seconds.
    from models.topdown.people import MmposePose

    return MmposePose(resolve_config(model, "mmpose"), expanded(checkpoint, "pose_checkpoint"))
