"""What the street is where it is hardly ever seen: at stop lines, of whose queues a time bucket's median is made.

Who waits stands still for longer than a burst of frames lasts, others follow at the same place, and what tells objects
by their motion takes the median for the street. But the street looks alike whenever it is seen, in any time bucket, and
goes on as it does around the place; those who wait look different each time. So where only a minority of a bucket's
moments agrees with its median, the street is the look that others share and detections spare, that has few edges, and
that is near to what surrounds the place; which frames show it is then known without any detector.

Pictures are (rows, columns, 3) float32, `ln_levels` of the cells of a grid, under the illumination of their bucket's
median.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from pipeline.core.frames import spread_evenly
from pipeline.core.illumination import OFFSET, gradient, largest

UNKNOWN, HIDDEN, SHOWN = 0, 1, 2  # of a cell of a frame: the median serves, or the street is hidden there, or seen
_APART_S = 30.0  # what stands at a place after so long may be somebody else
_LEAST_MOMENTS = 4  # of a bucket, else nothing can be told
_MOST_MOMENTS = 12  # of a bucket that are compared with each other
_OTHERS = 3  # buckets that are asked beside one's own
_AROUND = 1 / 24  # of the columns: illumination of two buckets is compared over that
_MAJORITY = 0.5
_MOST_DOUBTFUL = 0.3  # of a picture: where more changes, it is no queue, but the light or the camera
# A window's mean difference, ln: the same thing is seen up to _ALIKE beyond so many times what two frames of a moment
# differ by; under another bucket's light up to _TINT more, if it is the same all over the window.
_ALIKE, _NOISES, _TINT = 0.06, 1.3, 0.2
_FINE = 3  # of a window, in which a frame is compared with what the street was found to be
# Beside the distance to what surrounds a place: weights of edges, of detections, of a look of another bucket, and of
# the fraction of the moments that share a look.
_EDGES, _COVERED, _FOREIGN, _OFTEN = 2.0, 0.5, 0.15, 0.5


@dataclass(frozen=True)
class Looks:
    """Pictures (N, rows, columns, 3) of one bucket, the score of what is detected in each cell (N, rows, columns) times
    the fraction that it covers, both float16 or wider, their times in seconds, and the bucket's median; window: odd, in
    cells, smaller than a vehicle."""

    pictures: np.ndarray
    covered: np.ndarray
    times: np.ndarray
    median: np.ndarray
    window: int

    @cached_property
    def moments(self) -> np.ndarray:
        """(N,) the moment that each belongs to, from 0."""
        found, since = np.zeros(len(self.times), int), -np.inf
        for k, time in enumerate(self.times):
            begins = time - since >= _APART_S
            found[k] = found[k - 1] + begins if k else 0
            since = time if begins else since
        return found

    def tolerance_of(self, window: int) -> np.ndarray:
        """(rows, columns) up to which a window's difference is none: by how much two pictures of a moment differ."""
        pairs = np.flatnonzero(np.diff(self.moments) == 0)
        if not len(pairs):
            return np.full(self.median.shape[:2], _ALIKE, np.float32)
        noise = np.median([_apart(self.pictures[k], self.pictures[k + 1], window) for k in pairs], axis=0)
        return _ALIKE + _NOISES * noise

    @cached_property
    def doubtful(self) -> np.ndarray:
        """(rows, columns) bool: only a minority of the moments shows what the median shows, there or beside it; nowhere
        where too much of the picture is so, or too few moments are known."""
        nowhere = np.zeros(self.median.shape[:2], bool)
        if len(np.unique(self.moments)) < _LEAST_MOMENTS:
            return nowhere
        shown = self.of_moments([_apart(one, self.median, self.window) < self.tolerance for one in self.pictures])
        minority = (shown < _MAJORITY).astype(np.uint8)
        # A window that holds an object's edge alone agrees with the street.
        beside = cv2.dilate(minority, np.ones((self.window, self.window), np.uint8)) > 0
        return beside if minority.mean() <= _MOST_DOUBTFUL else nowhere

    @cached_property
    def tolerance(self) -> np.ndarray:
        """(rows, columns) up to which the difference of a whole window is none."""
        return self.tolerance_of(self.window)

    def of_moments(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """The fraction (h, w) of the moments of which any picture is, of (h, w) bool for each picture."""
        stack = np.stack(pictures)
        return np.mean([stack[self.moments == k].any(axis=0) for k in np.unique(self.moments)], axis=0)

    def ends(self) -> np.ndarray:
        """The first and the last picture of moments that are spread evenly."""
        chosen = spread_evenly(np.unique(self.moments), _MOST_MOMENTS)
        return np.unique([np.flatnonzero(self.moments == k)[end] for k in chosen for end in (0, -1)])


def street_shown(name: str, looks: Mapping[str, Looks], others: Sequence[str]) -> np.ndarray:
    """(N, rows, columns) uint8 of a bucket's pictures: UNKNOWN, HIDDEN or SHOWN, given those of other buckets, the ones
    lit most alike first."""
    mine = looks[name]
    shown = np.full(mine.pictures.shape[:3], UNKNOWN, np.uint8)
    if not mine.doubtful.any():
        return shown
    asked = [(mine, np.zeros_like(mine.median)), *((looks[o], _relit(looks[o], mine)) for o in others[:_OTHERS])]
    around, fine = _continued(mine.median, mine.doubtful), max(mine.window // _FINE // 2 * 2 + 1, 3)
    tolerance = mine.tolerance_of(fine)
    near = cv2.dilate(mine.doubtful.astype(np.uint8), np.ones((mine.window, mine.window), np.uint8))
    for x, y, w, h, _ in cv2.connectedComponentsWithStats(near)[2][1:]:
        place = np.s_[max(y - mine.window, 0) : y + h + mine.window, max(x - mine.window, 0) : x + w + mine.window]
        street, own, known = _street(asked, around, place)
        of_median = [_apart(one[place], mine.median[place], fine) < tolerance[place] for one in mine.pictures]
        # Under another light leaves look different; where most moments show what the median shows, it serves.
        here = known & mine.doubtful[place] & (own | (mine.of_moments(of_median) < _MAJORITY))
        tint = np.where(own, 0, _TINT).astype(np.float32)
        for k, picture in enumerate(mine.pictures):
            same = (_apart(picture[place], street, fine, tint) < tolerance[place]).astype(np.uint8)
            seen = cv2.morphologyEx(same, cv2.MORPH_OPEN, np.ones((fine, fine), np.uint8))
            shown[k][place][here] = np.where(seen, SHOWN, HIDDEN)[here]
    return shown


def _street(
    asked: Sequence[tuple[Looks, np.ndarray]], around: np.ndarray, place: tuple[slice, slice]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a place (h, w) the street (h, w, 3), where it is a look of one's own bucket, the first asked, and where it is
    known at all, both (h, w) bool; each bucket with what gives it the light of the first."""
    window, tolerance = asked[0][0].window, np.max([one.tolerance[place] for one, _ in asked], axis=0)
    picked = [one.pictures[one.ends()][(slice(None), *place)] + gain[place] for one, gain in asked]
    pictures = np.concatenate(picked).astype(np.float32)
    covered = np.concatenate([one.covered[one.ends()][(slice(None), *place)] for one, _ in asked])
    covered = np.stack([cv2.blur(one.astype(np.float32), (window, window)) for one in covered])
    bucket = np.repeat(np.arange(len(asked)), [len(one) for one in picked])
    moment = np.concatenate([one.moments[one.ends()] for one, _ in asked])
    when = np.unique(np.stack([bucket, moment]), axis=1, return_inverse=True)[1].ravel()
    cost = np.full(pictures.shape[:3], np.inf, np.float32)
    for k, picture in enumerate(pictures):
        same = np.stack(
            [_apart(one, picture, window, 0 if b == bucket[k] else _TINT) < tolerance
             for one, b in zip(pictures, bucket, strict=True)]
        )  # fmt: skip
        shared = sum(same[when == other].any(axis=0).astype(int) for other in np.unique(when) if other != when[k])
        edges = cv2.blur(gradient(picture), (window, window))
        # The street itself is found as an object where the median holds one; then at other moments it is not.
        found = (same * covered).sum(axis=0) / np.maximum(same.sum(axis=0), 1)
        worth = _apart(picture, around[place], window) + _EDGES * edges + _COVERED * found + _FOREIGN * (bucket[k] > 0)
        worth -= _OFTEN * shared / len(np.unique(when))
        cost[k] = np.where(shared > 0, worth, np.inf)
    best = cost.argmin(axis=0)
    street = np.take_along_axis(pictures, best[None, ..., None], axis=0)[0]
    return street, bucket[best] == 0, np.isfinite(cost.min(axis=0))


def _apart(one: np.ndarray, other: np.ndarray, window: int, tint: np.ndarray | float = 0.0) -> np.ndarray:
    """(h, w) mean difference over windows, of the channel that differs most; what is the same all over a window counts
    from `tint` on."""
    difference = np.subtract(one, other, dtype=np.float32)
    if np.any(tint):
        most = np.broadcast_to(np.asarray(tint, np.float32), difference.shape[:2])[..., None]
        difference = difference - np.clip(cv2.blur(difference, (window, window)), -most, most)
    return cv2.blur(largest(np.abs(difference)), (window, window))


def _relit(theirs: Looks, mine: Looks) -> np.ndarray:
    """(rows, columns, 3) what gives one bucket's pictures the light of another, from where both medians are sure."""
    ratio, both = mine.median - theirs.median, ~theirs.doubtful & ~mine.doubtful
    everywhere = np.median(ratio[both], axis=0) if both.any() else np.zeros(3, np.float32)
    sure, reach = both.astype(np.float32), _AROUND * both.shape[1]
    # A small weight on what they differ by everywhere carries it across places that are in doubt.
    weight = cv2.GaussianBlur(sure, (0, 0), reach)[..., None] + 0.02
    return everywhere + cv2.GaussianBlur((ratio - everywhere) * sure[..., None], (0, 0), reach) / weight


def _continued(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The picture with what surrounds a hole (rows, columns) bool drawn into it."""
    levels = np.clip(np.rint(np.exp(picture) - OFFSET), 0, 255).astype(np.uint8)
    edge = cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8))
    return ln_levels(cv2.inpaint(levels, edge, 3, cv2.INPAINT_TELEA))


def ln_levels(levels: np.ndarray) -> np.ndarray:
    """Natural logarithms float32 of grey levels, steady in the dark."""
    return np.log(levels.astype(np.float32) + np.float32(OFFSET))
