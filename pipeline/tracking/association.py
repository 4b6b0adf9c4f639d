"""Tracklet association: what an occlusion broke or mixed up, joined again by appearance and motion over the ground.

DeepSORT's idea (Wojke et al. 2017: what comes back after a gap is known by its appearance, where motion allows it),
on top of any tracker's result: tracks are split at their gaps into tracklets, whose ends and beginnings are matched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

# Rows (M,) of boxes to unit vectors (M, D), zeros where nothing is known.
Appearance = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class AssociationSettings:
    """Which tracklets are one object's."""

    gap_s: float = field(default=5.0, metadata={"help": "an object may be hidden for so long, seconds"})
    max_difference: float = field(
        default=0.35, metadata={"help": "appearances that differ more are of two objects; Hellinger distance, 0 to 1"}
    )
    detour_mps: float = field(
        default=1.0, metadata={"help": "while hidden, it may depart so fast from its straight way, metres a second"}
    )


@dataclass(frozen=True)
class Trajectories:
    """N tracked boxes in time order: track (N,) ids from 0, sequence (N,), frame (N,) number, time_s (N,), foot (N, 2)
    ground points in metres, slack (N,) how far each may be off, limit_mps (N,) no object is faster."""

    track: np.ndarray
    sequence: np.ndarray
    frame: np.ndarray
    time_s: np.ndarray
    foot: np.ndarray
    slack: np.ndarray
    limit_mps: np.ndarray


_SEEN = 5  # boxes at either end of a tracklet whose appearances are averaged
_MOTION_S = 1.5  # at either end of a tracklet give its velocity
_FOOTING_M = 0.5  # a foot's place in a box, beyond the pixels' slack
_TURN_FRACTION = 0.3  # of its way, by which an object may depart from straight on: vehicles brake and turn
_DETOUR_FRACTION = 0.15  # the farthest detour counts as much as appearances that differ by this
_TRUST = 0.1  # what the tracker joined may differ so much more, and is kept where nothing is better by so much


def associate(trajectories: Trajectories, appearance: Appearance, settings: AssociationSettings) -> np.ndarray:
    """Track ids (N,): a tracklet that goes on from another has its id, all others ids of their own."""
    tracklet = _tracklets(trajectories)
    rows = _members(tracklet)
    before, after = _near_in_time(trajectories, rows, settings.gap_s)
    joined = _last(trajectories.track, rows)[before] == _first(trajectories.track, rows)[after]
    detour = _detours(trajectories, rows, before, after, settings.detour_mps)
    # A tracker's own join is a plausible way, wherever the ground is.
    detour = np.where(joined, np.minimum(detour, 1), detour)
    near = detour <= 1
    before, after, detour, joined = before[near], after[near], detour[near], joined[near]
    gain = _gains(_differences(rows, before, after, appearance), detour, joined, settings.max_difference)
    good = gain > 0
    onward = _matched(before[good], after[good], gain[good], len(rows))
    return _chained(onward)[tracklet]


def _tracklets(trajectories: Trajectories) -> np.ndarray:
    """(N,) number of the tracklet of each box: tracklets end where a frame lacks them."""
    order = np.lexsort((trajectories.frame, trajectories.track))
    begins = (np.diff(trajectories.track[order]) != 0) | (np.diff(trajectories.frame[order]) > 1)
    tracklet = np.zeros(len(order), int)
    tracklet[order] = np.concatenate([[0], np.cumsum(begins)]) if len(order) else 0
    return tracklet


def _members(tracklet: np.ndarray) -> list[np.ndarray]:
    """Rows of each tracklet, in time order."""
    order = np.argsort(tracklet, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(tracklet[order])) + 1) if len(order) else []


def _first(values: np.ndarray, rows: list[np.ndarray]) -> np.ndarray:
    return values[[r[0] for r in rows]]


def _last(values: np.ndarray, rows: list[np.ndarray]) -> np.ndarray:
    return values[[r[-1] for r in rows]]


def _near_in_time(trajectories: Trajectories, rows: list[np.ndarray], gap_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (M,), (M,) of tracklets of one sequence of which the second begins within gap_s after the first's end."""
    if not rows:
        return np.zeros(0, int), np.zeros(0, int)
    begin, end = _first(trajectories.time_s, rows), _last(trajectories.time_s, rows)
    order = np.argsort(begin, kind="stable")
    low = np.searchsorted(begin[order], end, "right")
    high = np.searchsorted(begin[order], end + gap_s, "right")
    before = np.repeat(np.arange(len(rows)), high - low)
    after = order[np.concatenate([np.arange(a, b) for a, b in zip(low, high, strict=True)])]
    sequence = _first(trajectories.sequence, rows)
    same = sequence[before] == sequence[after]
    return before[same], after[same]


def _detours(
    trajectories: Trajectories, rows: list[np.ndarray], before: np.ndarray, after: np.ndarray, detour_mps: float
) -> np.ndarray:
    """(M,) how far the second's beginning is from the first's way straight on, in fractions of what is allowed;
    infinite where it would be too fast or there is no ground."""
    if not len(before):
        return np.zeros(0)
    leaving = np.array([_velocity(trajectories, r[::-1]) for r in rows])[before]
    coming = np.array([_velocity(trajectories, r) for r in rows])[after]
    a, b = np.array([r[-1] for r in rows])[before], np.array([r[0] for r in rows])[after]
    time_s, way = trajectories.time_s[b] - trajectories.time_s[a], trajectories.foot[b] - trajectories.foot[a]
    # Of a single box there is no motion; of two the mean is that of who turns or brakes.
    leaving, coming = np.where(np.isnan(leaving), coming, leaving), np.where(np.isnan(coming), leaving, coming)
    straight = np.nan_to_num((leaving + coming) / 2) * time_s[:, None]
    slack = trajectories.slack[a] + trajectories.slack[b] + _FOOTING_M
    allowed = slack + detour_mps * time_s + _TURN_FRACTION * np.linalg.norm(straight, axis=1)
    possible = np.linalg.norm(way, axis=1) <= slack + trajectories.limit_mps[a] * time_s
    return np.where(possible, np.linalg.norm(way - straight, axis=1) / allowed, np.inf)


def _velocity(trajectories: Trajectories, rows: np.ndarray) -> np.ndarray:
    """(2,) m/s over the first _MOTION_S of rows in either order of time; NaN for a single box."""
    time_s = trajectories.time_s[rows]
    near = rows[(np.abs(time_s - time_s[0]) <= _MOTION_S) & np.isfinite(trajectories.foot[rows]).all(axis=1)]
    t = trajectories.time_s[near] - trajectories.time_s[near].mean() if len(near) else np.zeros(0)
    return (t @ trajectories.foot[near]) / (t @ t) if len(near) > 1 else np.full(2, np.nan)


def _differences(rows: list[np.ndarray], before: np.ndarray, after: np.ndarray, appearance: Appearance) -> np.ndarray:
    """(M,) Hellinger distances between the first's last appearances and the second's first; NaN where one is
    unknown."""
    ends = {int(a): rows[a][-_SEEN:] for a in before} | {-1 - int(b): rows[b][:_SEEN] for b in after}
    wanted = np.unique(np.concatenate([np.zeros(0, int), *ends.values()]))
    seen = appearance(wanted)
    mean = {key: seen[np.searchsorted(wanted, some)].mean(axis=0) for key, some in ends.items()}
    unit = {key: vector / (float(np.linalg.norm(vector)) or np.nan) for key, vector in mean.items()}
    alike = [float(unit[int(a)] @ unit[-1 - int(b)]) for a, b in zip(before, after, strict=True)]
    return np.sqrt(np.clip(1 - np.array(alike), 0, 1))


def _gains(difference: np.ndarray, detour: np.ndarray, joined: np.ndarray, most: float) -> np.ndarray:
    """(M,) what joining a pair is worth; 0 where it must not be. Where appearance is unknown, the tracker's join
    stays."""
    trust = np.where(joined, _TRUST, 0.0)
    difference = np.where(joined & np.isnan(difference), most, difference)
    gain = most + _DETOUR_FRACTION - difference - _DETOUR_FRACTION * detour + trust
    return np.where(difference <= most + trust, gain, 0.0)


def _matched(before: np.ndarray, after: np.ndarray, gain: np.ndarray, count: int) -> np.ndarray:
    """(count,) the tracklet that each goes on as, -1 for none: each from one at most, the sum of gains greatest."""
    onward = np.full(count, -1)
    # Ends and beginnings are nodes; what is not connected is matched apart.
    links = coo_matrix((np.ones(len(before)), (before, count + after)), shape=(2 * count, 2 * count))
    group = connected_components(links, directed=False)[1][before]
    for members in _members(group):
        ends, i = np.unique(before[members], return_inverse=True)
        begins, j = np.unique(after[members], return_inverse=True)
        table = np.zeros((len(ends), len(begins)))
        table[i, j] = gain[members]
        for a, b in zip(*linear_sum_assignment(table, maximize=True), strict=True):
            if table[a, b] > 0:
                onward[ends[a]] = begins[b]
    return onward


def _chained(onward: np.ndarray) -> np.ndarray:
    """(count,) the first tracklet of each tracklet's chain."""
    pairs = np.flatnonzero(onward >= 0)
    links = coo_matrix((np.ones(len(pairs)), (pairs, onward[pairs])), shape=(len(onward), len(onward)))
    return connected_components(links, directed=False)[1] if len(onward) else np.zeros(0, int)
