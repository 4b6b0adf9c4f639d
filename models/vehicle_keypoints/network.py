"""A small residual U-Net from a vehicle's window to twelve heatmaps and, for each keypoint, its four states.

Images are RGB, (N, 3, 128, 128), 0 to 1. The heatmaps reach beyond the window, so that points the picture cuts off have
a place. State features are read where the heatmap looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.checkpoints import check_model
from models.crops import MAP_CELLS, REACH_CELLS
from models.layers import heatmaps
from models.layers.unet import ResidualUNet, scaled
from models.metrics.keypoints import pck_by_state
from models.network import counted
from pipeline.core.skeletons import VEHICLE_12
from pipeline.core.tables import KEYPOINT_STATES

NAME = "vehicle_keypoints"
KEYPOINTS, STATES = len(VEHICLE_12), len(KEYPOINT_STATES)


@dataclass(frozen=True)
class NetworkSettings:
    """What the network's shape depends on; stored with its weights."""

    width: int = field(default=48, metadata={"help": "channels at a quarter of the window's resolution"})
    blocks: int = field(default=1, metadata={"help": "residual blocks at each of four resolutions, each way"})


class KeypointNetwork(ResidualUNet):
    """Declares what the training loop asks for: `loss` and `metrics` of a batch.

    A batch holds image (N, 3, 128, 128) uint8 RGB, cells (N, 12, 2) heatmap coordinates, NaN where unknown, and state
    (N, 12) int64 index of KEYPOINT_STATES, -1 where unknown; for metrics also radius (N,), the cells of PCK@0.1.
    """

    def __init__(self, settings: NetworkSettings | None = None) -> None:
        settings = settings or NetworkSettings()
        super().__init__(settings.width, settings.blocks, REACH_CELLS)
        self.settings, widths = settings, self.widths
        self.heat = nn.Conv2d(widths[0], KEYPOINTS, 3, 1, 1)
        self.state = nn.Sequential(nn.Linear(widths[0] + widths[-1], 64), nn.ReLU(inplace=True), nn.Linear(64, 48))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Heatmap logits (N, 12, 40, 40) and state logits (N, 12, 4) of images (N, 3, 128, 128), 0 to 1."""
        x, whole = self.features(image)  # (N, C, 40, 40)
        heat = self.heat(x)
        return heat, self._states(heat, x, whole)

    def _states(self, heat: Tensor, features: Tensor, whole: Tensor) -> Tensor:
        """(N, 12, 4): each keypoint's own row of logits from the features under its heatmap and those of the whole."""
        where = heatmaps.distributions(heat.detach()).flatten(2).to(features.dtype)  # (N, 12, 1600)
        local = where @ features.flatten(2).transpose(1, 2)  # (N, 12, C)
        joined = torch.cat([local, whole[:, None].expand(-1, KEYPOINTS, -1)], -1)
        logits = self.state(joined).unflatten(-1, (KEYPOINTS, STATES))  # (N, 12, 12, 4)
        return torch.diagonal(logits, dim1=1, dim2=2).transpose(1, 2).float()

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """ "loss" to minimise, and its parts: cross-entropy of heatmaps and of states."""
        heat, state = self(scaled(batch["image"]))
        target = heatmaps.gaussian_targets(batch["cells"], MAP_CELLS)
        where = heatmaps.cross_entropy(heat, target)
        which = F.cross_entropy(state.flatten(0, 1), batch["state"].flatten(), ignore_index=-1, reduction="sum")
        which = which / (batch["state"] >= 0).sum().clamp_min(1)
        return {"loss": where + 0.5 * which, "heatmap": where, "state": which}

    def metrics(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each name's sum and count over the batch, (2,): PCK@0.1 of every state, and how often the state is right."""
        heat, state = self(scaled(batch["image"]))
        probability = heatmaps.distributions(heat)
        distance = (heatmaps.peaks(probability) - batch["cells"]).norm(dim=-1)
        right = counted(state.argmax(-1) == batch["state"], batch["state"] >= 0)
        return pck_by_state(distance, batch["radius"], batch["state"]) | {"state_accuracy": right}


def config_of(settings: NetworkSettings) -> dict[str, Any]:
    """What `build_network` rebuilds the network from; stored with its weights."""
    return {"model": NAME, "network": asdict(settings)}


def build_network(config: dict[str, Any], path: Path) -> KeypointNetwork:
    """The untrained network of a weights file's config.

    Raises ValueError where the file holds another model's weights.
    """
    check_model(config, NAME, path)
    return KeypointNetwork(NetworkSettings(**config["network"]))
