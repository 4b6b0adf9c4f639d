"""A small U-Net from a crop, its background and a rough mask to the pixels that are the object's.

Inputs are (N, 10, H, W) as `inputs` stacks them, H and W multiples of STRIDE; outputs are logits (N, 1, H, W). Every
pixel is classified in the frame's own resolution: what is fine in a mask of 20 x 70 pixels is lost by any resizing.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.matting import MattingSettings
from models.matting.data import CROP_PX
from models.matting.predict import CHANNELS
from models.network import Batch, Network


class MattingNetwork(Network):
    """Four scales, two 3 x 3 convolutions at each on the way down and on the way up, skips between them."""

    required: ClassVar = {"inputs": (CHANNELS, CROP_PX, CROP_PX), "mask": (1, CROP_PX, CROP_PX)}

    def __init__(self, settings: MattingSettings) -> None:
        super().__init__(settings)
        widths = settings.widths
        self.down = nn.ModuleList(_block(a, b) for a, b in zip((CHANNELS, *widths[:-1]), widths, strict=True))
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, 2) for a, b in pairs)
        self.up = nn.ModuleList(_block(2 * b, b) for _, b in pairs)
        self.head = nn.Conv2d(widths[0], 1, 1)

    def forward(self, batch: Batch) -> Tensor:
        """Logits (N, 1, H, W)."""
        x, kept = batch["inputs"], []
        for number, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if number else x)
            kept.append(x)
        kept.pop()
        for grow, block in zip(self.grow, self.up, strict=True):
            x = block(torch.cat([grow(x), kept.pop()], 1))
        return self.head(x)

    def loss(self, pred: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of every pixel, and half of 1 - soft Dice coefficient (Milletari et al., 2016, eq. 3)."""
        logits, target = pred.float(), batch["mask"]
        entropy = F.binary_cross_entropy_with_logits(logits, target)
        chance = logits.sigmoid()
        both = (chance * target).sum((1, 2, 3))
        dice = 1 - (2 * both + 1) / ((chance**2).sum((1, 2, 3)) + target.sum((1, 2, 3)) + 1)
        parts = {"entropy": entropy, "dice": 0.5 * dice.mean()}
        return {"total": parts["entropy"] + parts["dice"], **parts}

    def metrics(self, pred: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Mean intersection over union with the true mask, of the result and of the rough mask: (sum, count) each."""
        target, rough = batch["mask"] > 0.5, batch["rough"] > 0.5
        found = {"iou": pred.float() > 0, "iou_rough": rough}
        return {name: _summed(_iou(mask, target)) for name, mask in found.items()}


def _block(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(inplace=True),
        nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(inplace=True),
    )  # fmt: skip


def _iou(mask: Tensor, target: Tensor) -> Tensor:
    """(N,) of masks (N, 1, H, W); 1 where both are empty."""
    both, either = (mask & target).sum((1, 2, 3)), (mask | target).sum((1, 2, 3))
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def _summed(values: Tensor) -> Tensor:
    return torch.stack([values.double().sum(), torch.tensor(float(len(values)), dtype=torch.float64)])
