"""Samples as the network takes them: two people of a picture who are a couple, else any two who are not.

Sample i is a pure function of (seed, split, i). Keypoints are in their person's own crop, see
`models.geometry.crop_frames`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from calibration.camera import pixel_to_edge
from models.contract import Given, Splits
from models.crops import crop_square, squares_of
from models.geometry.crop_frames import to_frame
from models.opec_net import OpecNetSettings
from models.opec_net.couples import couples_of, union_boxes
from models.people_groups import GroupPerson, GroupPicture, read_pictures

_SHIFTED, _GROWN = 0.04, 0.12  # deviations of a box's middle, of its longer side, and of the logarithm of its size
_CONTRAST, _BRIGHTNESS, _CAST = 0.15, 20.0, 0.05
Unit = tuple[tuple[int, int], ...]  # two of (picture, person)


def splits(settings: OpecNetSettings, given: Given, seed: int) -> Splits:
    """Rendered couples, which are apart by body, motion and backdrop.

    Raises ValueError where nothing was rendered, where nobody is in the pictures, for settings that want given poses,
    and FileNotFoundError where a split is not there.
    """
    if settings.initial == "given":
        raise ValueError(
            "opec_net: initial: rendered couples hold no poses that are given; train with blended, whose weights "
            "correct given poses as well"
        )
    if given.data is None:
        raise ValueError("opec_net: expected rendered couples, got none; run `luigi --module tasks RenderCouples`")
    train, val = (read_pictures(given.data, split, settings.joints) for split in Splits._fields)
    return Splits(Couples(train, settings, seed), Couples(val, settings, seed + 1, augment=False))


class Couples:
    """Endless samples of pictures in an order that the seed says, each lap anew; `augment` changes every one."""

    def __init__(
        self, pictures: Sequence[GroupPicture], settings: OpecNetSettings, seed: int, *, augment: bool = True
    ) -> None:
        self.pictures, self.settings, self.seed, self.augment = pictures, settings, seed, augment
        self.units = units_of(pictures)

    def __len__(self) -> int:
        return len(self.units)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, index])
        if self.augment:
            lap, place = divmod(index, len(self.units))
            unit = self.units[np.random.default_rng([self.seed, 0x0C, lap]).permutation(len(self.units))[place]]
        else:
            unit = self.units[index % len(self.units)]
        pictures = [self.pictures[number] for number, _ in unit]
        people = [picture.people[row] for picture, (_, row) in zip(pictures, unit, strict=True)]
        couple = self._are_couple(unit, people)
        images = [pictures[0].image()]
        images.append(images[0] if unit[0][0] == unit[1][0] else pictures[1].image())
        if self.augment:
            if rng.uniform() < 0.5:
                flip, sizes = self.settings.joints.flip, [image.shape[1] for image in images]
                people = [flipped(one, width, flip) for one, width in zip(people, sizes, strict=True)]
                images = [image[:, ::-1] for image in images]
            people = [replace(one, box_xywh=poorer(one.box_xywh, rng)) for one in people]
        crops = sample(images, people, self.settings, couple=couple)
        return crops | ({"image": recoloured(crops["image"], rng)} if self.augment else {})

    @staticmethod
    def _are_couple(unit: Unit, people: Sequence[GroupPerson]) -> bool:
        """Whether two are one couple: of few pictures strangers may share one, or be one person twice."""
        together = unit[0][0] == unit[1][0] and unit[0] != unit[1]
        return together and len(couples_of(np.stack([one.box_xywh for one in people]))) > 0


def units_of(pictures: Sequence[GroupPicture]) -> list[Unit]:
    """Every couple of every picture, then everyone else two by two; crowds that are not told apart are left out.

    Raises ValueError where there is nobody.
    """
    couples: list[Unit] = []
    others: list[tuple[int, int]] = []
    for number, picture in enumerate(pictures):
        rows = [row for row, one in enumerate(picture.people) if not one.ignored and one.labelled.any()]
        pairs = couples_of(picture.boxes[rows])
        couples += [tuple((number, rows[k]) for k in pair) for pair in pairs.tolist()]
        alone = np.setdiff1d(np.arange(len(rows)), pairs)
        others += [(number, rows[k]) for k in alone.tolist()]
    if not couples and not others:
        raise ValueError(f"opec_net: no person in {len(pictures)} pictures; expected some with labelled joints")
    # Neighbours in the list may share a picture; those half a list apart hardly do.
    half = (len(others) + 1) // 2
    strangers: list[Unit] = []
    for first, second in zip(others[:half], [*others[half:], *others[:1]], strict=False):
        strangers.append((first, second))
    return [*couples, *strangers]


def sample(
    images: Sequence[np.ndarray], people: Sequence[GroupPerson], settings: OpecNetSettings, *, couple: bool
) -> dict[str, Tensor]:
    """What the network takes of two people, each in an RGB image (H, W, 3); couple: whether they are one."""
    boxes = np.stack([one.box_xywh for one in people]).astype(float)
    squares = squares_of(boxes, settings.aspect)
    crops = [
        crop_square(np.ascontiguousarray(image), square, settings.height_px, settings.aspect)
        for image, square in zip(images, squares, strict=True)
    ]
    xy = np.stack([np.where(one.labelled[:, None], one.xy, np.nan) for one in people])
    state = np.stack([np.where(one.labelled, one.state, -1) for one in people])
    square = torch.from_numpy(squares)
    return {
        "image": torch.from_numpy(np.stack(crops).transpose(0, 3, 1, 2).copy()),
        "square": square,
        "union": torch.from_numpy(squares_of(union_boxes(boxes[:1], boxes[1:]), settings.aspect)[0]),
        "couple": torch.tensor(couple),
        "xy": to_frame(torch.from_numpy(pixel_to_edge(xy)), square, settings.aspect).float(),
        "state": torch.from_numpy(state.astype(np.int64)),
        "area": torch.tensor([one.area_px for one in people], dtype=torch.float32),
    }


def flipped(person: GroupPerson, width: int, flip: Sequence[int]) -> GroupPerson:
    """The person in the mirror image of a picture of a width: left and right joints have changed places."""
    x, y, w, h = person.box_xywh
    order = list(flip)
    xy = np.array([width - 1, 0]) + person.xy[order] * [-1, 1]
    return replace(
        person,
        box_xywh=np.array([width - x - w, y, w, h]),
        xy=xy,
        state=person.state[order],
        hidden_by=person.hidden_by[order],
    )


def poorer(box_xywh: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(4,) a box that is a little off, as detectors' are."""
    size = box_xywh[2:] * np.exp(_GROWN * rng.standard_normal())
    middle = box_xywh[:2] + box_xywh[2:] / 2 + _SHIFTED * max(box_xywh[2:]) * rng.standard_normal(2)
    return np.r_[middle - size / 2, size]


def recoloured(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Crops (2, 3, H, W) uint8 in another illumination, the same for both."""
    gain = np.exp(_CONTRAST * rng.standard_normal() + _CAST * rng.standard_normal(3)).astype(np.float32)
    lift = np.float32(_BRIGHTNESS * rng.standard_normal())
    changed = image.float() * torch.from_numpy(gain)[:, None, None] + float(lift)
    return changed.clamp(0, 255).to(torch.uint8)
