"""Places where people seem short, because what stands there hides their legs.

Who walks behind a bin, a planter or a railing shows no gap: the box ends where the thing begins, the foot is taken to
be there, and a whole but small person seems to stand farther away. One of them says nothing, for people differ. But
where most who ever passed are short, and the camera's people are not, the place is it.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from pipeline.mining.observations import Observations, by_track

# Height of what is visible, fraction of the camera's usual one. Nineteen of twenty adults are taller than 0.88 of the
# mean (NASA-STD-3000, section 3.3.1.3); strides and the card's own error take some more.
_SHORT = 0.85
_MOST = 0.5  # of the other tracks of a place, at least, are short too,
_TRACKS = 2  # and there are so many
# Half a place's width and height, heights of the one who is judged.
_PLACE = np.array([0.35, 0.15])


def at_short_places(seen: Observations, witnesses: np.ndarray) -> np.ndarray:
    """(N,) bool: people who are short where others are too; witnesses (N,) bool: whole as far as their frame tells."""
    asked = np.zeros(len(seen), bool)
    height = seen.size_m[:, 1]
    others = witnesses & seen.is_person & np.isfinite(height) & (seen.track_id >= 0)
    if not others.any():
        return asked
    relative = height / _usual(seen, height, others)
    short = np.flatnonzero(seen.is_person & (relative < _SHORT))
    rows = np.flatnonzero(others)
    feet = seen.box_xywh[:, :2] + seen.box_xywh[:, 2:] * (0.5, 1.0)
    # Places as squares, so that one tree finds who stands in them.
    scale = _PLACE[0] / _PLACE
    tree = cKDTree(feet[rows] * scale)
    near = tree.query_ball_point(feet[short] * scale, _PLACE[0] * seen.box_xywh[short, 3], p=np.inf)
    for row, found in zip(short, near, strict=True):
        there = rows[found]
        asked[row] = _most_are_short(relative[there], seen.track_id[there], int(seen.track_id[row]))
    return asked


def _usual(seen: Observations, height: np.ndarray, rows: np.ndarray) -> float:
    """Median over tracks of how tall they seem, metres."""
    return float(np.median([np.median(height[mine[rows[mine]]]) for mine in by_track(seen) if rows[mine].any()]))


def _most_are_short(relative: np.ndarray, track_id: np.ndarray, own: int) -> bool:
    """Whether of the tracks at a place, but for one's own, enough are short; each is one witness."""
    tracks = [track for track in np.unique(track_id) if track != own]
    if len(tracks) < _TRACKS:
        return False
    return bool(np.mean([np.median(relative[track_id == track]) < _SHORT for track in tracks]) >= _MOST)
