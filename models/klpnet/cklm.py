"""CKLM (KLPNet, section 3.2): where the keypoints of an object are, all of them on one map, whatever they are called.

A crop (N, 3, S, S) has features for every 4 x 4 of its pixels and maps for every 2 x 2; points on a map are in cells,
an integer at a cell's centre. A map has a channel of confidence and two of offsets, from a cell to its keypoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.klpnet import CklmSettings
from models.layers.unet import Residual

FEATURE_PX, CELL_PX = 4, 2
_FINE = FEATURE_PX // CELL_PX
CHANNELS = 3  # confidence, and offsets along x and y
_RARE = -4.0  # first logit of confidence: few cells have a keypoint


class ResNeXtBlock(nn.Module):
    """1 x 1, grouped 3 x 3 and 1 x 1 convolutions around a shortcut, as ResNeXt has them (Table 9's BottleNeck-3)."""

    def __init__(self, inside: int, outside: int, stride: int = 1, groups: int = 8) -> None:
        super().__init__()
        middle = max(outside // 2 // groups, 1) * groups
        self.body = nn.Sequential(
            nn.Conv2d(inside, middle, 1, bias=False), nn.BatchNorm2d(middle), nn.ReLU(inplace=True),
            nn.Conv2d(middle, middle, 3, stride, 1, groups=groups, bias=False), nn.BatchNorm2d(middle),
            nn.ReLU(inplace=True), nn.Conv2d(middle, outside, 1, bias=False), nn.BatchNorm2d(outside),
        )  # fmt: skip
        same = inside == outside and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(inside, outside, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H / stride, W / stride)."""
        return F.relu(self.body(x) + self.shortcut(x))


def _transmission(inside: int, outside: int) -> nn.Sequential:
    """T of equations 2 and 3: a 1 x 1 convolution of what was concatenated."""
    return nn.Sequential(nn.Conv2d(inside, outside, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True))


class Stage(nn.Module):
    """Four levels down and four up; every level but a first stage's is joined with the stage before it."""

    def __init__(self, settings: CklmSettings, *, first: bool) -> None:
        super().__init__()
        widths = settings.widths
        self.down = nn.ModuleList(
            self._stack(settings, inside, outside, stride, blocks)
            for inside, outside, stride, blocks in zip(
                (widths[0], *widths[:-1]), widths, (1, 2, 2, 2), settings.down_blocks, strict=True
            )
        )
        joined = not first and settings.aggregate
        self.join = nn.ModuleList(_transmission(2 * w, w) for w in widths) if joined else None
        self.across = nn.ModuleList(_transmission(w + n, w) for w, n in pairwise(widths))
        self.up = nn.ModuleList(
            self._stack(settings, w, w, 1, blocks) for w, blocks in zip(widths, settings.up_blocks, strict=True)
        )

    @staticmethod
    def _stack(settings: CklmSettings, inside: int, outside: int, stride: int, blocks: int) -> nn.Sequential:
        def block(i: int, s: int) -> nn.Module:
            return ResNeXtBlock(i, outside, s, settings.groups) if settings.groups else Residual(i, outside, s)

        return nn.Sequential(block(inside, stride), *(block(outside, 1) for _ in range(blocks - 1)))

    def forward(self, x: Tensor, coarse: Sequence[Tensor] | None) -> list[Tensor]:
        """Four levels (N, C_l, S / 4 / 2^l, ...), finest first, of features and of the levels of the stage before."""
        downs = []
        for level, down in enumerate(self.down):
            x = down(x)
            if self.join is not None and coarse is not None:
                x = self.join[level](torch.cat([coarse[level], x], 1))  # equation 2
            downs.append(x)
        outs = [self.up[-1](x)]
        for level in range(len(downs) - 2, -1, -1):
            larger = F.interpolate(outs[0], scale_factor=2.0, mode="nearest")
            joined = self.across[level](torch.cat([downs[level], larger], 1))  # equation 3
            outs.insert(0, self.up[level](joined))
        return outs


class Located(NamedTuple):
    """maps: of each stage (N, channels, S / 2, S / 2), logits of confidence and offsets; features (N, C, S / 4, S / 4)
    of the last stage."""

    maps: list[Tensor]
    features: Tensor


class Cklm(nn.Module):
    """Stages that each see what the one before made of every level, each with maps of its own.

    classes: how many there are; the class of an object, 0 where it is none of them, is known and is part of what the
    stages see. channels: of a map, CHANNELS unless every keypoint of every class has one.
    """

    def __init__(self, settings: CklmSettings, classes: int, channels: int = CHANNELS) -> None:
        super().__init__()
        self.settings, width = settings, settings.widths[0]
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, FEATURE_PX, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.label = nn.Embedding(classes + 1, width)
        nn.init.normal_(self.label.weight, std=0.1)
        self.stages = nn.ModuleList(Stage(settings, first=number == 0) for number in range(settings.stages))
        self.heads = nn.ModuleList(
            nn.Conv2d(width, channels * _FINE**2, 3 if channels == CHANNELS else 1, padding="same")
            for _ in range(settings.stages)
        )
        confident = (CHANNELS - 2 if channels == CHANNELS else channels) * _FINE**2
        for head in self.heads:
            nn.init.normal_(head.weight, std=0.01)  # type: ignore[arg-type]
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]
            nn.init.constant_(head.bias[:confident], _RARE)  # type: ignore[index]

    def forward(self, image: Tensor, label: Tensor) -> Located:
        """Of images (N, 3, S, S), 0 to 1, and classes (N,) int64."""
        begin = F.relu(self.stem((image - 0.45) / 0.25) + self.label(label)[:, :, None, None])
        x, levels, maps = begin, None, []
        for stage, head in zip(self.stages, self.heads, strict=True):
            levels = stage(x, levels)
            maps.append(F.pixel_shuffle(head(levels[0]), _FINE))
            x = begin + levels[0]
        return Located(maps, levels[0])  # type: ignore[index]


def kernel_sigma(kernel: int) -> float:
    """Cells: of the Gaussian of so many cells, as OpenCV has it, by whose kernels such targets are blurred."""
    return 0.3 * ((kernel - 1) / 2 - 1) + 0.8


def confidence_targets(cells: Tensor, size: int, kernel: int) -> tuple[Tensor, Tensor]:
    """Confidences (N, size, size), 1 at a point, and of each cell the number (N, size, size) of its nearest point.

    cells (N, P, 2), NaN for no point.
    """
    axis = torch.arange(size, dtype=torch.float32, device=cells.device)
    known = cells.isfinite().all(-1)
    away = cells.nan_to_num(-1e3)[..., None] - axis  # (N, P, 2, size)
    along = torch.exp(-(away**2) / (2 * kernel_sigma(kernel) ** 2))
    blurred = along[..., 1, :, None] * along[..., 0, None, :] * known[..., None, None]
    best = blurred.max(1)
    return best.values, best.indices


def map_loss(maps: Tensor, cells: Tensor, kernel: int, offset_weight: float) -> Tensor:
    """Equation 1 for one stage's maps (N, 3, M, M) and points (N, P, 2): binary cross-entropy of the confidence, to a
    unit of the targets' sum, and smooth L1 of the offsets of cells within half a kernel of a point."""
    size = maps.shape[-1]
    target, nearest = confidence_targets(cells, size, kernel)
    cross = F.binary_cross_entropy_with_logits(maps[:, 0].float(), target, reduction="sum") / target.sum().clamp_min(1)
    wanted, near = _offsets(cells, nearest, size, kernel / 2)
    off = F.smooth_l1_loss(maps[:, 1:].float(), wanted, reduction="none").sum(1)
    return cross + offset_weight * (off * near).sum() / near.sum().clamp_min(1)


def _offsets(cells: Tensor, nearest: Tensor, size: int, reach: float) -> tuple[Tensor, Tensor]:
    """Offsets (N, 2, M, M) of every cell to its nearest point, 0 where none is within reach, and where one is."""
    axis = torch.arange(size, dtype=torch.float32, device=cells.device)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"))  # (2, M, M), x first
    index = nearest.flatten(1)[..., None].expand(-1, -1, 2)
    there = cells.nan_to_num(-1e3).gather(1, index).transpose(1, 2).unflatten(-1, (size, size))
    wanted = there - grid
    near = wanted.norm(dim=1) <= reach
    return wanted * near[:, None], near


def channel_loss(maps: Tensor, cells: Tensor, kernel: int) -> Tensor:
    """The same without offsets where every keypoint has a channel: maps (N, P, M, M) of points (N, P, 2)."""
    target, _ = confidence_targets(cells.flatten(0, 1)[:, None], maps.shape[-1], kernel)
    cross = F.binary_cross_entropy_with_logits(maps.float().flatten(0, 1), target, reduction="none")
    asked = cells.isfinite().all(-1).flatten()
    return (cross.sum((1, 2)) * asked).sum() / target.sum().clamp_min(1)


def peak_cells(confidence: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Cells (N, count, 2) int64, x first, of the highest local maxima of logits (N, M, M), best first, and which are
    such (N, count): where there are fewer the rest is not."""
    size = confidence.shape[-1]
    logits = confidence.detach().float()
    top = F.max_pool2d(logits[:, None], 3, 1, 1)[:, 0]
    alone = logits.masked_fill(logits < top, -torch.inf)
    best = alone.flatten(1).topk(count)
    return torch.stack([best.indices % size, best.indices // size], -1), best.values.isfinite()


def soft_points(maps: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Points (N, K, 2) and confidences (N, K) at cells (N, K, 2) int64 of maps (N, 3, M, M), both with gradients.

    A point is the mean of what the 3 x 3 cells about it hold to be the keypoint, each weighted by its confidence.
    """
    size = maps.shape[-1]
    maps = maps.float()
    step = torch.arange(-1, 2, device=maps.device)
    around = torch.stack(torch.meshgrid(step, step, indexing="xy"), -1).flatten(0, 1)  # (9, 2), x first
    places = cells[:, :, None] + around  # (N, K, 9, 2)
    inside = ((places >= 0) & (places < size)).all(-1)
    held = places.clamp(0, size - 1)
    index = (held[..., 1] * size + held[..., 0]).flatten(1)
    values = maps.flatten(2).gather(2, index[:, None].expand(-1, CHANNELS, -1)).unflatten(-1, places.shape[1:3])
    weight = torch.softmax(values[:, 0].masked_fill(~inside, -torch.inf), -1)
    told = held + values[:, 1:].permute(0, 2, 3, 1)
    return (weight[..., None] * told).sum(-2), torch.sigmoid(values[:, 0, :, len(around) // 2])


def sampled(features: Tensor, cells: Tensor, size: int) -> Tensor:
    """(N, K, C) of features (N, C, H, W) at points (N, K, 2) in cells of a map of `size`, between cells' centres
    linearly; with gradients of both."""
    unit = 2 * (cells + 0.5) / size - 1
    return F.grid_sample(features.float(), unit[:, :, None], align_corners=False)[..., 0].transpose(1, 2)
