"""A small residual U-Net from a vehicle's window to twelve heatmaps and, for each keypoint, its four states.

Images are RGB, (N, 3, 128, 128), 0 to 1. The heatmaps reach beyond the window, so that points the picture cuts off have
a place. State features are read where the heatmap looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.checkpoints import check_model
from models.crops import GROWN, MAP_CELLS, REACH_CELLS
from models.layers import heatmaps

NAME = "vehicle_keypoints"
KEYPOINTS, STATES = 12, 4
PCK_SHARE = 0.1  # of the box's longer side: PCK@0.1


@dataclass(frozen=True)
class NetworkSettings:
    """What the network's shape depends on; stored with its weights."""

    width: int = field(default=48, metadata={"help": "channels at a quarter of the window's resolution"})
    blocks: int = field(default=1, metadata={"help": "residual blocks at each of four resolutions, each way"})


class Residual(nn.Module):
    """Two 3 x 3 convolutions around a shortcut (He et al., 2016)."""

    def __init__(self, inside: int, outside: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True),
            nn.Conv2d(outside, outside, 3, 1, 1, bias=False), nn.BatchNorm2d(outside),
        )  # fmt: skip
        same = inside == outside and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(inside, outside, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H / stride, W / stride)."""
        return F.relu(self.body(x) + self.shortcut(x))


def _stack(inside: int, outside: int, stride: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(Residual(inside, outside, stride), *(Residual(outside, outside) for _ in range(blocks)))


class ResidualUNet(nn.Module):
    """Features of a window at a quarter of its resolution, a few cells beyond its edges too, and of the whole."""

    def __init__(self, width: int, blocks: int, reach_cells: int) -> None:
        super().__init__()
        self.widths = widths = [width * factor for factor in (1, 2, 3, 4)]
        self.reach = reach_cells
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, 4, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        ins = [widths[0], *widths[:-1]]
        self.down = nn.ModuleList(
            _stack(i, o, stride, blocks) for i, o, stride in zip(ins, widths, (1, 2, 2, 2), strict=True)
        )
        self.across = nn.ModuleList(nn.Conv2d(w, n, 1) for n, w in pairwise(widths))
        self.up = nn.ModuleList(_stack(n, n, 1, blocks - 1) for n in widths[:-1])
        self.beyond = Residual(widths[0], widths[0])

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, S / 4 + 2 reach, ...) around windows (N, 3, S, S), 0 to 1, and (N, 4 C) of the whole."""
        x = self.stem((image - 0.45) / 0.25)
        levels = []
        for stack in self.down:
            x = stack(x)
            levels.append(x)
        for level, across, stack in zip(levels[-2::-1], self.across[::-1], self.up[::-1], strict=True):
            x = stack(level + F.interpolate(across(x), scale_factor=2.0, mode="nearest"))
        return self.beyond(F.pad(x, (self.reach,) * 4)), levels[-1].mean((2, 3))


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
        placed = target.flatten(2).sum(-1) > 0
        cross = -(target * torch.log_softmax(heat.float().flatten(2), -1).view_as(heat)).sum((-1, -2))
        where = cross.sum() / placed.sum().clamp_min(1)
        which = F.cross_entropy(state.flatten(0, 1), batch["state"].flatten(), ignore_index=-1, reduction="sum")
        which = which / (batch["state"] >= 0).sum().clamp_min(1)
        return {"loss": where + 0.5 * which, "heatmap": where, "state": which}

    def metrics(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each name's sum and count over the batch, (2,): PCK@0.1 of every state, and how often the state is right."""
        heat, state = self(scaled(batch["image"]))
        probability = heatmaps.distributions(heat)
        distance = (heatmaps.peaks(probability) - batch["cells"]).norm(dim=-1)
        known = ~torch.isnan(distance)
        right = distance <= batch["radius"][:, None]
        result = {"pck": _mean(right, known)}
        for index, name in enumerate(("visible", "self_occluded", "occluded", "truncated")):
            result[f"pck_{name}"] = _mean(right, known & (batch["state"] == index))
        result["state_accuracy"] = _mean(state.argmax(-1) == batch["state"], batch["state"] >= 0)
        return result


def _mean(right: Tensor, among: Tensor) -> Tensor:
    return torch.stack([(right & among).sum(), among.sum()]).double()


def scaled(image: Tensor) -> Tensor:
    """uint8 images as the network takes them: 0 to 1, channels last in memory, which convolves faster on CPUs."""
    return image.float().div(255).contiguous(memory_format=torch.channels_last)


def pck_radius_cells() -> float:
    """Cells that PCK@0.1 allows in a window that was grown from its box as `window` does."""
    return PCK_SHARE * (MAP_CELLS - 2 * REACH_CELLS) / GROWN


def config_of(settings: NetworkSettings) -> dict[str, Any]:
    """What `build_network` rebuilds the network from; stored with its weights."""
    return {"model": NAME, "network": asdict(settings)}


def build_network(config: dict[str, Any], path: Path) -> KeypointNetwork:
    """The untrained network of a weights file's config.

    Raises ValueError where the file holds another model's weights.
    """
    check_model(config, NAME, path)
    return KeypointNetwork(NetworkSettings(**config["network"]))
