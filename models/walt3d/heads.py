"""What is found in each region: its class with a whole and a visible box; masks of both; keypoints and their states.

Registered in mmdet, so that a config names them. Regions and boxes are (N, 4) xyxy in the picture's edge coordinates.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from mmdet.models.backbones import SwinTransformer
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from models.layers import heatmaps
from models.scenes.objects import CLASSES, MOST_KEYPOINTS
from pipeline.core.skeletons import OF_CATEGORY
from pipeline.core.tables import KEYPOINT_STATES

COUNTS = [len(OF_CATEGORY[name]) for name in CLASSES]
POINTS = sum(COUNTS)  # of all classes together: each has channels of its own
_STATES = len(KEYPOINT_STATES)
_OUTLINE = 14  # cells of a coarse mask along each side
_WIDTH, _WIDTHS = (
    0.25,
    (-2.5, 1.0),
)  # of a region: how far off a guess is at first, and logarithms of what it may become
# Of each class the channels of its keypoints, filled up to MOST_KEYPOINTS with its first.
_CHANNELS = torch.tensor(
    [[sum(COUNTS[:c]) + (k if k < COUNTS[c] else 0) for k in range(MOST_KEYPOINTS)] for c in range(len(CLASSES))]
)


class Boxes(NamedTuple):
    """logits (N, classes + 1), the last of nothing; whole and visible (N, 4), each relative to the region; features
    (N, D)."""

    logits: Tensor
    whole: Tensor
    visible: Tensor
    features: Tensor


class Inside(NamedTuple):
    """Logits over a region's cells: masks (N, 2 or 3, S, S) of the whole, of what is seen and, layered, of what is
    covered; heat (N, 29, S, S); states (N, 29, 4)."""

    masks: Tensor
    heat: Tensor
    states: Tensor


@MODELS.register_module()
class PairedBoxHead(BaseModule):
    """Two fully connected layers, then the class and two boxes: of the whole object and of what is seen of it.

    The whole box may leave the picture, and is never cut at its edge. Suppression compares what is seen.
    """

    def __init__(self, channels: int, cells: int, hidden: int, init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(channels * cells**2, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.classes, self.boxes = nn.Linear(hidden, len(CLASSES) + 1), nn.Linear(hidden, 8)
        nn.init.normal_(self.classes.weight, std=0.01)
        nn.init.normal_(self.boxes.weight, std=0.001)
        nn.init.zeros_(self.boxes.bias)

    def forward(self, features: Tensor) -> Boxes:
        """Of features (N, C, cells, cells)."""
        hidden = self.layers(features)
        whole, visible = self.boxes(hidden).float().chunk(2, 1)
        return Boxes(self.classes(hidden).float(), whole, visible, hidden.float())


class _Trunk(nn.Module):
    """Convolutions over a region's cells, each of which knows where it lies and what the whole region looks like: left
    and right, front and back, are not to be seen in a few cells."""

    def __init__(self, channels: int, width: int, convolutions: int, hidden: int) -> None:
        super().__init__()
        self.context = nn.Linear(hidden, width)
        sizes = [channels + 2, *[width] * (convolutions - 1)]
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(size, width, 3, 1, 1, bias=False), nn.GroupNorm(min(8, width // 4), width))
            for size in sizes
        )

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        """Of features (N, C, S, S) and the region's own (N, D)."""
        axis = torch.linspace(-1, 1, features.shape[-1], device=features.device)
        places = torch.stack(torch.meshgrid(axis, axis, indexing="ij")).expand(len(features), -1, -1, -1)
        x, whole = torch.cat([features, places], 1), self.context(context)[..., None, None]
        for number, layer in enumerate(self.layers):
            x = F.relu(layer(x) + whole if number == 0 else layer(x))
        return x


@MODELS.register_module()
class InsideHead(BaseModule):
    """Masks, heatmaps of keypoints, and their states, from a region's features.

    layered: as WALT's head (notes A6), the covered part is predicted first, and the masks on condition of it.
    """

    def __init__(
        self, channels: int, width: int, convolutions: int, hidden: int, *, layered: bool = False, init_cfg: Any = None
    ) -> None:
        super().__init__(init_cfg)
        self.layered = layered
        self.cover = _Trunk(channels, width, convolutions, hidden) if layered else None
        self.trunk = _Trunk(channels + width * layered, width, convolutions, hidden)
        # Both branches share it, as in WALT's head.
        self.finer = nn.Sequential(nn.ConvTranspose2d(width, width, 2, 2), nn.ReLU())
        self.masks, self.heat = nn.Conv2d(width, 2, 1), nn.Conv2d(width, POINTS, 1)
        self.covered = nn.Conv2d(width, 1, 1) if layered else None
        self.states = nn.Conv2d(width, POINTS * _STATES, 1)
        # What the whole region lets be expected: masks, coarsely (as PANet's head has it, Liu et al., 2018), and of
        # keypoints the places from the middle with the logarithms of widths.
        self.outline = nn.Linear(hidden, 2 * _OUTLINE**2)
        nn.init.normal_(self.outline.weight, std=0.01)
        self.guess = nn.Linear(hidden, 3 * POINTS)
        nn.init.normal_(self.guess.weight, std=0.01)
        nn.init.constant_(self.guess.bias, 0.0)

    def expected(self, context: Tensor, cells: int) -> Tensor:
        """Logits (N, 29, cells, cells) of Gaussians about the places at which the box head's features (N, D) let
        keypoints be expected: the start that cells correct, and all there is where they show an occluder."""
        x, y, width = self.guess(context).float().unflatten(1, (POINTS, 3)).unbind(-1)
        axis = (torch.arange(cells, device=context.device) + 0.5) / cells - 0.5
        width = _WIDTH * width.clamp(*_WIDTHS).exp()
        off = (axis - y[..., None])[..., :, None].square() + (axis - x[..., None])[..., None, :].square()
        return -off / (2 * width.square())[..., None, None]

    def forward(self, features: Tensor, context: Tensor) -> Inside:
        """Of features (N, C, S / 2, S / 2) and what the box head makes of the region (N, D)."""
        covered = []
        if self.cover is not None and self.covered is not None:
            cover = self.cover(features, context)
            features = torch.cat([features, cover], 1)
            covered = [self.covered(self.finer(cover))]
        trunk = self.trunk(features, context)
        finer = self.finer(trunk)
        heat = self.heat(finer).float() + self.expected(context, finer.shape[-1])
        # A keypoint's state is read where the keypoint seems to be.
        attention = F.avg_pool2d(heatmaps.distributions(heat), 2) * 4
        states = self.states(trunk).float().unflatten(1, (POINTS, _STATES))
        states = torch.einsum("nkshw,nkhw->nks", states, attention)
        coarse = self.outline(context).unflatten(1, (2, _OUTLINE, _OUTLINE))
        masks = self.masks(finer) + F.interpolate(coarse, finer.shape[-2:], mode="bilinear", align_corners=False)
        return Inside(torch.cat([masks, *covered], 1).float(), heat, states)


@MODELS.register_module()
class StemmedSwin(SwinTransformer):
    """mmdet's Swin behind a stem of convolutions in place of its patches, with which it learns faster from little data
    (Xiao et al., 2021, "Early convolutions help transformers see better")."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.patch_embed = _Stem(settings["embed_dims"])


class _Stem(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        sizes = ((3, dim // 2, 2), (dim // 2, dim, 2), (dim, dim, 1))
        self.layers = nn.Sequential(*(
            nn.Sequential(nn.Conv2d(a, b, 3, step, 1, bias=False), nn.GroupNorm(min(8, b // 4), b), nn.ReLU())
            for a, b, step in sizes
        ))  # fmt: skip
        self.projection = nn.Conv2d(dim, dim, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Tokens (N, H W, dim) of images (N, 3, 4 H, 4 W), and (H, W)."""
        x = self.projection(self.layers(image))
        return x.flatten(2).transpose(1, 2), (x.shape[2], x.shape[3])


def of_class(values: Tensor, labels: Tensor) -> Tensor:
    """(N, 17, ...) of values (N, 29, ...) of all classes' keypoints those of each one's class (N,); rows beyond the
    class's skeleton are of no meaning."""
    index = _CHANNELS.to(labels.device)[labels]
    return values.gather(1, index.view(*index.shape, *[1] * (values.ndim - 2)).expand(-1, -1, *values.shape[2:]))


def mask_loss(masks: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy of logits (N, 2 or 3, S, S) and targets (N, 2, S, S), 0 to 1, of whole and visible masks.

    Of layered logits the third is of what the whole mask has and the visible one has not.
    """
    if masks.shape[1] == 3:
        targets = torch.cat([targets, (targets[:, :1] - targets[:, 1:]).clamp_min(0)], 1)
    if not len(masks):
        return masks.sum()
    return F.binary_cross_entropy_with_logits(masks, targets, reduction="none").mean((0, 2, 3)).sum()


def keypoint_losses(found: Inside, labels: Tensor, cells: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropies of keypoints in cells (N, 17, 2), NaN where unknown, and of their states (N, 17), -1 unknown.

    Hidden keypoints count as visible ones do: what composing knows of them is the point of it.
    """
    heat = of_class(found.heat, labels)
    place = heatmaps.cross_entropy(heat, heatmaps.gaussian_targets(cells, heat.shape[-1]))
    logits, known = of_class(found.states, labels), states >= 0
    if not known.any():
        return place + 0 * found.heat.sum(), 0 * logits.sum()
    return place, F.cross_entropy(logits[known], states[known])
