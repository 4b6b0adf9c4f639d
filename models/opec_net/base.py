"""The base networks: heatmaps of joints in a crop, and the three feature maps that the correction is guided by.

Crops are RGB (N, 3, H, W), 0 to 1. Both networks are in Simple Baseline's form (Xiao et al., 2018): a ResNet, three
deconvolutions that double the resolution and give F1, F2 and F3, and a 1 x 1 convolution.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import get_ident
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.layers.unet import Residual
from models.opec_net import BaseSettings, OpecNetSettings

_MEAN, _STD = 0.45, 0.25  # of pixels, about
_STRIDE = 4  # of the stem


class Seen(NamedTuple):
    """heat (N, K, H', W') logits; maps: F1, F2, F3 (N, C, h, w), coarse to fine."""

    heat: Tensor
    maps: list[Tensor]


def _doubled(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(inside, outside, 4, 2, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)
    )


class Bottleneck(nn.Module):
    """Two convolutions by way of `inside` channels around a shortcut, which at first let everything pass."""

    def __init__(self, channels: int, inside: int) -> None:
        super().__init__()
        last = nn.BatchNorm2d(channels)
        nn.init.zeros_(last.weight)
        self.body = nn.Sequential(
            nn.Conv2d(channels, inside, 3, 1, 1, bias=False), nn.BatchNorm2d(inside), nn.ReLU(inplace=True),
            nn.Conv2d(inside, channels, 3, 1, 1, bias=False), last,
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) of the same."""
        return F.relu(x + self.body(x))


class SimpleBase(nn.Module):
    """Small enough for two CPU cores; `first` as in `crop_frames.frame_of_cells`."""

    first = 0.5

    def __init__(self, settings: BaseSettings, joints: int) -> None:
        super().__init__()
        widths, self.maps = settings.widths, settings.deconvolutions
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 7, _STRIDE, 3, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(Residual(i, o, 1 + (n > 0)), *(Residual(o, o) for _ in range(count - 1)))
            for n, (i, o, count) in enumerate(zip((widths[0], *widths[:-1]), widths, settings.blocks, strict=True))
        )
        self.tail = Bottleneck(widths[-1], settings.tail) if settings.tail else None
        ins = (widths[-1], *self.maps[:-1])
        self.deconvolutions = nn.ModuleList(_doubled(i, o) for i, o in zip(ins, self.maps, strict=True))
        self.fourth = _doubled(self.maps[-1], settings.fourth) if settings.fourth else None
        self.heat = nn.Conv2d(settings.fourth or self.maps[-1], joints, 1)

    def forward(self, image: Tensor) -> Seen:
        """Of crops."""
        x = self.stem((image - _MEAN) / _STD)
        for stage in self.stages:
            x = stage(x)
        x = x if self.tail is None else self.tail(x)
        maps = []
        for deconvolution in self.deconvolutions:
            x = deconvolution(x)
            maps.append(x)
        return Seen(self.heat(x if self.fourth is None else self.fourth(x)), maps)


class MmposeBase(nn.Module):
    """Any top-down heatmap network of mmpose: of its modules three, by name, whose outputs are F1, F2 and F3.

    Its last convolution is ours where it has other joints. Its codec puts cell 0's centre on the crop's edge.
    """

    first = 0.0
    mean: Tensor
    std: Tensor

    def __init__(self, settings: BaseSettings, joints: int) -> None:
        """Raises ValueError, one line, for a config that cannot be built or has no such modules."""
        from models.mm.configs import build_network, read_config, resolve_config

        super().__init__()
        config = read_config(resolve_config(settings.config, "mmpose"))
        kinds = config.model.get("type"), config.model.get("head", {}).get("type")
        if kinds != ("TopdownPoseEstimator", "HeatmapHead"):
            raise ValueError(
                f"{settings.config}: expected a TopdownPoseEstimator with a HeatmapHead, got {kinds[0]} with {kinds[1]}"
            )
        about = config.model.get("data_preprocessor", {})
        for name, usual in (("mean", [123.675, 116.28, 103.53]), ("std", [58.395, 57.12, 57.375])):
            values = torch.tensor(about.get(name, usual), dtype=torch.float32).view(1, 3, 1, 1) / 255
            self.register_buffer(name, values, persistent=False)
        self.network = build_network(config, "mmpose")
        if settings.checkpoint:
            _load(self.network, Path(settings.checkpoint))
        final = self.network.head.final_layer
        if final.out_channels != joints:
            self.network.head.final_layer = nn.Conv2d(final.in_channels, joints, 1)
        known = dict(self.network.named_modules())
        if missing := [name for name in settings.features if name not in known]:
            near = [name for name in known if name.startswith("head.") and name.count(".") == 2]
            raise ValueError(
                f"{settings.config}: features: no module {missing[0]}; of its head there are {', '.join(near)}"
            )
        self.features, self.maps = settings.features, settings.deconvolutions

    def forward(self, image: Tensor) -> Seen:
        """Of crops. Raises ValueError where the named maps have other channels than the settings say."""
        seen: dict[str, Tensor] = {}
        with ExitStack() as hooks:
            for name in self.features:  # by this call alone: several threads may predict with one network
                hook = self.network.get_submodule(name).register_forward_hook(_kept(seen, name, get_ident()))
                hooks.callback(hook.remove)
            heat = self.network.head(self.network.backbone((image - self.mean) / self.std))
        maps = [seen[name] for name in self.features]
        found = tuple(one.shape[1] for one in maps)
        if found != tuple(self.maps):
            raise ValueError(f"opec_net: deconvolutions: expected {self.maps} channels of the features, got {found}")
        return Seen(heat, maps)


def _kept(seen: dict[str, Tensor], name: str, thread: int) -> Callable[..., None]:
    def keep(_module: nn.Module, _given: Any, out: Tensor) -> None:
        if get_ident() == thread:
            seen[name] = out

    return keep


def _load(network: nn.Module, path: Path) -> None:
    from models.mm.checkpoints import load_model_state, read_zoo_checkpoint

    load_model_state(network, read_zoo_checkpoint(path).state, path)


def base_of(settings: OpecNetSettings) -> SimpleBase | MmposeBase:
    """The one that the settings name."""
    kind = MmposeBase if settings.base.config else SimpleBase
    return kind(settings.base, len(settings.joints))


def check_heat(heat: Tensor, settings: OpecNetSettings) -> None:
    """Raise ValueError unless heatmaps (N, K, H', W') are of the size that the settings' crop gives."""
    finer = 2 if settings.base.fourth else 1
    expected = settings.height_px * finer // _STRIDE, settings.width_px * finer // _STRIDE
    if tuple(heat.shape[-2:]) != expected:
        raise ValueError(
            f"opec_net: expected heatmaps of {expected} cells of a crop {settings.height_px} px high and "
            f"{settings.width_px} wide, got {tuple(heat.shape[-2:])}; set height_px and width_px to the network's input"
        )
