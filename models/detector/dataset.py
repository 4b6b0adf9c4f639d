"""Random windows of labelled pictures as mmdet takes them; importing this registers them with mmdet.

Window n is a function of n and the seed alone, so that a run which was stopped goes on with the windows it would have
seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import DATA_SAMPLERS, DATASETS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.dist import get_dist_info
from mmengine.structures import InstanceData
from torch.utils.data import Dataset, Sampler

from models.detector.pictures import CLASSES, ClipArt, CocoFrames, Pictures
from models.detector.windows import Window, WindowSettings, window


def open_pictures(
    shards: str = "", masks: str = "visible", labels: str = "", images: str = "", *, kept_back: bool
) -> Pictures:
    """The pictures of a shard folder, or of a COCO file and its pictures' folder; those that train, or that judge."""
    if labels:
        return CocoFrames(Path(labels), Path(images or Path(labels).parent), kept_back=kept_back)
    return ClipArt(Path(shards), masks, kept_back=kept_back)


@DATASETS.register_module()
class ClipArtWindows(Dataset):
    """Window n of the pictures, n as large as one likes."""

    metainfo = {"classes": CLASSES}  # noqa: RUF012  mmengine asks for the attribute

    def __init__(self, seed: int, window: dict[str, Any], masks: str = "visible", **source: Any) -> None:
        self.seed, self.settings, self.amodal = seed, WindowSettings(**window), masks == "amodal"
        self.pictures = open_pictures(masks=masks, **source, kept_back=False)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, number: int) -> dict[str, Any]:
        turn, place = divmod(number, len(self.pictures))
        order = np.random.default_rng([self.seed, turn]).permutation(len(self.pictures))
        rng = np.random.default_rng([self.seed, number, 1])
        return packed(window(self.pictures[int(order[place])], self.settings, rng, amodal=self.amodal))


def packed(drawn: Window) -> dict[str, Any]:
    """A window as the inputs and the data sample of a network of mmdet."""
    side = drawn.image_bgr.shape[:2]
    sample = DetDataSample(
        metainfo={"img_shape": side, "ori_shape": side, "scale_factor": (1.0, 1.0), "batch_input_shape": side}
    )
    sample.gt_instances = InstanceData(
        bboxes=torch.from_numpy(drawn.boxes_xyxy),
        labels=torch.from_numpy(drawn.labels),
        masks=BitmapMasks(drawn.masks.astype(np.uint8), *side),
    )
    nothing = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64))
    sample.ignored_instances = nothing
    image = torch.from_numpy(np.ascontiguousarray(drawn.image_bgr.transpose(2, 0, 1)))
    return {"inputs": image, "data_samples": sample}


@DATA_SAMPLERS.register_module()
class EndlessNumbers(Sampler):
    """0, 1, 2, ... shared among the processes; `skip` leaves out what a stopped run has seen."""

    def __init__(self, dataset: Dataset, seed: int | None = None) -> None:
        self.rank, self.world = get_dist_info()
        self.dataset, self.start = dataset, 0

    def __len__(self) -> int:
        """Of one turn, which mmengine asks for; nothing ends there."""
        return len(self.dataset)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[int]:
        number = self.start
        while True:
            yield number * self.world + self.rank
            number += 1

    def skip(self, count: int) -> None:
        """Begin after `count` samples of this process."""
        self.start += count

    def set_epoch(self, epoch: int) -> None:
        """A run has one endless epoch."""
