"""The correction of a pose: feature maps adapted to it (CFA) and the graph network that they guide (IGP-GCN).

Poses (N, K, 2) are in the crop's frame, see `models.geometry.crop_frames`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.geometry.crop_frames import sampled
from models.layers.graph import GraphLayer, ResidualGraph, SemanticConv, skeleton_edges
from models.opec_net import DECONVOLUTIONS, GraphSettings
from pipeline.core.skeletons import Skeleton

Look = Callable[[int, Tensor], Tensor]  # features (N, K, C) of the map of a number at a pose


class Corrected(NamedTuple):
    """poses: the three of equation 3, or the final one alone; nodes (N, K, C) of the last block."""

    poses: list[Tensor]
    nodes: Tensor


class Read(NamedTuple):
    """Logits (P, K) of each joint: that it is visible, and how alike OKS will find it to the truth."""

    visible: Tensor
    score: Tensor


class Found(NamedTuple):
    """heat (P, K, H', W') logits of P people; base (P, K, 2) and confidence (P, K) about its peaks; initial (P, K, 2);
    stays (P, K, 2): where joints are held, None where none is, and hold (P, K) how far, None where that is read of
    them; where there is a correction its poses, what it reads of them, and the logits of CFA's heatmap; where there are
    couples of rows pairs (C, 2) their poses, each (C, 2, K, 2), and what is read of them, (2 C, K)."""

    heat: Tensor
    base: Tensor
    confidence: Tensor
    initial: Tensor
    stays: Tensor | None
    hold: Tensor | None
    poses: list[Tensor]
    read: Read | None
    auxiliary: Tensor | None
    pairs: Tensor
    couple_poses: list[Tensor]
    couple_read: Read | None

    def by_method(self) -> dict[str, Tensor]:
        """Poses (P, K, 2) of the base, of OPEC-Net, and of CoupleGraph, where who is alone keeps OPEC-Net's."""
        found = {"base": self.base}
        if self.poses:
            found["opec"] = self.held(self.poses[-1], self.read)
        if self.couple_poses:
            rows = self.pairs.flatten()
            theirs = self.held(self.couple_poses[-1].flatten(0, 1), self.couple_read, rows)
            found["couple"] = self.with_couples(found["opec"], theirs)
        return found

    def held(self, xy: Tensor, read: Read | None, rows: Tensor | None = None) -> Tensor:
        """Poses (R, K, 2) of some rows, or of all, with their joints held: L1 draws a joint to the middle of where it
        may be, a heatmap's peak is where it is likeliest."""
        if self.stays is None or read is None:
            return xy
        chosen = slice(None) if rows is None else rows
        hold = torch.sigmoid(read.visible.detach()) if self.hold is None else self.hold[chosen]
        return torch.lerp(xy, self.stays[chosen].to(xy.dtype), hold[..., None])

    def with_couples(self, values: Tensor, theirs: Tensor) -> Tensor:
        """Values (P, ...) with CoupleGraph's (2 C, ...) in the rows of its pairs."""
        return values.index_copy(0, self.pairs.flatten(), theirs.to(values.dtype))

    @property
    def final(self) -> Tensor:
        """(P, K, 2) the last that there is."""
        return list(self.by_method().values())[-1]


def convolved(inside: int, outside: int) -> nn.Sequential:
    """The supplement's Conv: 3 x 3 and ReLU."""
    return nn.Sequential(nn.Conv2d(inside, outside, 3, 1, 1), nn.ReLU(inplace=True))


class Fusion(nn.Module):
    """The supplement's fusion block: the coarser map, doubled, weighed channel by channel by what both hold, and added
    to the finer one; then Conv (equation 5)."""

    def __init__(self, coarse: int, fine: int, outside: int) -> None:
        super().__init__()
        self.up = nn.Sequential(nn.ConvTranspose2d(coarse, fine, 2, 2), nn.ReLU(inplace=True))
        self.first, self.second = nn.Linear(2 * fine, fine), nn.Linear(fine, fine)
        self.out = convolved(fine, outside)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """(N, O, 2 h, 2 w) of (N, C, h, w) and (N, C', 2 h, 2 w)."""
        up = self.up(coarse)
        mean = torch.cat([up, fine], 1).mean((2, 3))
        gate = torch.sigmoid(self.second(F.relu(self.first(mean))))
        return self.out(up * gate[..., None, None] + fine)


class Adaption(nn.Module):
    """Cascaded feature adaption: F^1 = Conv(F1), F^i+1 = Fusion(F^i, Fi+1), and the heatmaps of F^3 (equations 4 to 6).

    Without fusion every map is Conv of its own.
    """

    def __init__(self, settings: GraphSettings, maps: Sequence[int], joints: int) -> None:
        super().__init__()
        widths = settings.adapted
        self.first = convolved(maps[0], widths[0])
        rest = list(zip(widths[:-1], maps[1:], widths[1:], strict=True))
        self.rest = nn.ModuleList(Fusion(*one) if settings.fusion else convolved(*one[1:]) for one in rest)
        self.fused = settings.fusion
        self.heat = nn.Conv2d(widths[-1], joints, 3, 1, 1)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The three adapted maps of F1, F2, F3."""
        adapted = [self.first(maps[0])]
        for block, fine in zip(self.rest, maps[1:], strict=True):
            adapted.append(block(adapted[-1], fine) if self.fused else block(fine))
        return adapted


class ProgressiveGraph(nn.Module):
    """Image-guided progressive GCN: two graph layers, a ResGCN attention block without the picture, and three with it,
    each of which sees the maps' features at the present pose, coarse to fine, and displaces it.

    The supplement's widths are 128 for the layers and 256 for the blocks, with a projection where they change. Where a
    node looks has no gradient, what it sees has: the displacement alone moves the pose.
    """

    def __init__(self, settings: GraphSettings, nodes: int, looks: Sequence[int], edges: Tensor, joints: int) -> None:
        """nodes: features of a node that are given beside its place; looks: channels that each look gives."""
        super().__init__()
        self.progressive, width = settings.progressive, settings.width
        self.first = GraphLayer(2 + nodes, settings.first, edges)
        self.second = GraphLayer(settings.first, settings.first, edges)
        self.unguided = ResidualGraph(settings.first, width, edges, joints)
        seen = [look + 2 if look else 0 for look in looks]  # with a look comes the place
        self.blocks = nn.ModuleList(ResidualGraph(width + more, width, edges, joints) for more in seen)
        count = DECONVOLUTIONS if settings.progressive else 1
        self.heads = nn.ModuleList(SemanticConv(width, 2, edges) for _ in range(count))
        for head in self.heads:  # starts as the initial pose
            for name, weight in head.named_parameters():
                if name != "logits":
                    nn.init.zeros_(weight)

    def forward(self, xy: Tensor, nodes: Tensor, look: Look | None) -> Corrected:
        """Of a pose and given features (N, K, F) of its nodes."""
        inside = self.unguided(self.second(self.first(torch.cat([xy, nodes], -1))))
        poses = [xy]
        for number, block in enumerate(self.blocks):
            if look is not None:
                at = poses[-1].detach()
                inside = torch.cat([inside, look(number, at), at], -1)
            inside = block(inside)
            if self.progressive:
                poses.append(poses[-1] + self.heads[number](inside))
        if not self.progressive:
            poses.append(xy + self.heads[0](inside))
        return Corrected(poses[1:], inside)


class Correction(nn.Module):
    """CFA and IGP-GCN of one person: what OPEC-Net puts behind its base."""

    def __init__(self, settings: GraphSettings, maps: Sequence[int], skeleton: Skeleton, clues: int) -> None:
        """maps: channels of F1, F2 and F3; clues: numbers that are known of a joint beside its place."""
        super().__init__()
        self.settings, joints = settings, len(skeleton)
        adapts = settings.image_guided and settings.adaption
        self.adaption = Adaption(settings, maps, joints) if adapts else None
        self.widths = settings.adapted if adapts else tuple(maps)
        edges, looks = skeleton_edges(skeleton), self.looks if settings.image_guided else [0] * DECONVOLUTIONS
        self.graph = ProgressiveGraph(settings, clues, looks, edges, joints)

    @property
    def looks(self) -> list[int]:
        """Channels of what a look at each of the three blocks gives."""
        return list(self.widths) if self.settings.multi_scale else [self.widths[-1]] * DECONVOLUTIONS

    def adapted(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The maps that are looked at, in the order of the blocks."""
        maps = list(maps) if self.adaption is None else self.adaption(maps)
        return maps if self.settings.multi_scale else [maps[-1]] * DECONVOLUTIONS

    def heat(self, adapted: Sequence[Tensor]) -> Tensor | None:
        """Heatmap logits of equation 6; None without CFA."""
        return None if self.adaption is None else self.adaption.heat(adapted[-1])

    def forward(self, xy: Tensor, clues: Tensor, adapted: Sequence[Tensor]) -> Corrected:
        """Of a pose to begin with and its joints' clues (N, K, C)."""

        def look(number: int, at: Tensor) -> Tensor:
            return sampled(adapted[number].float(), at)

        return self.graph(xy, clues, look if self.settings.image_guided else None)
