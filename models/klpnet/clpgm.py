"""CLPGM (KLPNet, section 3.3): which keypoints of an object are linked, by a graph auto-encoder that is told its class.

The nodes of an object are unordered, some of its points may lack and some nodes be no point of it: outliers. Arrays of
nodes are (N, M, ...), padded where the mask (N, M) is False; label (N,) is the class from 1 on, 0 where it is none of
those that were learnt. Places are in the box's frame, see `models.geometry.boxes`. A role is a point's index in its
class's own order; P, the most points of any class, stands for an outlier.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.klpnet import GraphSettings
from models.linked_objects.classes import ClassTable

_CLASS_DIM = 16
_LEAST_ACTIVE = 0.2  # of a node's weight, so that faint points are learnt from, too
_FIRST_REACH = 0.5  # half boxes
_FIRST_LOG_VARIANCE = -4.0
_RARE = -2.0  # first logit of a link: few pairs are linked
_GAIN = 4.0  # of what is learnt of a class's roles: a step of the optimiser is as large for every parameter


class Nodes(NamedTuple):
    """features (N, M, F), xy (N, M, 2), score (N, M) 0 to 1, mask (N, M) bool."""

    features: Tensor
    xy: Tensor
    score: Tensor
    mask: Tensor

    def rows(self, keep: Tensor) -> Nodes:
        """The same with fewer nodes: keep (N, M) bool."""
        return self._replace(mask=self.mask & keep)


class Graph(NamedTuple):
    """mean and log_variance (N, M, Z) of the latent variables, z (N, M, Z) a sample of them, the mean where nothing is
    learnt; links (N, M, M) logits; roles (N, M, P + 1) logits, -inf for those the class has not; features (N, M, H)
    that roles are told by."""

    mean: Tensor
    log_variance: Tensor
    z: Tensor
    links: Tensor
    roles: Tensor
    features: Tensor


class LinkGraph(nn.Module):
    """Encoder of tanh layers with the class beside every node, and inner-product decoder (equations 4 to 7).

    Nothing is known of the links, so the encoder's graph joins all nodes, the nearer the more: with equal weights every
    row of its normalised adjacency, and so every embedding, would be the same. For that reason, too, a node's own
    features stand beside the sum over its neighbours in each layer.
    """

    def __init__(self, settings: GraphSettings, inside: int, table: ClassTable) -> None:
        super().__init__()
        self.settings, classes, self.points = settings, len(table) + 1, table.most_points
        hidden, width = settings.hidden, inside + 3 + _CLASS_DIM
        self.label = nn.Embedding(classes, _CLASS_DIM)
        sizes = [width] + [hidden] * settings.layers
        self.layers = nn.ModuleList(nn.Linear(2 * first + _CLASS_DIM, second) for first, second in pairwise(sizes))
        self.reach = nn.Parameter(torch.full((settings.layers,), _FIRST_REACH).log())
        self.mean, self.log_variance = nn.Linear(hidden, settings.latent), nn.Linear(hidden, settings.latent)
        nn.init.constant_(self.log_variance.bias, _FIRST_LOG_VARIANCE)
        self.bias = nn.Embedding(classes, 1)
        nn.init.constant_(self.bias.weight, _RARE)
        self.prototypes = nn.Parameter(torch.randn(classes, self.points + 1, hidden) / hidden**0.5)
        self.latents = nn.Parameter(
            torch.randn(classes, self.points + 1, settings.latent) / settings.latent**0.5 / _GAIN
        )
        self.describe = nn.Linear(hidden, hidden)
        counts = np.r_[1, table.counts]  # who is of no class has one role: to be a point
        own = np.arange(self.points + 1) < counts[:, None]
        own[:, -1] = True
        self.register_buffer("own", torch.from_numpy(own), persistent=False)

    def forward(self, nodes: Nodes, label: Tensor) -> Graph:
        """The graph of nodes of objects of classes (N,)."""
        about = self.label(label)[:, None].expand(-1, nodes.mask.shape[1], -1)
        x = torch.cat([nodes.features, nodes.xy, nodes.score[..., None], about], -1)
        for layer, reach in zip(self.layers, self.reach, strict=True):
            x = torch.tanh(layer(torch.cat([x, adjacency(nodes, reach.exp()) @ x, about], -1)))
        features = self.describe(x)
        roles = torch.einsum("nmh,nph->nmp", features, self.prototypes[label])
        roles = roles.masked_fill(~self.own[label][:, None], -torch.inf)  # type: ignore[index]
        # What the class's roles are linked like is learnt far sooner where it has a place of its own.
        mean = self.mean(x) + _GAIN * (torch.softmax(roles, -1) @ self.latents[label])
        log_variance = self.log_variance(x).clamp(-8, 4)
        noise = torch.randn_like(mean) * (0.5 * log_variance).exp() if self.training else 0
        z = mean + noise
        return Graph(mean, log_variance, z, self.decode(z, z, label, label), roles, features)

    def decode(self, one: Tensor, other: Tensor, label: Tensor, others: Tensor) -> Tensor:
        """Logits (N, M, M) that nodes are linked, of their latent variables and the classes (N,) on both sides."""
        bias = 0.5 * (self.bias(label) + self.bias(others))
        return one @ other.transpose(1, 2) + bias[..., None]


def adjacency(nodes: Nodes, reach: Tensor) -> Tensor:
    """(N, M, M) D^-1/2 A D^-1/2 of A, 1 on its diagonal and falling with the distance as a Gaussian of `reach`."""
    away = (nodes.xy[:, :, None] - nodes.xy[:, None]).square().sum(-1)
    both = nodes.mask[:, :, None] & nodes.mask[:, None]
    weight = torch.exp(-away / (2 * reach**2)) * both
    root = weight.sum(-1).clamp_min(1e-6).rsqrt()
    return root[:, :, None] * weight * root[:, None]


def matched_roles(xy: Tensor, mask: Tensor, true: Tensor, within: float) -> Tensor:
    """(N, M) role of each node: of the true point (N, P, 2), NaN where there is none, that is its nearest and whose
    nearest it is, if it lies within that of it, else P.

    xy (N, M, 2), in the unit of `true`.
    """
    away = (xy[:, :, None] - true.nan_to_num(1e4)[:, None]).norm(dim=-1)  # (N, M, P)
    away = away.masked_fill(~mask[..., None], 1e6)
    nearest, distance = away.argmin(-1), away.amin(-1)
    mutual = away.argmin(1).gather(1, nearest) == torch.arange(xy.shape[1], device=xy.device)
    found = mutual & (distance <= within) & mask
    return torch.where(found, nearest, true.shape[1])


def link_targets(role: Tensor, links: Tensor) -> Tensor:
    """(N, M, M) bool whether nodes of roles (N, M) are linked, by their classes' links (N, P, P) bool."""
    padded = F.pad(links, (0, 1, 0, 1))  # outliers have none
    rows = padded.gather(1, role[..., None].expand(-1, -1, padded.shape[2]))
    return rows.gather(2, role[:, None].expand(-1, role.shape[1], -1))


def link_loss(graph: Graph, nodes: Nodes, target: Tensor, tau: float, kl_weight: float) -> Tensor:
    """Minus the evidence lower bound (equation 7, whose sign as printed would have it fall) of links (N, M, M) bool.

    Pairs weigh as much as their nodes are active (equation 5): tau relu(f) of the score f over the mean one. Linked
    pairs are few, and weigh no more for it: most others have an outlier for an end, and are easily told.
    """
    activity = nodes.score.detach() * nodes.mask
    mean = activity.sum(-1, keepdim=True) / nodes.mask.sum(-1, keepdim=True).clamp_min(1)
    active = tau * F.relu(activity / mean.clamp_min(1e-6)).clamp(_LEAST_ACTIVE, 1 / _LEAST_ACTIVE)
    weight = torch.sqrt(active[:, :, None] * active[:, None]) * pairs_of(nodes.mask)
    cross = F.binary_cross_entropy_with_logits(graph.links.float(), target.float(), reduction="none")
    divergence = -0.5 * (1 + graph.log_variance - graph.mean.square() - graph.log_variance.exp()).sum(-1)
    count = nodes.mask.sum(-1, keepdim=True).clamp_min(1)
    kl = (divergence * nodes.mask / count**2).sum() / len(nodes.mask)
    return (weight * cross).sum() / weight.sum().clamp_min(1e-6) + kl_weight * kl


def stranger_loss(network: LinkGraph, graph: Graph, nodes: Nodes, label: Tensor) -> Tensor:
    """The branch of equation 7 for c != c_i: nodes of objects of different classes are not linked.

    Each object is paired with the one before it in the batch. A difference of classes' numbers is no distance; that
    there is no link is what it can mean.
    """
    z, mask, others = graph.z.roll(1, 0), nodes.mask.roll(1, 0), label.roll(1, 0)
    logits = network.decode(graph.z, z, label, others)
    pairs = nodes.mask[:, :, None] & mask[:, None] & (label != others)[:, None, None]
    return (F.softplus(logits) * pairs).sum() / pairs.sum().clamp_min(1)


def role_loss(graph: Graph, nodes: Nodes, role: Tensor) -> Tensor:
    """Cross-entropy of roles (N, M), an outlier's among them, over all nodes there are."""
    if not nodes.mask.any():
        return graph.features.sum() * 0
    return F.cross_entropy(graph.roles.float()[nodes.mask], role[nodes.mask])


def pairs_of(mask: Tensor) -> Tensor:
    """(N, M, M) bool: pairs of two nodes that there are."""
    both = mask[:, :, None] & mask[:, None]
    return both & ~torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
