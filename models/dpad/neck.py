"""The neck of DPAD (KLPNet, equations 9 to 12), and a ResNeXt small enough for CPUs; importing this registers both.

With `custom_imports = dict(imports=["models.dpad.neck"])` and `neck=dict(type="DPAD", ...)` any config of mmdet has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmdet.models.backbones.resnext import Bottleneck, ResNeXt
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

_TOP_DOWN = 5  # levels of the top-down path, C3 to C7


@MODELS.register_module()
class SmallResNeXt(ResNeXt):
    """ResNeXt with a depth of 14, too: one bottleneck a stage."""

    arch_settings = {**ResNeXt.arch_settings, 14: (Bottleneck, (1, 1, 1, 1))}  # noqa: RUF012  mmdet's name


@MODELS.register_module()
class DPAD(BaseModule):
    """Top-down over C3 to C7, bottom-up over all levels, each by concatenation and a 1 x 1 convolution.

    in_channels: of the backbone's levels, finest first. C6 and C7 are made of the backbone's last, C8 and further ones
    of C7: the paper says from C7 and, in its supplement, from C5; convolutions of stride 2 that follow each other come
    from both. num_outs: levels given, of out_channels each.
    """

    def __init__(
        self, in_channels: Sequence[int], out_channels: int, num_outs: int, norm_cfg: Any = None,
        act_cfg: Any = None, init_cfg: Any = None,
    ) -> None:  # fmt: skip
        init = {"type": "Xavier", "layer": "Conv2d", "distribution": "uniform"}
        super().__init__(init if init_cfg is None else init_cfg)
        if num_outs < len(in_channels):
            raise ValueError(f"DPAD: num_outs: expected at least the {len(in_channels)} levels given, got {num_outs}")
        if len(in_channels) > _TOP_DOWN:
            raise ValueError(f"DPAD: in_channels: expected at most {_TOP_DOWN} levels, got {len(in_channels)}")
        self.count, width = num_outs, out_channels
        made = {"norm_cfg": norm_cfg, "act_cfg": {"type": "ReLU"} if act_cfg is None else act_cfg}

        def convolutions(count: int, inside: int, size: int, stride: int = 1) -> nn.ModuleList:
            return nn.ModuleList(
                ConvModule(inside, width, size, stride, size // 2, inplace=False, **made) for _ in range(count)
            )

        top_down = min(num_outs, _TOP_DOWN)
        self.lateral = nn.ModuleList(ConvModule(c, width, 1, inplace=False, **made) for c in in_channels)  # g(P)
        self.coarser = convolutions(num_outs - len(in_channels), width, 3, 2)  # D of equation 11, and C6 and C7
        self.down = convolutions(top_down - 1, 2 * width, 1)  # equation 9
        self.refine = convolutions(num_outs, width, 3)  # g(C)
        self.shrink = convolutions(num_outs - 1, width, 3, 2)  # D of equations 10 and 12
        self.up = convolutions(num_outs - 1, 2 * width, 1)  # equations 10 and 12

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """num_outs levels (N, out_channels, H_l, W_l), finest first, of the backbone's."""
        levels = [lateral(x) for lateral, x in zip(self.lateral, inputs, strict=True)]
        top_down = len(self.down) + 1
        for coarser in self.coarser[: top_down - len(levels)]:
            levels.append(coarser(levels[-1]))
        for level in range(top_down - 2, -1, -1):
            larger = F.interpolate(levels[level + 1], size=levels[level].shape[2:], mode="nearest")
            levels[level] = self.down[level](torch.cat([larger, levels[level]], 1))
        for coarser in self.coarser[len(self.coarser) - (self.count - top_down) :] if self.count > top_down else ():
            levels.append(coarser(levels[-1]))
        outs = [self.refine[0](levels[0])]
        for level in range(1, self.count):
            smaller = self.shrink[level - 1](outs[-1])
            outs.append(self.up[level - 1](torch.cat([smaller, self.refine[level](levels[level])], 1)))
        return tuple(outs)
