"""What a track's objects are, finer than person and vehicle: by the votes of their detections, and by their speed.

Arrays hold a row for each detection, in time order; ids are those of their tracks, below 0 for the untracked.
"""

from __future__ import annotations

import numpy as np


def voted(own: np.ndarray, score: np.ndarray, ids: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """(N,) object: the subcategory with the highest sum of scores in the track, None where nobody votes.

    own (N,) object: each detection's, or None; counted (N,) bool: those of the track's category, who vote. The
    untracked keep their own.
    """
    votes_of: dict[int, dict[str, float]] = {}
    for name, weight, track, counts in zip(own.tolist(), score.tolist(), ids.tolist(), counted.tolist(), strict=True):
        if name is not None and counts and track >= 0:
            votes = votes_of.setdefault(track, {})
            votes[name] = votes.get(name, 0.0) + weight
    won = {track: max(sorted(votes), key=votes.__getitem__) for track, votes in votes_of.items()}
    fine = np.empty(len(own), object)
    fine[:] = [name if track < 0 else won.get(track) for name, track in zip(own.tolist(), ids.tolist(), strict=True)]
    return fine


def least_speed(ids: np.ndarray, time_s: np.ndarray, foot: np.ndarray, slack: np.ndarray) -> np.ndarray:
    """(N,) speed over the ground from the first to the last foot (N, 2) of each track, m/s, were both off by their
    slack (N,) in metres; NaN of the untracked and where a foot sees no ground."""
    speed = np.full(len(ids), np.nan)
    order = np.argsort(ids, kind="stable")
    order = order[ids[order] >= 0]
    for rows in np.split(order, np.flatnonzero(np.diff(ids[order])) + 1) if len(order) else []:
        first, last = rows[0], rows[-1]
        if time_s[last] > time_s[first]:
            way = np.linalg.norm(foot[last] - foot[first]) - slack[last] - slack[first]
            speed[rows] = way / (time_s[last] - time_s[first])
    return speed
