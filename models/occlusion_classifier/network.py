"""A small residual network from a crop with its mask layer to the chances of CLASSES.

Crops are (N, 4, INPUT_PX, INPUT_PX) uint8 as `models.labels.occlusion` makes them; outputs are logits (N, 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from models.frames import Frame
from models.labels.occlusion import CLASSES, INPUT_PX, STORED_PX, crop_of, cropped, filled, middle
from models.layers.unet import Residual
from models.network import Batch, Network, counted
from models.occlusion_classifier import ClassifierSettings
from pipeline.core import masks
from pipeline.core.instances import Instances

_UNOCCLUDED = CLASSES.index("unoccluded")


class Answer(NamedTuple):
    """logits (N, 6) of the crops, and chance (N, 6), the mean over each and its mirror image where there is one."""

    logits: Tensor
    chance: Tensor


class OcclusionNetwork(Network):
    """A batch holds crop (N, 4, S, S) uint8 and classes (N, 6) float32, 1 for each class that is right; to predict on
    also mirrored, the crops' mirror images."""

    required: ClassVar = {"crop": (4, INPUT_PX, INPUT_PX), "classes": (len(CLASSES),)}

    def __init__(self, settings: ClassifierSettings) -> None:
        super().__init__(settings)
        widths = [settings.width * factor for factor in (1, 2, 3, 4)]
        self.stem = nn.Sequential(
            nn.Conv2d(4, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)
        )
        ins = [widths[0], *widths[:-1]]
        self.stages = nn.Sequential(
            *(
                nn.Sequential(Residual(i, o, stride), *(Residual(o, o) for _ in range(settings.blocks - 1)))
                for i, o, stride in zip(ins, widths, (2, 2, 2, 1), strict=True)
            )
        )
        self.head = nn.Sequential(nn.Dropout(0.1), nn.Linear(2 * widths[-1], len(CLASSES)))

    def forward(self, batch: Batch) -> Answer:
        """What the crops show."""
        logits = self._logits(batch["crop"])
        chance = logits.softmax(1)
        if "mirrored" in batch:
            chance = torch.stack([chance, self._logits(batch["mirrored"]).softmax(1)]).mean(0)
        return Answer(logits, chance)

    def _logits(self, crop: Tensor) -> Tensor:
        x = crop.float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)
        x = self.stages(self.stem(x))  # (N, C, S / 16, S / 16)
        # The mean tells of the object as a whole, the maximum of one place where it is truncated.
        return self.head(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)).float()

    def loss(self, pred: Answer, batch: Batch) -> dict[str, Tensor]:
        """Minus the logarithm of the chance that all right classes have together."""
        right = pred.logits.masked_fill(batch["classes"] < 0.5, -torch.inf)
        return {"total": (pred.logits.logsumexp(1) - right.logsumexp(1)).mean()}

    def metrics(self, pred: Answer, batch: Batch) -> dict[str, Tensor]:
        """The likeliest class is right; precision and recall of `unoccluded` at a chance of 0.5."""
        chance = pred.logits.softmax(1)
        best = chance.argmax(1, keepdim=True)
        whole, found = batch["classes"][:, _UNOCCLUDED] > 0.5, chance[:, _UNOCCLUDED] > 0.5
        return {
            "class_accuracy": counted(batch["classes"].gather(1, best)[:, 0] > 0.5, torch.ones_like(whole)),
            "precision": counted(whole, found),
            "recall": counted(found, whole),
        }

    def encode(self, frames: Sequence[Frame]) -> Batch:
        """The crop of each frame's one object and its mirror image; of its mask, or where that is not known its box."""
        return batch_of(np.stack([crop_of(frame.image, *_mask(frame)) for frame in frames]))

    def decode(self, pred: Answer, frames: Sequence[Frame]) -> list[Instances]:
        """occlusion, the likeliest of CLASSES, occlusion_chances (6,) of all, and unoccluded_chance."""
        chance = pred.chance.cpu().numpy()
        best = [CLASSES[k] for k in chance.argmax(1)]
        return [
            frame.objects.with_columns(
                {
                    "occlusion": best[i : i + 1],
                    "occlusion_chances": chance[i : i + 1],
                    "unoccluded_chance": chance[i : i + 1, _UNOCCLUDED],
                }
            )
            for i, frame in enumerate(frames)
        ]


def batch_of(crops: np.ndarray) -> Batch:
    """What the network predicts on, of crops (N, STORED_PX, STORED_PX, 4) uint8. Raises ValueError for any other."""
    if crops.shape[1:] != (STORED_PX, STORED_PX, 4) or crops.dtype != np.uint8:
        raise ValueError(f"crops: expected (N, {STORED_PX}, {STORED_PX}, 4) uint8, got {crops.shape} {crops.dtype}")
    seen = torch.from_numpy(np.ascontiguousarray(middle(crops).transpose(0, 3, 1, 2)))
    return {"crop": seen, "mirrored": seen.flip(3)}


def _mask(frame: Frame) -> tuple[np.ndarray, tuple[int, int]]:
    """The object's mask (h, w) bool and its place."""
    if "mask_rle" in frame.objects.columns:
        mask, (x, y, _, _) = masks.decode(str(frame.objects["mask_rle"][0]), frame.size_hw)
        return mask, (x, y)
    left, top, w, h = (float(v) for v in frame.objects["bbox_xywh"][0])
    return cropped(f"picture {frame.name or '?'}", "box", filled(frame.size_hw, left, top, left + w, top + h))
