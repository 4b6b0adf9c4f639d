"""Vehicle keypoints by any top-down network of mmpose whose points contain our twelve.

Such a network tells a score and no more, so the rest follows from what a score means here, the chance that the point
lies within a tenth of the box's longer side: the error is that of the round Gaussian of which so much lies within, and
a point that scores less than MIN_SCORE is called occluded, one outside the image truncated, any other visible.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.topdown.keypoints import Keypoints, Progress
from models.topdown.mapping import parse_map
from models.topdown.network import TopDown
from pipeline.core.skeletons import VEHICLE_12
from pipeline.core.tables import KEYPOINT_STATES

MIN_SCORE = 0.3  # mmpose's own, below which it visualises no point
_VISIBLE, _OCCLUDED, _TRUNCATED = map(KEYPOINT_STATES.index, ("visible", "occluded", "truncated"))
_RADIUS = 0.1  # of the box's longer side
_AT_ONCE = 256  # boxes between two reports of progress


class MmposeKeypoints:
    """VehicleKeypoints that runs a config and its checkpoint."""

    def __init__(self, config: Path, checkpoint: Path, keypoint_map: str = "", device: str = "auto") -> None:
        """Raises ValueError, one line, as TopDown and `parse_map` do."""
        self.network = TopDown(config, checkpoint, device)
        self.map = parse_map(keypoint_map, self.network.points)

    def predict(
        self, images: Sequence[np.ndarray], boxes_xywh: np.ndarray, progress: Progress | None = None
    ) -> Keypoints:
        """See `VehicleKeypoints`."""
        boxes = np.asarray(boxes_xywh, float).reshape(-1, 4)
        shape = len(boxes), len(VEHICLE_12)
        xy, score = np.zeros((*shape, 2)), np.zeros(shape)
        if len(images) != len(boxes):
            raise ValueError(f"vehicle keypoints: expected one image for each of {len(boxes)} boxes, got {len(images)}")
        for first in range(0, len(boxes), _AT_ONCE):
            rows = slice(first, min(first + _AT_ONCE, len(boxes)))
            xy[rows], score[rows] = self.map.twelve(*self.network.predict(images[rows], boxes[rows]))
            if progress:
                progress(rows.stop, len(boxes))
        sizes_hw = np.array([image.shape[:2] for image in images], float).reshape(-1, 2)
        return Keypoints(xy, score, sigmas(score, boxes), states(xy, score, sizes_hw))


def sigmas(score: np.ndarray, boxes_xywh: np.ndarray) -> np.ndarray:
    """(N, 12) px along an axis: P(|error| < r) = 1 - exp(-r^2 / 2 sigma^2) is the score, r a tenth of the box."""
    radius = _RADIUS * boxes_xywh[:, 2:].max(axis=1, initial=0)[:, None]
    return radius / np.sqrt(-2 * np.log1p(-np.clip(score, 0.01, 0.99)))


def states(xy: np.ndarray, score: np.ndarray, sizes_hw: np.ndarray) -> np.ndarray:
    """(N, 12) indices of KEYPOINT_STATES of points in images of sizes (N, 2)."""
    inside = ((xy >= -0.5) & (xy < sizes_hw[:, None, ::-1] - 0.5)).all(axis=2)
    return np.where(score < MIN_SCORE, _OCCLUDED, np.where(inside, _VISIBLE, _TRUNCATED))
