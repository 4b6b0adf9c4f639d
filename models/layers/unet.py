"""A small residual U-Net over crops, which keypoint networks stand on; its layers' names are those of what ships."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def scaled(image: Tensor) -> Tensor:
    """uint8 images as the network takes them: 0 to 1, channels last in memory, which convolves faster on CPUs."""
    return image.float().div(255).contiguous(memory_format=torch.channels_last)


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
    """Features of a crop at a quarter of its resolution, a few cells beyond its edges too, and of the whole."""

    def __init__(self, width: int, blocks: int, reach_cells: int) -> None:
        nn.Module.__init__(self)  # not what stands beside it: a network of the contract is one as well
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
        """(N, C, S / 4 + 2 reach, ...) around crops (N, 3, S, S), 0 to 1, and (N, 4 C) of the whole."""
        x = self.stem((image - 0.45) / 0.25)
        levels = []
        for stack in self.down:
            x = stack(x)
            levels.append(x)
        for level, across, stack in zip(levels[-2::-1], self.across[::-1], self.up[::-1], strict=True):
            x = stack(level + F.interpolate(across(x), scale_factor=2.0, mode="nearest"))
        return self.beyond(F.pad(x, (self.reach,) * 4)), levels[-1].mean((2, 3))
