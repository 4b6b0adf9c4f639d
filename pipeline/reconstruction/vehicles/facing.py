"""Front or rear: a network may have taken one for the other, and every keypoint is then its opposite's.

Each observation is fitted with its keypoints as named and with their names exchanged. What decides is how well shape
and keypoints agree in either, how sure the network is, where the vehicle goes, and, of one that stands, all its frames
together. Costs are squared standard deviations, as the solver's: a probability is that of two hypotheses whose costs
differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.reconstruction.vehicles.solver import State

_STANDS_M, _ALIKE = 1.0, 0.9  # fits of one that stands lie no farther apart, nor along other lines (cosine)
_MOST_COST = 25.0  # one frame tells no more than this
ABOUT = np.diag([-1.0, -1.0, 1.0])  # half a turn about the vehicle's own axis
# Whose place each keypoint takes in a picture whose front was taken for its rear: wheels, lamps, corners, crosswise.
EXCHANGED = np.array([3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8])


@dataclass(frozen=True)
class Facings:
    """Of N observations the fit to their keypoints as named, and that with names exchanged, which faces the other way.

    turned (N,): by how much the latter costs more; below 0 where it costs less.
    """

    named: State
    exchanged: State
    turned: np.ndarray


@dataclass(frozen=True)
class Decision:
    """state: the fit that was chosen; exchanged (N,) bool: it is the one with names exchanged; turned_cost (N,): by how
    much the other way would cost more."""

    state: State
    exchanged: np.ndarray
    turned_cost: np.ndarray


def decided(facings: Facings, track: np.ndarray, told: np.ndarray) -> Decision:
    """Each observation by itself; all frames of a track (N,) that stands the same way, unless motion told (N,) it.

    Of a standing vehicle all frames show much the same, so that n of them weigh as the root of n.
    """
    named, cost, exchanged = facings.named, np.abs(facings.turned), facings.turned < 0
    for rows in np.split(np.argsort(track, kind="stable"), np.cumsum(np.bincount(track))[:-1]):
        if len(rows) < 2 or told[rows].any():
            continue
        apart = np.linalg.norm(named.t[rows] - np.median(named.t[rows], axis=0), axis=1)
        along = (named.R[rows, :, 0] * named.R[rows[0], :, 0]).sum(axis=1)
        if apart.max() > _STANDS_M or np.abs(along).min() < _ALIKE:
            continue
        says = np.sign(along) * np.clip(facings.turned[rows], -_MOST_COST, _MOST_COST)
        together = float(says.sum() / np.sqrt(len(rows)))
        exchanged[rows] = np.sign(along) * np.sign(together) < 0
        cost[rows] = abs(together)
    chosen = []
    for name in ("R", "t", "shape", "cost"):
        one, other = getattr(named, name), getattr(facings.exchanged, name)
        chosen.append(np.where(exchanged.reshape(-1, *[1] * (one.ndim - 1)), other, one))
    return Decision(State(*chosen), exchanged, cost)


def trust_in_names(scores: np.ndarray) -> np.ndarray:
    """(N,) what it costs to take the names of keypoints with scores (N, 12), 0 where missing, for exchanged ones.

    A score is the network's own probability of a point's being right. Torn between both ends, it gives each half.
    """
    used = scores > 0
    mean = scores.sum(axis=1) / np.maximum(used.sum(axis=1), 1)
    right = np.clip(mean, 0.5, 0.98)
    return 2 * np.log(right / (1 - right))


def probability_turned(turned_cost: np.ndarray) -> np.ndarray:
    """(N,) that the other way is the right one, by what it costs more; NaN where nothing was compared."""
    return 1 / (1 + np.exp(np.minimum(turned_cost, 200.0) / 2))
