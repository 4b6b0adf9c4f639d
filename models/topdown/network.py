"""Keypoints in boxes by any top-down network of mmpose: its config, its own test pipeline and flip test, no more.

mmpose.apis, which does the same, needs torchvision; nothing here does. Points come back in pixels of the image, where
an integer is a pixel's centre: mmpose crops by cv2's affine maps and undoes the very same map.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.mm import pick_device, quiet
from models.mm.checkpoints import load_model_state, read_zoo_checkpoint
from models.mm.configs import build_network, read_config

_BATCH = 32


class TopDown:
    """A network that says where each of its `points` keypoints lies."""

    def __init__(self, config: Path, checkpoint: Path, device: str = "auto") -> None:
        """Raises ValueError, one line, without the packages, for a config that is no top-down network's and for a
        checkpoint of another architecture."""
        self.config, self.device = config, pick_device(device)
        settings = _topdown_config(config)
        self.network = build_network(settings, "mmpose")
        load_model_state(self.network, read_zoo_checkpoint(checkpoint).state, checkpoint)
        self.network = self.network.to(self.device).eval()
        self.pipeline, self.about = _pipeline(settings, config)
        # Tells how many points there are, and whether config, pipeline and network fit together.
        self.points = self._probed()

    def predict(self, images_bgr: Sequence[np.ndarray], boxes_xywh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """xy (N, points, 2) px and score (N, points) 0 to 1 of boxes (N, 4), COCO edges, each in its uint8 image
        (H, W, 3); NaN and 0 for boxes without an area. Raises ValueError for another number of images than of boxes.
        """
        boxes = np.asarray(boxes_xywh, float).reshape(-1, 4)
        if len(images_bgr) != len(boxes):
            raise ValueError(f"{self.config.stem}: expected one image for each of {len(boxes)} boxes")
        xy, score = np.full((len(boxes), self.points, 2), np.nan), np.zeros((len(boxes), self.points))
        usable = np.flatnonzero(np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1))
        for first in range(0, len(usable), _BATCH):
            rows = usable[first : first + _BATCH]
            xy[rows], score[rows] = self._of_crops([images_bgr[row] for row in rows], boxes[rows])
        return xy, score

    def _of_crops(self, images: Sequence[np.ndarray], boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        import torch
        from mmengine.dataset import pseudo_collate

        corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1).astype(np.float32)
        crops = [
            self.pipeline({"img": image, "bbox": box[None], "bbox_score": np.ones(1, np.float32), **self.about})
            for image, box in zip(images, corners, strict=True)
        ]
        with torch.inference_mode():
            found = [sample.pred_instances for sample in self.network.test_step(pseudo_collate(crops))]
        xy = np.stack([np.asarray(one.keypoints, float)[0, :, :2] for one in found])
        score = np.stack([np.asarray(one.keypoint_scores, float)[0] for one in found])
        return xy, np.clip(score, 0, 1)

    def _probed(self) -> int:
        blank = np.zeros((64, 64, 3), np.uint8)
        try:
            with quiet():
                return self._of_crops([blank], np.array([[8.0, 8, 48, 48]]))[0].shape[1]
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(
                f"{self.config}: expected a top-down network of mmpose, this one fails on a box "
                f"({type(error).__name__}: {reason})"
            ) from None


def _topdown_config(config: Path) -> Any:
    settings = read_config(config)
    kind = settings.model.get("type")
    if kind != "TopdownPoseEstimator":
        raise ValueError(f"{config}: expected a top-down network (TopdownPoseEstimator), got {kind}")
    return settings


def _pipeline(settings: Any, config: Path) -> tuple[Any, dict[str, Any]]:
    """The config's transforms of one box, and which points swap when a picture is mirrored."""
    from mmengine.dataset import Compose
    from mmengine.registry import DefaultScope
    from mmpose.datasets.datasets.utils import parse_pose_metainfo
    from mmpose.registry import DATASETS

    loader = settings.get("test_dataloader") or settings.get("val_dataloader")
    dataset = loader.get("dataset") if loader else None
    if not dataset or "pipeline" not in dataset:
        raise ValueError(f"{config}: expected a test_dataloader whose dataset has a pipeline")
    try:
        with quiet(), DefaultScope.overwrite_default_scope(settings.get("default_scope", "mmpose")):
            pipeline = Compose(dataset.pipeline)
            metainfo = dataset.get("metainfo") or getattr(DATASETS.get(dataset.get("type")), "METAINFO", None)
            about = parse_pose_metainfo(metainfo) if metainfo else {}
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{config}: its test pipeline or dataset cannot be built ({reason})") from None
    return pipeline, {"flip_indices": about["flip_indices"]} if about else {}
