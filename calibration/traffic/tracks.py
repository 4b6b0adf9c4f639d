"""What is kept of tracks to calibrate by: of each a few whole boxes, with where it goes at each of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calibration.camera import edge_to_pixel
from calibration.traffic.outlines import PERSON

POINT = 2  # a track whose places are known, but no sizes
# Boxes of a track, evenly along its way; more where there are few tracks, so many in all.
_BOXES, _MOST_BOXES, _IN_ALL = 6, 24, 400
_BORDER_PX = 2.0  # boxes that the picture's border cuts are of no use
_LEAST_PX = 12.0  # smaller boxes are rounded too coarsely
_LEAST_MOVED = 0.6  # of a box's longer side: a heading is known where it has moved so far
_BENT = 0.008  # of the way's length, by which it may depart from a straight line, beside what its boxes are off
_FOOT_PX, _FOOT = 1.0, 0.02  # standard deviation of a box's bottom: pixels, and of its longer side
_HALT = 1 / 6
_MOST_STEPS = 40  # of a way that are looked at for being straight


@dataclass(frozen=True)
class Tracks:
    """T tracks of K boxes at most: box_xywh (T, K, 4), NaN where there are fewer; kind (T,) PERSON, CAR or POINT (whose
    boxes have no size); before_px and after_px (T, K, 2), feet a little earlier and later; time_s (T, K), halts left
    out, NaN where not known; straight (T,) bool, those that go straight in the picture; size_hw of the picture."""

    box_xywh: np.ndarray
    kind: np.ndarray
    before_px: np.ndarray
    after_px: np.ndarray
    time_s: np.ndarray
    straight: np.ndarray
    size_hw: tuple[int, int]

    @property
    def there(self) -> np.ndarray:
        """(T, K) bool."""
        return np.isfinite(self.box_xywh[..., 0])

    @property
    def foot_px(self) -> np.ndarray:
        """(T, K, 2) pixel centres."""
        return feet(self.box_xywh)

    @property
    def foot_sd_px(self) -> np.ndarray:
        """(T, K) by how much a foot may be off."""
        return np.hypot(_FOOT_PX, _FOOT * self.box_xywh[..., 2:].max(axis=2))

    def at(self, rows: np.ndarray) -> Tracks:
        """The tracks of an index (T,)."""
        names = ("box_xywh", "kind", "before_px", "after_px", "time_s", "straight")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def without(self, boxes: np.ndarray) -> Tracks:
        """Without those boxes (T, K) bool."""
        return replace(self, box_xywh=np.where(boxes[..., None], np.nan, self.box_xywh))


def feet(box_xywh: np.ndarray) -> np.ndarray:
    """(..., 2) pixel centres of the middles of boxes' bottom edges."""
    return edge_to_pixel(box_xywh[..., :2] + box_xywh[..., 2:] * [0.5, 1.0])


def tracks_of(
    box_xywh: np.ndarray, kind: np.ndarray, track: np.ndarray, time_s: np.ndarray, size_hw: tuple[int, int],
    most: int = 150,
) -> Tracks:  # fmt: skip
    """Of boxes (N, 4) of tracks (N,) at times (N,), at most so many tracks of people, and of all others.

    kind (N,): one for a track. Cars and points that do not move are left out: where they head is not known. Standing
    people stay.
    """
    whole = _whole(box_xywh, kind, track, size_hw)
    order = np.lexsort((time_s, track))
    order = order[whole[order]]
    made, of_tracks = [], np.split(order, np.flatnonzero(np.diff(track[order])) + 1) if len(order) else []
    boxes = int(np.clip(_IN_ALL // max(len(of_tracks), 1), _BOXES, _MOST_BOXES))
    for rows in of_tracks:
        one = _track(box_xywh[rows], int(kind[rows[0]]), time_s[rows], boxes)
        if one is not None:
            made.append(one)
    kinds = np.array([one[1] for one in made], int)
    kept = np.sort(np.concatenate([_evenly(np.flatnonzero((kinds == PERSON) == who), most) for who in (True, False)]))
    if not len(kept):
        nothing = np.zeros((0, _BOXES, 2))
        return Tracks(
            np.zeros((0, _BOXES, 4)), np.zeros(0, int), nothing, nothing, nothing[..., 0], np.zeros(0, bool), size_hw
        )
    box, who, before, after, times, straight = (np.array(part) for part in zip(*(made[i] for i in kept), strict=True))
    return Tracks(box, who, before, after, times, straight, size_hw)


def _whole(box: np.ndarray, kind: np.ndarray, track: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    (height, width), (x, y, w, h) = size_hw, box.T
    cut = (x < _BORDER_PX) | (y < _BORDER_PX) | (x + w > width - _BORDER_PX) | (y + h > height - _BORDER_PX)
    return (track >= 0) & ~cut & ((np.maximum(w, h) >= _LEAST_PX) | (kind == POINT))


def _evenly(rows: np.ndarray, most: int) -> np.ndarray:
    return rows[np.unique(np.linspace(0, len(rows) - 1, most).astype(int))] if len(rows) > most else rows


def _track(box: np.ndarray, kind: int, time_s: np.ndarray, boxes: int) -> tuple | None:
    """A row of `Tracks` of so many boxes, out of boxes (n, 4) in time order; None for what cannot be used."""
    foot, side = feet(box), np.maximum(box[:, 2:].max(axis=1), 1.0)
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(foot, axis=0), axis=1))])
    # Even along the way, in box sides: what stands is seen once, and the far half counts as much as the near one.
    far = np.concatenate([[0.0], np.cumsum(np.diff(way) / side[1:])])
    chosen = np.unique(np.searchsorted(far, np.linspace(0, far[-1], boxes)).clip(0, len(box) - 1))
    moved = np.abs(far[:, None] - far[chosen]) > _LEAST_MOVED
    before, after = foot[chosen].copy(), foot[chosen].copy()
    for k, i in enumerate(chosen):
        earlier, later = np.flatnonzero(moved[:i, k]), np.flatnonzero(moved[i:, k])
        before[k] = foot[earlier[-1]] if len(earlier) else foot[i]
        after[k] = foot[i + later[0]] if len(later) else foot[i]
    known = np.linalg.norm(after - before, axis=1) > 0.5 * _LEAST_MOVED * side[chosen]
    if kind != PERSON:
        chosen, before, after = chosen[known], before[known], after[known]
    if not len(chosen):
        return None
    room = (0, boxes - len(chosen))
    padded = [np.pad(part.astype(float), (room, (0, 0)), constant_values=np.nan)
              for part in (box[chosen], before, after)]  # fmt: skip
    times = np.pad(_walking_s(time_s, far)[chosen], room, constant_values=np.nan)
    return padded[0], kind, padded[1], padded[2], times, _straight(foot, side)


def _walking_s(time_s: np.ndarray, far: np.ndarray) -> np.ndarray:
    """Times (n,) without halts: steps slower than a sixth of the usual one do not count."""
    took = np.diff(time_s.astype(float))
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.nan_to_num(np.diff(far) / took)
    goes = rate > _HALT * np.quantile(rate, 0.75) if len(rate) else rate > 0
    return np.concatenate([[0.0], np.cumsum(took * goes)])


def _straight(foot: np.ndarray, side: np.ndarray) -> bool:
    """Whether a way (n, 2) is long and straight in the picture."""
    some = np.unique(np.linspace(0, len(foot) - 1, _MOST_STEPS).astype(int))
    ahead = foot[-1] - foot[0]
    length = float(np.linalg.norm(ahead))
    if len(some) < 4 or length < max(2 * float(np.median(side)), 20):
        return False
    off = (foot[some] - foot[0]) @ (np.array([-ahead[1], ahead[0]]) / length)
    slack = np.hypot(_FOOT_PX, _FOOT * side[some]) + _BENT * length / 2
    return bool((np.abs(off) < 2 * slack).mean() > 0.9)
