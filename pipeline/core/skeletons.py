"""The named keypoints of things: their order, their mirror images, which of them are joined, how uncertain they are.

The only place where a number of keypoints, an order of them or a flip is written down: `len(VEHICLE_12)` elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_OTHER = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class Skeleton:
    """K keypoints in the order that every array of them has.

    names: what each is called. flip: of each the index of the one that stands in its place in the mirror image; a
    list or array of it is an index, `points[..., list(skeleton.flip), :]`. links: pairs of indices that a picture or
    a graph joins. sigmas: how far annotators are apart on each, over the square root of the object's area, as COCO's
    keypoint similarity (OKS) takes them.
    Raises ValueError where lengths disagree, an index is not a keypoint's, or flipping twice is not the identity.
    """

    names: tuple[str, ...]
    flip: tuple[int, ...]
    links: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...]

    def __post_init__(self) -> None:
        count = len(self.names)
        if len(set(self.names)) != count or len(self.flip) != count or len(self.sigmas) != count:
            raise ValueError(
                f"skeleton: expected {count} different names with a flip and a sigma each, got "
                f"{len(set(self.names))} names, {len(self.flip)} flips, {len(self.sigmas)} sigmas"
            )
        if not set(self.flip).union(*self.links) <= set(range(count)):
            raise ValueError(f"skeleton: expected flips and links of indices 0 to {count - 1}")
        if any(self.flip[self.flip[k]] != k for k in range(count)):
            raise ValueError("skeleton: expected a flip that undoes itself")

    def __len__(self) -> int:
        return len(self.names)

    def indices(self, names: Sequence[str]) -> list[int]:
        """Where the named keypoints stand. Raises ValueError for a name that is none of them."""
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise ValueError(f"unknown keypoint {unknown[0]!r}; expected {', '.join(self.names)}")
        return [self.names.index(name) for name in names]


def _flip(names: Sequence[str]) -> tuple[int, ...]:
    """Left and right change places."""
    swapped = [re.sub("left|right", lambda side: _OTHER[side[0]], name) for name in names]
    return tuple(names.index(name) for name in swapped)


def _skeleton(names: Sequence[str], links: Sequence[tuple[str, str]], sigmas: Sequence[float]) -> Skeleton:
    pairs = tuple((names.index(a), names.index(b)) for a, b in links)
    return Skeleton(tuple(names), _flip(names), pairs, tuple(sigmas))


def _both(*links: tuple[str, str]) -> list[tuple[str, str]]:
    """The links between parts of one side, on the left and on the right."""
    return [(f"{side}_{a}", f"{side}_{b}") for a, b in links for side in ("left", "right")]


def _across(*parts: str) -> list[tuple[str, str]]:
    return [(f"left_{part}", f"right_{part}") for part in parts]


# Right before left, from the wheels up. Links: the wireframe of Occlusion-Net's authors (their 14 points less the
# exhaust and the centre). There is no agreed spread of annotators on vehicles: 0.05 for all, between a person's ear
# (0.035) and wrist (0.062), for the points are small and sharp but often guessed through the body.
VEHICLE_12 = Skeleton(
    names=tuple(
        f"{side} {part}"
        for part in (
            "front wheel", "back wheel", "front headlight", "back light", "front roof corner", "back roof corner",
        )
        for side in ("right", "left")
    ),
    flip=tuple(k ^ 1 for k in range(12)),
    links=(
        (0, 2), (1, 3), (0, 1), (2, 3), (8, 10), (9, 11), (8, 9), (10, 11), (4, 0), (4, 8), (4, 5), (5, 1), (5, 9),
        (6, 2), (6, 10), (7, 3), (7, 11), (6, 7),
    ),
    sigmas=(0.05,) * 12,
)  # fmt: skip

# COCO's spread of its annotators, https://cocodataset.org/#keypoints-eval; OPEC-Net and CrowdPose take the same.
_SIGMAS = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062, "hip": 0.107,
    "knee": 0.087, "ankle": 0.089,
}  # fmt: skip
_PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_LIMBS = [f"{side}_{part}" for part in _PARTS for side in ("left", "right")]
_LIMB_LINKS = [
    *_across("shoulder", "hip"),
    *_both(("shoulder", "elbow"), ("elbow", "wrist"), ("shoulder", "hip"), ("hip", "knee"), ("knee", "ankle")),
]


def _sigma(name: str, unknown: float = 0.107) -> float:
    """COCO's sigma of a part; unless it has one, the hip's, which annotators guess within clothes."""
    return _SIGMAS.get(name.split("_")[-1], unknown)


_FACE = ["nose", "left_eye", "right_eye", "left_ear", "right_ear"]
COCO_17 = _skeleton(
    [*_FACE, *_LIMBS],
    [
        *_LIMB_LINKS,
        *_across("eye"),
        *(("nose", f"{side}_eye") for side in ("left", "right")),
        *_both(("eye", "ear"), ("ear", "shoulder")),
    ],
    [_sigma(name) for name in [*_FACE, *_LIMBS]],
)
OPEC_12 = _skeleton(_LIMBS, _LIMB_LINKS, [_sigma(name) for name in _LIMBS])
# CrowdPose gives its two points of the head the shoulder's spread.
CROWDPOSE_14 = _skeleton(
    [*_LIMBS, "head", "neck"],
    [*_LIMB_LINKS, ("head", "neck"), *((f"{side}_shoulder", "neck") for side in ("left", "right"))],
    [_sigma(name, 0.079) for name in [*_LIMBS, "head", "neck"]],
)
# Every point of a person that one of these skeletons has.
PEOPLE_19 = _skeleton(
    [*COCO_17.names, "head", "neck"],
    [
        *[(COCO_17.names[a], COCO_17.names[b]) for a, b in COCO_17.links],
        *[(CROWDPOSE_14.names[a], CROWDPOSE_14.names[b]) for a, b in CROWDPOSE_14.links[-3:]],
    ],
    [*COCO_17.sigmas, *CROWDPOSE_14.sigmas[-2:]],
)

# SMPL's joints and of each the one that carries it; the pelvis carries all.
_SMPL = {
    "pelvis": "", "left_hip": "pelvis", "right_hip": "pelvis", "spine1": "pelvis", "left_knee": "left_hip",
    "right_knee": "right_hip", "spine2": "spine1", "left_ankle": "left_knee", "right_ankle": "right_knee",
    "spine3": "spine2", "left_foot": "left_ankle", "right_foot": "right_ankle", "neck": "spine3",
    "left_collar": "spine3", "right_collar": "spine3", "head": "neck", "left_shoulder": "left_collar",
    "right_shoulder": "right_collar", "left_elbow": "left_shoulder", "right_elbow": "right_shoulder",
    "left_wrist": "left_elbow", "right_wrist": "right_elbow", "left_hand": "left_wrist", "right_hand": "right_wrist",
}  # fmt: skip
SMPL_24 = _skeleton(
    list(_SMPL), [(parent, joint) for joint, parent in _SMPL.items() if parent], [_sigma(name) for name in _SMPL]
)
# Of each of SMPL's joints the index of the one that carries it; -1 for the pelvis.
SMPL_PARENTS = (-1, *(parent for parent, _ in SMPL_24.links))

# Where the limbs of COCO and of OPEC-Net stand among them.
SMPL_LIMBS = tuple(SMPL_24.indices(_LIMBS))

# The keypoints of an object of each category, in the columns keypoints_2d and keypoints_3d.
OF_CATEGORY = {"person": COCO_17, "vehicle": VEHICLE_12}
