"""How good found keypoints and links of objects of many classes are: PCK@0.1 with and without OracleId, links' F1, AP.

A link is right where both its ends are true points that the class links. Links are asked of points found: those that
are near true ones, by the best assignment; `recall_all` asks all links of the object's points, found or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.optimize import linear_sum_assignment

from models.metrics.keypoints import PCK_FRACTION

_VISIBLE = 0
_LINKED = 0.5
_FAR = 1e3


class Found(Protocol):
    """An object's points xy (R, 2) in its box's frame, in its class's order, NaN where there is none, which of them are
    inferred (R,), and links (R, R), how likely each is, 0 where an end is no node."""

    @property
    def xy(self) -> np.ndarray: ...
    @property
    def inferred(self) -> np.ndarray: ...
    @property
    def links(self) -> np.ndarray: ...


@dataclass(frozen=True)
class Scored:
    """One object. near and near_oracle (P,) bool: whether each true point was found within a tenth of the box's longer
    side, under its own role and under the best one; asked and visible (P,): which there are. link_score and link_right
    (L,): of all pairs of nodes; all_links: how many there are between all its points.
    """

    near: np.ndarray
    near_oracle: np.ndarray
    asked: np.ndarray
    visible: np.ndarray
    link_score: np.ndarray
    link_right: np.ndarray
    all_links: int

    @staticmethod
    def summed(scored: Sequence[Scored]) -> dict[str, np.ndarray]:
        """By name sum and count (2,) over objects; F1 as twice the right links over found and true ones together."""
        near, oracle, asked, visible = (
            np.concatenate([getattr(s, name) for s in scored] or [np.zeros(0, bool)])
            for name in ("near", "near_oracle", "asked", "visible")
        )
        parts = {"pck": (near, visible), "pck_all": (near, asked), "pck_oracle": (oracle, visible),
                 "pck_oracle_all": (oracle, asked)}  # fmt: skip
        result = {name: np.array([(right & among).sum(), among.sum()], float) for name, (right, among) in parts.items()}
        links = link_rates(scored)
        result["link_f1"] = np.array([2 * links.right, links.found + links.true], float)
        return result


@dataclass(frozen=True)
class LinkRates:
    """Counts of links found, of these right, and true; F1 and their parts."""

    right: int
    found: int
    true: int
    all_true: int

    @property
    def precision(self) -> float:
        """Of links found the fraction that is right."""
        return self.right / self.found if self.found else float("nan")

    @property
    def recall(self) -> float:
        """Of links between points found the fraction that was found."""
        return self.right / self.true if self.true else float("nan")

    @property
    def recall_all(self) -> float:
        """The same of all links of the objects."""
        return self.right / self.all_true if self.all_true else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        both = self.found + self.true
        return 2 * self.right / both if both else float("nan")


def score(found: Found, true: np.ndarray, state: np.ndarray, aspect: float, adjacency: np.ndarray) -> Scored:
    """An object's score. true (P, 2): places in the box's frame, NaN where none is asked for; state (P,), 0 visible;
    aspect: the box's width / height; adjacency (R, R) bool of its class."""
    count = len(adjacency)
    sides = 0.5 * np.array([min(aspect, 1.0), min(1 / aspect, 1.0)])
    true, state = true[:count], state[:count]
    asked = np.isfinite(true).all(-1)
    away = np.linalg.norm((found.xy[:, None] - true) * sides, axis=-1)
    away = np.where(np.isfinite(away), away, _FAR)  # (R found, R true)
    node, point = linear_sum_assignment(np.where(away <= PCK_FRACTION, away - 1, 0.0))
    right = away[node, point] <= PCK_FRACTION
    oracle = np.zeros(count, bool)
    oracle[point[right]] = True
    own = np.full(len(found.xy), -1)
    own[node[right]] = point[right]
    near = np.zeros(count, bool)
    same = min(count, len(found.xy))
    near[:same] = np.diagonal(away)[:same] <= PCK_FRACTION
    scores, links = _links(found, own, adjacency)
    everything = int(np.triu(adjacency & asked[:, None] & asked, 1).sum())
    return Scored(near & asked, oracle & asked, asked, asked & (state == _VISIBLE), scores, links, everything)


def _links(found: Found, own: np.ndarray, adjacency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores (L,) of all pairs of nodes, and whether each is linked in truth; own (R,): the true point of each, -1 for
    none."""
    nodes = np.flatnonzero(~found.inferred)
    first, second = np.triu_indices(len(nodes), 1)
    a, b = nodes[first], nodes[second]
    both = (own[a] >= 0) & (own[b] >= 0)
    return found.links[a, b], both & adjacency[own[a], own[b]]


def link_rates(scored: Iterable[Scored], least: float = _LINKED) -> LinkRates:
    """Counts over objects of links of at least this probability."""
    counts = np.zeros(4, int)
    for one in scored:
        said = one.link_score >= least
        counts += [(said & one.link_right).sum(), said.sum(), one.link_right.sum(), one.all_links]
    return LinkRates(*map(int, counts))


def link_average_precision(scored: Iterable[Scored]) -> float:
    """Area under the curve of precision over recall of all pairs of nodes by their probability; NaN without links."""
    parts = list(scored)
    scores = np.concatenate([one.link_score for one in parts] or [np.zeros(0)])
    right = np.concatenate([one.link_right for one in parts] or [np.zeros(0, bool)])
    if not right.any():
        return float("nan")
    ordered = right[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
    return float(precision[ordered].mean())


def pooled_scores(scored: Sequence[Scored]) -> dict[str, float]:
    """A row of a table: PCKs, links' rates and AP of objects; NaN where nothing was asked for."""
    sums = Scored.summed(scored)
    rates = link_rates(scored)
    row = {name: float(s / n) if n else float("nan") for name, (s, n) in sums.items() if name != "link_f1"}
    named = {field: getattr(rates, field) for field in ("precision", "recall", "recall_all", "f1")}
    return row | {f"link_{name}": value for name, value in named.items()} | {"link_ap": link_average_precision(scored)}
