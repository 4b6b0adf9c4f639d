"""A picture with its people: boxes, keypoints and what hides each of them; the same of any source.

Boxes are COCO's edges, keypoints pixel centres. States index `pipeline.core.tables.KEYPOINT_STATES`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.core.skeletons import Skeleton
from pipeline.core.tables import KEYPOINT_STATES

UNKNOWN = -1  # of a state that nobody told
NOBODY = -1  # of what hides a keypoint and is none of the picture's people
VISIBLE, SELF_OCCLUDED, OCCLUDED, TRUNCATED = range(len(KEYPOINT_STATES))
BOX_FILLED = 0.53  # of a box is person: what stands for an object's area in OKS where no mask was labelled (CrowdPose)


@dataclass(frozen=True)
class GroupPerson:
    """One person of a picture, of K keypoints.

    box_xywh (4,) px, around all of the person, the hidden parts too, unless the labels mean otherwise; xy (K, 2) px,
    NaN where nobody told; state (K,) index of KEYPOINT_STATES, -1 unknown: a place may be known whose state is not, and
    where a place is not known the state is not either, but for `truncated`; hidden_by (K,) of an occluded keypoint the
    index, within the picture, of the person who hides it, else -1: a thing, nobody, or unknown. area_px: the person's
    area, as OKS takes it. identity: of the body, "" unknown. ignored: neither right nor wrong, as COCO's crowds.
    Raises ValueError where shapes disagree.
    """

    box_xywh: np.ndarray
    xy: np.ndarray
    state: np.ndarray
    hidden_by: np.ndarray
    area_px: float
    identity: str = ""
    ignored: bool = False

    def __post_init__(self) -> None:
        count = len(self.state)
        shapes = {"box_xywh": (4,), "xy": (count, 2), "state": (count,), "hidden_by": (count,)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"person: {name}: expected {shape}, got {getattr(self, name).shape}")

    @property
    def labelled(self) -> np.ndarray:
        """(K,) bool: whether the place is known and within the picture; what losses and OKS count."""
        return ~np.isnan(self.xy).any(axis=1) & (self.state != TRUNCATED)

    @property
    def visible(self) -> np.ndarray:
        """(K,) bool of the labelled ones that are seen; a state that is not known is neither visible nor invisible."""
        return self.labelled & (self.state == VISIBLE)

    @property
    def invisible(self) -> np.ndarray:
        """(K,) bool of the labelled ones that are hidden, by whatever it is."""
        return self.labelled & ((self.state == SELF_OCCLUDED) | (self.state == OCCLUDED))


@dataclass(frozen=True)
class GroupPicture:
    """A picture with its people.

    name: unique within its set; size_hw: height and width, px; people in the order that `hidden_by` indexes; skeleton:
    of their K keypoints; split: "train", "val", "test", ..., "" where the source has none; motion: what they do
    together, "" unknown; crowd_index: CrowdPose's, NaN where it is not that set's; load: decodes the pixels.
    """

    name: str
    size_hw: tuple[int, int]
    people: tuple[GroupPerson, ...]
    skeleton: Skeleton
    load: Callable[[], np.ndarray] = field(repr=False, compare=False)
    split: str = ""
    motion: str = ""
    crowd_index: float = float("nan")

    def __post_init__(self) -> None:
        for number, person in enumerate(self.people):
            if len(person.state) != len(self.skeleton):
                raise ValueError(
                    f"{self.name}: person {number}: expected {len(self.skeleton)} keypoints, got {len(person.state)}"
                )

    def image(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, decoded anew at every call."""
        return self.load()

    @property
    def boxes(self) -> np.ndarray:
        """(P, 4) boxes of the people."""
        return np.array([person.box_xywh for person in self.people], float).reshape(-1, 4)

    def in_skeleton(self, skeleton: Skeleton) -> GroupPicture:
        """The picture with the keypoints of another skeleton, found by their names.

        A keypoint that this picture's skeleton lacks is NaN and unknown in everyone.
        """
        if skeleton == self.skeleton:
            return self
        taken = [self.skeleton.names.index(n) if n in self.skeleton.names else -1 for n in skeleton.names]
        return replace(self, skeleton=skeleton, people=tuple(_taken(person, taken) for person in self.people))


def _taken(person: GroupPerson, columns: Sequence[int]) -> GroupPerson:
    """The person with the keypoints of columns (K,), unknown for -1."""
    rows = np.array(columns)
    there = rows >= 0
    return replace(
        person,
        xy=np.where(there[:, None], person.xy[rows], np.nan),
        state=np.where(there, person.state[rows], UNKNOWN),
        hidden_by=np.where(there, person.hidden_by[rows], NOBODY),
    )
