"""What a run of mmengine is made of beside its own parts; importing this registers it.

Window n of the labelled pictures is a function of n and the seed alone, so that a run which was stopped goes on with
the windows it would have seen.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import DATA_SAMPLERS, DATASETS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.dist import get_dist_info
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.structures import InstanceData
from torch.utils.data import Dataset, Sampler

from models.contract import Progress
from models.contract.spec import from_plain
from models.detector.pictures import CLASSES, open_pictures
from models.detector.windows import Window, window
from models.scenes import WindowSettings
from pipeline.core.storage import write_json


@DATASETS.register_module()
class ClipArtWindows(Dataset):
    """Window n of the pictures, n as large as one likes."""

    metainfo = {"classes": CLASSES}  # noqa: RUF012  mmengine asks for the attribute

    def __init__(self, seed: int, window: dict[str, Any], masks: str = "visible", **source: Any) -> None:
        self.seed, self.settings, self.amodal = seed, from_plain(WindowSettings, window), masks == "amodal"
        self.pictures = open_pictures(masks=masks, **source, split="train")

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, number: int) -> dict[str, Any]:
        turn, place = divmod(number, len(self.pictures))
        order = np.random.default_rng([self.seed, turn]).permutation(len(self.pictures))
        rng = np.random.default_rng([self.seed, number, 1])
        return packed(window(self.pictures[int(order[place])], self.settings, rng, amodal=self.amodal))


def packed(made: Window) -> dict[str, Any]:
    """A window as the inputs and the data sample of a network of mmdet."""
    side = made.image_bgr.shape[:2]
    sample = DetDataSample(
        metainfo={"img_shape": side, "ori_shape": side, "scale_factor": (1.0, 1.0), "batch_input_shape": side}
    )
    sample.gt_instances = InstanceData(
        bboxes=torch.from_numpy(made.boxes_xyxy),
        labels=torch.from_numpy(made.labels),
        masks=BitmapMasks(made.masks.astype(np.uint8), *side),
    )
    nothing = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64))
    sample.ignored_instances = nothing
    image = torch.from_numpy(np.ascontiguousarray(made.image_bgr.transpose(2, 0, 1)))
    return {"inputs": image, "data_samples": sample}


@DATA_SAMPLERS.register_module()
class EndlessNumbers(Sampler):
    """0, 1, 2, ... divided among the processes; `skip` leaves out what a stopped run has seen."""

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


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Mixed precision in bfloat16 on any device; its range is float32's, so that losses need no scaling."""

    def __init__(self, *args: Any, bfloat16: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bfloat16 = bfloat16

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        """See OptimWrapper."""
        kind = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(kind, torch.bfloat16, enabled=self.bfloat16):
            yield


class Follow(Hook):
    """Tells how many steps are done, and keeps the losses in metrics.json."""

    def __init__(self, folder: Path, steps: int, history: list[dict], progress: Progress | None):
        self.path, self.steps, self.history, self.progress = folder / "metrics.json", steps, history, progress
        self.every = max(1, min(50, steps // 10))
        self.begun = time.monotonic() - (history[-1]["seconds"] if history else 0.0)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """See Hook."""
        done = runner.iter + 1
        if done % self.every == 0 or done == self.steps:
            seconds = round(time.monotonic() - self.begun, 1)
            losses = {name: float(value) for name, value in (outputs or {}).items()}
            self.history[:] = [row for row in self.history if row["step"] < done] + [
                {"step": done, "seconds": seconds, **losses}
            ]
            if runner.rank == 0:
                write_json(self.path, self.history)
        if self.progress and runner.rank == 0:
            self.progress(done, self.steps)
