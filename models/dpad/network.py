"""The detector as the house trains and runs it: mmdet's one-stage network behind `models.network.Network`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.dpad import DpadSettings
from models.dpad.data import GREY, MOST
from models.frames import Frame
from models.layers.regions import box_overlaps
from models.mm import require
from models.mm.detectors import built, first_weights, normalised
from models.network import Batch, Network, counted
from pipeline.core.instances import Instances

_MULTIPLE = 32  # sides of a picture, px
_SAME = 0.5  # IoU from which a box is an object's
_LIKELY = 0.3  # score of what counts as found while training
_VEHICLES = ("car", "van", "bus", "lorry", "motorbike", "bicycle")


class Dense(NamedTuple):
    """By level class scores, relative boxes and centredness of pictures of a padded size (H, W)."""

    scores: list[Tensor]
    boxes: list[Tensor]
    centres: list[Tensor]
    size_hw: tuple[int, int]


class Dpad(Network):
    """See the module; `detector` is what mmdet builds of `models.dpad.config`."""

    required: ClassVar = {"image": (3, None, None), "labels": (MOST,), "boxes": (MOST, 4)}

    def __init__(self, settings: DpadSettings | None = None) -> None:
        super().__init__(settings or DpadSettings())
        require("mmdet")
        import models.dpad.neck  # noqa: F401  registers what the config names
        from models.dpad.config import model_config

        self.detector: Any = built(model_config(self.settings))

    def initialise(self, seed: int) -> None:
        """mmdet's first weights."""
        first_weights(self.detector.backbone, self.detector.neck, self.detector.bbox_head)

    def forward(self, batch: Batch) -> Dense:
        """What the head says of every place of a batch's images."""
        image = batch["image"]
        levels = self.detector.extract_feat(normalised(image))
        found = (tuple(level.float() for level in kind) for kind in self.detector.bbox_head(levels))
        scores, boxes, centres = (list(kind) for kind in found)
        return Dense(scores, boxes, centres, (image.shape[-2], image.shape[-1]))

    def loss(self, pred: Dense, batch: Batch) -> dict[str, Tensor]:
        """Focal loss of classes, CIoU of boxes, cross-entropy of centredness."""
        from mmengine.structures import InstanceData

        about = [_about(pred.size_hw, pred.size_hw)] * len(batch["labels"])
        wanted = [
            InstanceData(bboxes=boxes[labels >= 0], labels=labels[labels >= 0])
            for labels, boxes in zip(batch["labels"], batch["boxes"], strict=True)
        ]
        with torch.autocast(batch["image"].device.type, enabled=False):
            found = self.detector.bbox_head.loss_by_feat(pred.scores, pred.boxes, pred.centres, wanted, about)
        parts = {name.removeprefix("loss_"): torch.stack(list(values)).sum() for name, values in found.items()}
        return {"total": torch.stack(list(parts.values())).sum(), **parts}

    def found(self, pred: Dense, sizes_hw: Sequence[tuple[int, int]]) -> list[Any]:
        """Of each picture `bboxes` (N, 4) xyxy px, `scores` and `labels`, best first, in its own size."""
        about = [_about(size_hw, pred.size_hw) for size_hw in sizes_hw]
        return self.detector.bbox_head.predict_by_feat(
            pred.scores, pred.boxes, pred.centres, batch_img_metas=about, cfg=self.detector.test_cfg, rescale=False
        )

    def metrics(self, pred: Dense, batch: Batch) -> dict[str, Tensor]:
        """Of objects the fraction found, of likely boxes the fraction that is right: of its class, IoU 0.5."""
        recall, precision = torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
        found = self.found(pred, [pred.size_hw] * len(batch["labels"]))
        for one, labels, boxes in zip(found, batch["labels"], batch["boxes"], strict=True):
            likely = one.scores >= _LIKELY
            true = labels >= 0
            overlap = box_overlaps(one.bboxes[likely], boxes[true])
            right = (overlap >= _SAME) & (one.labels[likely][:, None] == labels[true])
            objects, told = right.any(0) if len(right) else torch.zeros(int(true.sum()), dtype=torch.bool), right.any(1)
            recall += counted(objects.cpu(), torch.ones_like(objects.cpu()))
            precision += counted(told.cpu(), torch.ones_like(told.cpu()))
        return {"recall": recall, "precision": precision}

    def encode(self, frames: Sequence[Frame]) -> Batch:
        """The pictures, grey to the right and below, as the largest and a multiple of 32 px ask."""
        size = np.max([frame.size_hw for frame in frames], axis=0)
        height, width = (int(-(-side // _MULTIPLE) * _MULTIPLE) for side in size)
        images = np.full((len(frames), height, width, 3), GREY, np.uint8)
        for image, frame in zip(images, frames, strict=True):
            image[: frame.size_hw[0], : frame.size_hw[1]] = frame.image[..., ::-1]
        return {"image": torch.from_numpy(images.transpose(0, 3, 1, 2).copy())}

    def decode(self, pred: Dense, frames: Sequence[Frame]) -> list[Instances]:
        """Of each frame its objects, best first: class, category (vehicle for what drives, else the class), score and
        bbox_xywh."""
        found = self.found(pred, [frame.size_hw for frame in frames])
        return [self._objects(one, frame) for one, frame in zip(found, frames, strict=True)]

    def _objects(self, one: Any, frame: Frame) -> Instances:
        boxes = one.bboxes.double().cpu().numpy()
        names = [self.settings.table.names[k] for k in one.labels.tolist()]
        return Instances(frame.size_hw, {
            "class": names, "category": list(map(category_of, names)), "score": one.scores.double().cpu().numpy(),
            "bbox_xywh": np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]),
        })  # fmt: skip


def category_of(name: str) -> str:
    """The category, as other networks ask for it, of what a class is called."""
    return "vehicle" if name in _VEHICLES else name


def _about(size_hw: tuple[int, int], padded_hw: tuple[int, int]) -> dict[str, Any]:
    about = {"img_shape": size_hw, "ori_shape": size_hw, "pad_shape": padded_hw, "batch_input_shape": padded_hw}
    return about | {"scale_factor": (1.0, 1.0)}
