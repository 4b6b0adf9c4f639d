"""LIS, the location instability strategy (KLPNet, section 3.3.4): whose points those are that objects of a class share.

Objects of one class whose boxes overlap are a group. A point in one object's box alone is fixed to it, one in several
boxes is debatable. All points of a group are given out at once, each at most once, so that every object's points look,
and are as far from each other, as training saw it of their roles; what is left over are outliers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

_SLOWEST = 0.002  # least weight of a batch in a running mean
_ITERATIONS = 3  # of giving out points by their distances from those given out before
_FORBIDDEN = 1e6
_LEAST_DEVIATION = 0.03  # box diagonals
_MOST = 9.0  # of a squared deviation, in variances: one wrong neighbour does not decide
_RIDGE = 3e-3  # squared half boxes
_NO_ROLE = 2.0  # a role stays without a point where all are outliers by more than this, in logarithms
_GROWN = 1.1  # a point at the edge of a box is in it


class Running(nn.Module):
    """mean (C, *shape) of what was seen of each class, and how often (C, *shape); nothing learns from it."""

    def __init__(self, classes: int, *shape: int) -> None:
        super().__init__()
        self.mean: Tensor
        self.seen: Tensor
        self.register_buffer("mean", torch.zeros(classes, *shape))
        self.register_buffer("seen", torch.zeros(classes, *shape))

    @torch.no_grad()
    def update(self, label: Tensor, value: Tensor, known: Tensor) -> None:
        """Of values (N, *shape) of classes (N,), those that are known (N, *shape) bool."""
        value = torch.where(known, value.float(), 0.0)
        total = torch.zeros_like(self.mean).index_add_(0, label, value)
        count = torch.zeros_like(self.mean).index_add_(0, label, known.float())
        self.seen += count
        rate = torch.where(count > 0, (count / self.seen.clamp_min(1)).clamp_min(_SLOWEST), 0.0)
        self.mean += rate * (total / count.clamp_min(1) - self.mean)


class RoleStatistics(nn.Module):
    """What training sees of every class's roles: places (2 P,) in the box's frame and their products (2 P, 2 P),
    distances (P, P) in diagonals of the box, and nodes' features (P, H). Row 0 is of no class and stays empty."""

    def __init__(self, classes: int, points: int, features: int) -> None:
        super().__init__()
        self.points = points
        self.place, self.product = Running(classes + 1, 2 * points), Running(classes + 1, 2 * points, 2 * points)
        self.distance, self.distance_square = (Running(classes + 1, points, points) for _ in range(2))
        self.feature, self.feature_square = (Running(classes + 1, points, features) for _ in range(2))

    def update_places(self, label: Tensor, xy: Tensor, aspect: Tensor) -> None:
        """Of classes (N,), true places (N, P, 2) in boxes' frames, NaN where unknown, and boxes' width / height."""
        flat = xy.flatten(1).float()
        self.place.update(label, flat.nan_to_num(), flat.isfinite())
        product = flat[:, :, None] * flat[:, None]
        self.product.update(label, product.nan_to_num(), product.isfinite())
        away = in_diagonals(xy[:, :, None].float() - xy[:, None].float(), aspect[:, None, None])
        self.distance.update(label, away.nan_to_num(), away.isfinite())
        self.distance_square.update(label, away.square().nan_to_num(), away.isfinite())

    def update_features(self, label: Tensor, role: Tensor, features: Tensor) -> None:
        """Of classes (N,), nodes' roles (N, M), P for outliers, each once an object, and their features (N, M, H)."""
        values = features.new_full((len(label), self.points + 1, features.shape[2]), torch.nan).detach()
        values.scatter_(1, role[..., None].expand_as(features), features.detach())
        known = values[:, :-1]
        self.feature.update(label, known.nan_to_num(), known.isfinite())
        self.feature_square.update(label, known.square().nan_to_num(), known.isfinite())

    def layout(self, label: int) -> np.ndarray:
        """(P, 2) mean places of a class; NaN of roles that were never seen."""
        mean, seen = (v[label].cpu().double().numpy() for v in (self.place.mean, self.place.seen))
        return np.where(seen > 0, mean, np.nan).reshape(-1, 2)

    def distances(self, label: int) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations (P, P) of a class; an endless deviation where a pair was never seen."""
        mean = self.distance.mean[label].cpu().double().numpy()
        variance = self.distance_square.mean[label].cpu().double().numpy() - mean**2
        deviation = np.sqrt(np.maximum(variance, _LEAST_DEVIATION**2))
        return mean, np.where(self.distance.seen[label].cpu().numpy() > 0, deviation, np.inf)

    def unlikeness(self, label: int, features: np.ndarray) -> np.ndarray:
        """(M, P) mean squared distances of nodes' features (M, H) from those of a class's roles, in variances."""
        mean = self.feature.mean[label].cpu().double().numpy()
        variance = self.feature_square.mean[label].cpu().double().numpy() - mean**2
        seen = self.feature.seen[label].cpu().numpy() > 0
        away = (features[:, None] - mean) ** 2 / np.maximum(variance, 1e-2)
        return np.minimum(np.where(seen, away, 1.0), _MOST).mean(-1)

    def inferred(self, label: int, xy: np.ndarray) -> np.ndarray:
        """Places (P, 2) in the box's frame where those of xy (P, 2) that are NaN are the likeliest beside the others,
        by the class's mean and covariance; what was never seen stays NaN.

        Points of a rigid thing seen from afar are linear in its 3D points, so that hidden ones are nearly linear in
        enough of the others, whatever the view.
        """
        mean = self.layout(label).reshape(-1)
        product = self.product.mean[label].cpu().double().numpy()
        flat = xy.reshape(-1).astype(float)
        asked, given = np.isnan(flat) & np.isfinite(mean), np.isfinite(flat) & np.isfinite(mean)
        covariance = product - np.outer(mean, mean)
        flat[asked] = mean[asked]
        if given.any():
            known = covariance[np.ix_(given, given)] + _RIDGE * np.eye(int(given.sum()))
            flat[asked] += covariance[np.ix_(asked, given)] @ np.linalg.solve(known, flat[given] - mean[given])
        return flat.reshape(-1, 2)


def in_diagonals(step: Tensor, aspect: Tensor) -> Tensor:
    """Lengths (...) of steps (..., 2) in boxes' frames as fractions of the boxes' diagonals; aspect (...,)."""
    x, y = step.unbind(-1)
    return 0.5 * torch.sqrt((x * aspect).square() + y.square()) / torch.sqrt(aspect.square() + 1)


def groups_of(boxes_xywh: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """Indices of objects (N,), those of one class whose boxes overlap together, directly or by way of others."""
    from scipy.sparse.csgraph import connected_components

    from pipeline.core.boxes import box_iou

    if not len(boxes_xywh):
        return []
    together = (box_iou(boxes_xywh[:, None], boxes_xywh) > 0) & (labels[:, None] == labels)
    _, group = connected_components(together, directed=False)
    return [np.flatnonzero(group == k) for k in np.unique(group)]


def holds(boxes_xywh: np.ndarray, edge_xy: np.ndarray) -> np.ndarray:
    """(G, K) bool: which boxes (G, 4) points (K, 2) lie in, or at the edge of."""
    middle, half = boxes_xywh[:, :2] + boxes_xywh[:, 2:] / 2, boxes_xywh[:, 2:] / 2 * _GROWN
    return np.asarray((np.abs(edge_xy[None] - middle[:, None]) <= half[:, None]).all(-1))


@dataclass(frozen=True)
class Member:
    """An object of a group beside the group's K points. cost (R, K): of giving a role a point, less than 0 where that
    is likelier than that it is none of the object's; infinite where the object may not have it. place (K, 2) in
    diagonals of its box; fixed (K,) bool, in its box alone; mean and deviation (R, R) of distances between
    roles, diagonals."""

    cost: np.ndarray
    place: np.ndarray
    fixed: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray

    def distance_cost(self, given: np.ndarray) -> np.ndarray:
        """(R, K) mean squared deviation, in variances, of the distances of each point in each role from the points that
        other roles were given (R,), -1 for none; only fixed ones count where there are any."""
        roles = np.flatnonzero(given >= 0)
        if (self.fixed[given[roles]]).any():
            roles = roles[self.fixed[given[roles]]]
        away = np.linalg.norm(self.place[:, None] - self.place[given[roles]], axis=-1)  # (K, R')
        off = (away[None] - self.mean[:, None, roles]) / self.deviation[:, None, roles]  # (R, K, R')
        others = np.arange(len(self.cost))[:, None] != roles
        counted = others[:, None] & (np.arange(len(self.place))[:, None] != given[roles])
        total = (np.minimum(off**2, _MOST) * counted).sum(-1)
        return total / np.maximum(counted.sum(-1), 1)


def give_out(members: Sequence[Member], weight: float = 0.5, none: float = _NO_ROLE) -> list[np.ndarray]:
    """For each object of a group the point (R,) that each of its roles is given, -1 for none; no point goes to two.

    The least sum of costs by the Hungarian method, then again with `weight` times the cost of the distances between
    what was given out before.
    """
    ends = np.cumsum([0, *(len(member.cost) for member in members)])
    rows, points = int(ends[-1]), members[0].cost.shape[1]
    without = np.where(np.eye(rows, dtype=bool), none, _FORBIDDEN)
    given = [np.full(len(member.cost), -1) for member in members]
    for _ in range(_ITERATIONS):
        costs = [m.cost + weight * m.distance_cost(g) for m, g in zip(members, given, strict=True)]
        stacked = np.minimum(np.concatenate(costs), _FORBIDDEN)
        row, column = linear_sum_assignment(np.concatenate([stacked, without], axis=1))
        chosen = np.full(rows, -1)
        right = (column < points) & (stacked[row, np.minimum(column, points - 1)] < _FORBIDDEN) if points else row < 0
        chosen[row[right]] = column[right]
        before, given = given, [chosen[a:b] for a, b in pairwise(ends)]
        if all(np.array_equal(a, b) for a, b in zip(before, given, strict=True)):
            break
    return given


def assigned(cost: np.ndarray) -> np.ndarray:
    """(R,) the point that each role is given by the least sum of costs (R, K), all of them that can be; -1 for none."""
    given = np.full(len(cost), -1)
    held = np.minimum(cost, _FORBIDDEN)
    row, column = linear_sum_assignment(held)
    right = held[row, column] < _FORBIDDEN
    given[row[right]] = column[right]
    return given
