"""Keypoints of people in boxes, COCO's 17, by any network behind one protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from pipeline.pose.onnx import OnnxPose

__all__ = ["OnnxPose", "PersonPose"]


class PersonPose(Protocol):
    """Any network that finds people's keypoints."""

    def predict(self, images_bgr: Sequence[np.ndarray], boxes_xywh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """xy (N, 17, 2) px, an integer is a pixel's centre, NaN where nobody is found, and score (N, 17) 0 to 1 of
        boxes (N, 4), COCO edges, each in its uint8 image (H, W, 3)."""
        ...
