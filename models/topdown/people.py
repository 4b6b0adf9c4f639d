"""Any top-down network of mmpose that finds COCO's 17 keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.topdown.network import TopDown
from pipeline.core.skeletons import COCO_17


class MmposePose:
    """PersonPose that runs a config and its checkpoint."""

    def __init__(self, config: Path, checkpoint: Path, device: str = "auto") -> None:
        """Raises ValueError, one line, as TopDown does and for a network of other points."""
        self.network = TopDown(config, checkpoint, device)
        if self.network.points != len(COCO_17):
            raise ValueError(
                f"{config}: expected a network of COCO's {len(COCO_17)} keypoints, got one of {self.network.points}"
            )

    def predict(self, images_bgr: Sequence[np.ndarray], boxes_xywh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See PersonPose."""
        return self.network.predict(images_bgr, boxes_xywh)
