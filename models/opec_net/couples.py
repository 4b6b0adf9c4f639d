"""CoupleGraph: which people are couples, and the graph of two that corrects both (section 3.2, figure 5).

The paper says neither who is paired nor in which frame: couples are people whose boxes overlap by LEAST_IOU, which is
where its Table 1 begins to count, the best pair first and each person once; the frame is that of both boxes' union.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from models.geometry.crop_frames import reframed, sampled
from models.layers.graph import paired_edges, skeleton_edges
from models.opec_net import GraphSettings
from models.opec_net.correction import ProgressiveGraph
from pipeline.core.boxes import box_iou
from pipeline.core.skeletons import Skeleton

LEAST_IOU = 0.3


def couples_of(boxes_xywh: np.ndarray, least: float = LEAST_IOU) -> np.ndarray:
    """(C, 2) rows of boxes (P, 4) that are couples, the lower row first: greedily by their overlap, each person once.

    Of three or more in one clump the best pairs are couples, and who is left stays alone. Ties go to the lower rows.
    """
    first, second = np.triu_indices(len(boxes_xywh), 1)
    overlap = box_iou(boxes_xywh[first], boxes_xywh[second])
    free, found = np.ones(len(boxes_xywh), bool), []
    for number in np.argsort(-overlap, kind="stable"):
        a, b = first[number], second[number]
        if overlap[number] >= least and free[a] and free[b]:
            free[[a, b]] = False
            found.append((a, b))
    return np.array(sorted(found), int).reshape(-1, 2)


def union_boxes(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(C, 4) xywh around both of boxes (C, 4)."""
    low = np.minimum(first[:, :2], second[:, :2])
    return np.column_stack([low, np.maximum(first[:, :2] + first[:, 2:], second[:, :2] + second[:, 2:]) - low])


class CoupleGraph(nn.Module):
    """Two skeletons and the links between their same joints; its nodes begin with OPEC-Net's result and features.

    A node sees the maps of both people at its place. Both skeletons share every weight: exchanging the two exchanges
    the results. It learns behind OPEC-Net and changes nothing of it.
    """

    def __init__(self, settings: GraphSettings, looks: Sequence[int], skeleton: Skeleton, aspect: float) -> None:
        super().__init__()
        self.aspect, joints = aspect, len(skeleton)
        edges = paired_edges(skeleton_edges(skeleton))
        self.graph = ProgressiveGraph(settings, 1 + settings.width, [2 * n for n in looks], edges, joints)

    def forward(
        self, xy: Tensor, confidence: Tensor, nodes: Tensor, maps: Sequence[Tensor], squares: Tensor, union: Tensor
    ) -> tuple[list[Tensor], Tensor]:
        """Poses (C, 2, K, 2), each in its person's frame, and nodes (2 C, K, F).

        Of couples' poses (C, 2, K, 2), confidences (C, 2, K), node features (C, 2, K, F), maps (2 C, C', h, w), one
        person behind the other, their squares (C, 2, 3) and the square of both (C, 3).
        """
        count, joints = xy.shape[0], xy.shape[2]
        own = squares.flatten(0, 1)
        others, around = squares.flip(1).flatten(0, 1), union.repeat_interleave(2, 0)

        def to_union(places: Tensor) -> Tensor:  # (2 C, K, 2) to (C, 2 K, 2)
            return reframed(places, own, around, self.aspect).view(count, 2 * joints, 2)

        def from_union(places: Tensor, frames: Tensor) -> Tensor:
            return reframed(places.reshape(2 * count, joints, 2), around, frames, self.aspect)

        def exchanged(values: Tensor) -> Tensor:
            return values.unflatten(0, (count, 2)).flip(1).flatten(0, 1)

        def look(number: int, at: Tensor) -> Tensor:
            seen = maps[number].float()  # large: the places are exchanged, not the maps
            theirs = exchanged(sampled(seen, exchanged(from_union(at, others))))
            return torch.cat([sampled(seen, from_union(at, own)), theirs], -1).reshape(count, 2 * joints, -1)

        given = torch.cat([confidence[..., None], nodes], -1).flatten(1, 2)
        found = self.graph(to_union(xy.flatten(0, 1)), given, look)
        poses = [from_union(pose, own).unflatten(0, (count, 2)) for pose in found.poses]
        return poses, found.nodes.reshape(2 * count, joints, -1)
