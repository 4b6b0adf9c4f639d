"""A picture with its objects: what every source of linked objects, rendered or labelled, gives.

Boxes and keypoints are edge pixels (COCO's: pixel i spans [i, i + 1)).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.core.boxes import box_iou
from pipeline.core.tables import KEYPOINT_STATES

VISIBLE, SELF_OCCLUDED, OCCLUDED, TRUNCATED = range(len(KEYPOINT_STATES))
UNKNOWN = -1  # of a state: the point is unlabelled and its place NaN, or nobody says whether it is seen
NOBODY = -1  # of an occluder: no object of the picture's


@dataclass(frozen=True)
class LinkedObject:
    """One object.

    class_id: into the class table. box_xywh (4,): around all of it inside the picture, what is hidden included. xy
    (N, 2) its class's points, NaN where unlabelled; they may leave the picture. state (N,): index of KEYPOINT_STATES or
    UNKNOWN. occluder (N,): of an occluded point the index, among the picture's objects, of the one nearest before it,
    else NOBODY. hidden_fraction: of its pixels inside the picture, 0 to 1; NaN where unknown. body: the same for one
    body in every picture; -1 where unknown.
    Raises ValueError for shapes that disagree and for a box without an inside.
    """

    class_id: int
    box_xywh: np.ndarray
    xy: np.ndarray
    state: np.ndarray
    occluder: np.ndarray
    hidden_fraction: float = float("nan")
    body: int = -1

    def __post_init__(self) -> None:
        count = len(self.xy)
        given = self.box_xywh.shape, self.xy.shape, self.state.shape, self.occluder.shape
        if given != ((4,), (count, 2), (count,), (count,)):
            raise ValueError(f"object: expected box (4,), xy ({count}, 2), state and occluder ({count},), got {given}")
        if not (np.isfinite(self.box_xywh).all() and (self.box_xywh[2:] > 0).all()):
            raise ValueError(f"object: expected a box x y w h with an inside, got {self.box_xywh.tolist()}")

    @property
    def known(self) -> np.ndarray:
        """(N,) whether a point has a place."""
        return np.isfinite(self.xy).all(axis=1)

    @property
    def inside(self) -> np.ndarray:
        """(N,) whether a point has a place in the picture: what is to be found, seen or not."""
        return self.known & (self.state != TRUNCATED)


@dataclass(frozen=True)
class LinkedPicture:
    """A picture's name, its objects, nearest first where that is known, and what reads its pixels (H, W, 3) uint8 RGB
    whenever it is asked."""

    name: str
    size_hw: tuple[int, int]
    objects: tuple[LinkedObject, ...]
    read: Callable[[], np.ndarray] = field(repr=False, compare=False)

    @property
    def image(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, decoded anew."""
        return self.read()

    def overlaps(self, least_iou: float = 0.0) -> np.ndarray:
        """(n, n) bool, symmetric: which two objects are of one class and have boxes that overlap by more than this."""
        if not self.objects:
            return np.zeros((0, 0), bool)
        boxes = np.stack([o.box_xywh for o in self.objects])
        ids = np.array([o.class_id for o in self.objects])
        pairs = (box_iou(boxes[:, None], boxes) > least_iou) & (ids[:, None] == ids)
        np.fill_diagonal(pairs, False)
        return pairs


def mirrored(picture: LinkedPicture, flips: list[tuple[int, ...]]) -> LinkedPicture:
    """The mirror image; flips: of each class the order of its points there, `ObjectClass.flip`."""
    width = picture.size_hw[1]

    def turned(one: LinkedObject) -> LinkedObject:
        order = list(flips[one.class_id])
        box = one.box_xywh.copy()
        box[0] = width - box[0] - box[2]
        xy = one.xy[order] * [-1, 1] + [width, 0]
        return replace(one, box_xywh=box, xy=xy, state=one.state[order], occluder=one.occluder[order])

    objects = tuple(map(turned, picture.objects))
    return LinkedPicture(picture.name, picture.size_hw, objects, lambda: np.ascontiguousarray(picture.image[:, ::-1]))
