"""The 2D keypoint graph network: which keypoints are hidden, and where (Occlusion-Net, equations 1 to 8).

The graph is fully connected without self loops. Edge tensors are (N, 12, 12, C), receiver j before sender i.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.core.skeletons import VEHICLE_12

KEYPOINTS = len(VEHICLE_12)
NODE = 3 + KEYPOINTS  # x, y, confidence, type


class Pairwise(nn.Module):
    """Two fully connected layers on [a_i, b_j]; the first is a sum over both ends, so it costs nodes, not edges."""

    def __init__(self, inside: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.sender, self.receiver = nn.Linear(inside, hidden, bias=False), nn.Linear(inside, hidden)
        self.dropout, self.second = nn.Dropout(dropout), nn.Linear(hidden, hidden)

    def forward(self, nodes: Tensor) -> Tensor:
        """(N, 12, 12, H) of nodes (N, 12, C)."""
        joined = self.receiver(nodes)[:, :, None] + self.sender(nodes)[:, None]
        # In place: copies of edge tensors cost more than the layers do.
        return F.relu(self.second(self.dropout(F.relu(joined, inplace=True))), inplace=True)


class Perceptron(nn.Module):
    """Two fully connected layers on every node."""

    def __init__(self, inside: int, hidden: int, outside: int, dropout: float) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(inside, hidden), nn.Linear(hidden, outside)
        self.dropout = nn.Dropout(dropout)

    def forward(self, nodes: Tensor) -> Tensor:
        """(..., O) of (..., I)."""
        return self.second(self.dropout(F.relu(self.first(nodes))))


def gathered(edges: Tensor, weights: Tensor | None = None) -> Tensor:
    """(N, 12, C) sum over the senders i != j of edges (N, 12, 12, C), equations 3 and 7, over its terms' root; each
    edge weighs as `weights` (N, 12, 12) say."""
    others = (1 - torch.eye(KEYPOINTS, dtype=edges.dtype, device=edges.device)) / (KEYPOINTS - 1) ** 0.5
    weights = others.expand(len(edges), -1, -1) if weights is None else weights * others
    return (weights[:, :, None] @ edges)[:, :, 0]


def node_features(xy: Tensor, confidence: Tensor) -> Tensor:
    """(N, 12, 15) x, y, confidence and type of points (N, 12, 2) in their box's frame."""
    kind = torch.eye(KEYPOINTS, dtype=xy.dtype, device=xy.device).expand(len(xy), -1, -1)
    return torch.cat([xy, confidence[..., None], kind], -1)


class GraphEncoder(nn.Module):
    """Equations 1 to 4: logits (N, 12, 12, 2) of every edge, index 1 where both its ends are visible.

    With one iteration the edges are read after equation 2.
    """

    def __init__(self, hidden: int, iterations: int, dropout: float) -> None:
        super().__init__()
        self.iterations = iterations
        self.embed = Perceptron(NODE, hidden, hidden, dropout)  # f_enc
        self.edge_1 = Pairwise(hidden, hidden, dropout)
        if iterations == 2:
            self.node = Perceptron(hidden, hidden, hidden, dropout)  # f_v
            self.edge_2 = Pairwise(hidden, hidden, dropout)
        self.out = nn.Linear(hidden, 2)

    def forward(self, nodes: Tensor) -> Tensor:
        """Edge logits of node features (N, 12, 15)."""
        edges = self.edge_1(F.relu(self.embed(nodes)))
        if self.iterations == 2:
            edges = self.edge_2(F.relu(self.node(gathered(edges))))
        return self.out(edges)


class GraphDecoder(nn.Module):
    """Equations 6 to 8: the mean (N, 12, 2) of every keypoint's place, by messages of a kind for each edge type."""

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.hidden_edge, self.visible_edge = Pairwise(NODE, hidden, dropout), Pairwise(NODE, hidden, dropout)
        self.node = Perceptron(NODE + hidden, 2 * hidden, 2, dropout)
        nn.init.zeros_(self.node.second.weight)  # starts as the heatmaps' own points
        nn.init.zeros_(self.node.second.bias)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        """Points of node features (N, 12, 15) and edge probabilities (N, 12, 12, 2)."""
        messages = gathered(self.hidden_edge(nodes), edges[..., 0]) + gathered(self.visible_edge(nodes), edges[..., 1])
        return nodes[..., :2] + self.node(torch.cat([nodes, messages], -1))


class Graph(NamedTuple):
    """xy (N, 12, 2): the decoder's points; edge_logits (N, 12, 12, 2); visible (N, 12): how likely each is seen."""

    xy: Tensor
    edge_logits: Tensor
    visible: Tensor


class KeypointGraph(nn.Module):
    """2D-KGNN: encoder and decoder."""

    def __init__(self, hidden: int, iterations: int, dropout: float) -> None:
        super().__init__()
        self.encoder, self.decoder = GraphEncoder(hidden, iterations, dropout), GraphDecoder(hidden, dropout)

    def forward(self, xy: Tensor, confidence: Tensor) -> Graph:
        """The graph of points (N, 12, 2) in their box's frame, as the heatmaps have them, and confidences (N, 12)."""
        nodes = node_features(xy, confidence)
        logits = self.encoder(nodes)
        edges = torch.softmax(logits, -1)
        return Graph(self.decoder(nodes, edges), logits, visibility(edges[..., 1]))


def visibility(both: Tensor) -> Tensor:
    """(N, 12) how likely a keypoint is visible: its likeliest edge, of (N, 12, 12) that both ends are."""
    off = ~torch.eye(KEYPOINTS, dtype=torch.bool, device=both.device)
    return (0.5 * (both + both.transpose(1, 2)) * off).amax(-1)


def edge_loss(logits: Tensor, state: Tensor) -> Tensor:
    """Equation 5: mean cross-entropy of edges whose ends' states (N, 12), 0 visible, -1 unknown, are both labelled."""
    visible, known = state == 0, state >= 0
    target = (visible[:, :, None] & visible[:, None]).long()
    off = ~torch.eye(KEYPOINTS, dtype=torch.bool, device=logits.device)
    counted = known[:, :, None] & known[:, None] & off
    cross = F.cross_entropy(logits.float().flatten(0, 2), target.flatten(), reduction="none")
    return (cross * counted.flatten()).sum() / counted.sum().clamp_min(1)
