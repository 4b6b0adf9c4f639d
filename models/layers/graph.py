"""Graph networks on keypoints: Occlusion-Net's messages on all edges, and semantic convolutions on a skeleton's.

KeypointGraph tells which keypoints are hidden, and where (Occlusion-Net, equations 1 to 8): the graph is fully
connected without self loops, edge tensors are (N, 12, 12, C), receiver j before sender i. SemanticConv and
ResidualGraph are what OPEC-Net's graphs are made of: nodes (N, K, C), edges (K, K) numbers of learnt weights, -1 where
there is none.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.core.skeletons import VEHICLE_12, Skeleton

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


def skeleton_edges(skeleton: Skeleton) -> Tensor:
    """(K, K) of each node and of each pair that a link joins, either way, the number of its weight; -1 elsewhere.

    Raises ValueError for a skeleton without links.
    """
    if not skeleton.links:
        raise ValueError(
            f"skeleton: expected links between its {len(skeleton)} keypoints, got none; give Skeleton its `links`"
        )
    joined = torch.eye(len(skeleton), dtype=torch.bool)
    for a, b in skeleton.links:
        joined[a, b] = joined[b, a] = True
    return torch.where(joined, joined.flatten().cumsum(0).view_as(joined) - 1, -1)


def paired_edges(edges: Tensor) -> Tensor:
    """(2 K, 2 K) edges of two such graphs whose same nodes are joined, too: CoupleGraph's E_s and E_c.

    Both share their weights, and so do the two ways between them: which of the two comes first makes no difference.
    """
    across = torch.diag(edges.max() + 1 + torch.arange(len(edges))) - (~torch.eye(len(edges), dtype=torch.bool)).long()
    return torch.cat([torch.cat([edges, across], 1), torch.cat([across, edges], 1)])


class SemanticConv(nn.Module):
    """SemGCN's convolution (Zhao et al., 2019): one matrix for a node itself, one for its neighbours, mixed by edge
    weights that are learnt and normalised over each node's edges."""

    edges: Tensor

    def __init__(self, inside: int, outside: int, edges: Tensor) -> None:
        super().__init__()
        self.register_buffer("edges", edges, persistent=False)
        self.itself, self.neighbours = nn.Linear(inside, outside), nn.Linear(inside, outside, bias=False)
        self.logits = nn.Parameter(torch.ones(int(edges.max()) + 1))

    def mixing(self) -> Tensor:
        """(K, K) of each node (row) how much every other one counts; rows sum to 1, and are 0 where no edge is."""
        return self.logits[self.edges.clamp_min(0)].masked_fill(self.edges < 0, -torch.inf).softmax(-1)

    def forward(self, nodes: Tensor) -> Tensor:
        """(N, K, O) of (N, K, I)."""
        mixing = self.mixing()
        own = mixing.diagonal()
        return own[:, None] * self.itself(nodes) + (mixing - torch.diag(own)) @ self.neighbours(nodes)


class GraphLayer(nn.Module):
    """SemanticConv, batch norm over samples and nodes, ReLU."""

    def __init__(self, inside: int, outside: int, edges: Tensor) -> None:
        super().__init__()
        self.convolution, self.norm = SemanticConv(inside, outside, edges), nn.BatchNorm1d(outside)

    def forward(self, nodes: Tensor) -> Tensor:
        """(N, K, O) of (N, K, I)."""
        return F.relu(normed(self.norm, self.convolution(nodes)))


def normed(norm: nn.BatchNorm1d, nodes: Tensor) -> Tensor:
    """Batch norm of nodes (N, K, C) over samples and nodes."""
    return norm(nodes.flatten(0, 1)).view_as(nodes)


class NodeAttention(nn.Module):
    """How much each of a body's joints counts, by the mean of all of its joints: x + x a, a 0 to 1 (notes to
    OPEC-Net's figure 6). Nodes are those of one or more bodies one behind another, which share the layer."""

    def __init__(self, channels: int, joints: int) -> None:
        super().__init__()
        self.joints = joints
        self.first, self.second = nn.Linear(channels, channels // 4), nn.Linear(channels // 4, joints)

    def forward(self, nodes: Tensor) -> Tensor:
        """(N, G K, C) of the same."""
        bodies = nodes.unflatten(1, (-1, self.joints))
        gate = torch.sigmoid(self.second(F.relu(self.first(bodies.mean(2)))))
        return (bodies + bodies * gate[..., None]).flatten(1, 2)


class ResidualGraph(nn.Module):
    """OPEC-Net's ResGCN attention block: two semantic convolutions around a shortcut, which is a third one where the
    widths differ, and the attention of nodes."""

    def __init__(self, inside: int, outside: int, edges: Tensor, joints: int) -> None:
        super().__init__()
        self.first = GraphLayer(inside, outside // 2, edges)
        self.second, self.norm = SemanticConv(outside // 2, outside, edges), nn.BatchNorm1d(outside)
        self.shortcut = nn.Identity() if inside == outside else SemanticConv(inside, outside, edges)
        self.attention = NodeAttention(outside, joints)

    def forward(self, nodes: Tensor) -> Tensor:
        """(N, K, O) of (N, K, I)."""
        return self.attention(F.relu(normed(self.norm, self.second(self.first(nodes)) + self.shortcut(nodes))))
