"""A small residual network from a crop with its mask layer to the chances of CLASSES.

Crops are (N, 4, INPUT_PX, INPUT_PX) uint8 as `crops` makes them; outputs are logits (N, 6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.checkpoints import check_model
from models.layers.unet import Residual
from models.occlusion_classifier.crops import CLASSES

NAME = "occlusion_classifier"


@dataclass(frozen=True)
class NetworkSettings:
    """What the network's shape depends on; stored with its weights."""

    width: int = field(default=24, metadata={"help": "channels at half the crop's resolution; then 2, 3 and 4 times"})
    blocks: int = field(default=1, metadata={"help": "residual blocks at each of four resolutions"})


class OcclusionNetwork(nn.Module):
    """Declares what the training loop asks for: `loss` and `metrics` of a batch.

    A batch holds crop (N, 4, S, S) uint8 and classes (N, 6) float32, 1 for each class that is right.
    """

    def __init__(self, settings: NetworkSettings | None = None) -> None:
        super().__init__()
        self.settings = settings = settings or NetworkSettings()
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

    def forward(self, crop: Tensor) -> Tensor:
        """Logits (N, 6) of uint8 crops (N, 4, S, S)."""
        x = crop.float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)
        x = self.stages(self.stem(x))  # (N, C, S / 16, S / 16)
        # The mean tells of the object as a whole, the maximum of one place where it is cut.
        return self.head(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)).float()

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Minus the logarithm of the chance that all right classes have together."""
        logits = self(batch["crop"])
        right = logits.masked_fill(batch["classes"] < 0.5, -torch.inf)
        return {"loss": (logits.logsumexp(1) - right.logsumexp(1)).mean()}

    def metrics(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """(sum, count) each: the likeliest class is right; precision and recall of `unoccluded` at a chance of 0.5."""
        chance = self(batch["crop"]).softmax(1)
        best = chance.argmax(1, keepdim=True)
        whole, said = batch["classes"][:, 0] > 0.5, chance[:, 0] > 0.5
        return {
            "class_accuracy": _mean(batch["classes"].gather(1, best)[:, 0] > 0.5, torch.ones_like(whole)),
            "precision": _mean(whole, said),
            "recall": _mean(said, whole),
        }


def _mean(right: Tensor, among: Tensor) -> Tensor:
    return torch.stack([(right & among).sum(), among.sum()]).double()


def config_of(settings: NetworkSettings) -> dict[str, Any]:
    """What `build_network` rebuilds the network from; stored with its weights."""
    return {"model": NAME, "network": asdict(settings), "classes": list(CLASSES)}


def build_network(config: dict[str, Any], path: Path) -> OcclusionNetwork:
    """The untrained network of a weights file's config.

    Raises ValueError where the file holds another model's weights, or those of other classes.
    """
    check_model(config, NAME, path)
    if config.get("classes") != list(CLASSES):
        raise ValueError(f"{path}: expected a network of {', '.join(CLASSES)}, got one of {config.get('classes')}")
    return OcclusionNetwork(NetworkSettings(**config["network"]))
