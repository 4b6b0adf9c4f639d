"""Training pictures: pieces of pictures of linked objects, or mosaics of four, as large as the settings say."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor

from models.contract import Given, Splits
from models.dpad import DpadSettings
from models.linked_objects import LinkedPicture
from models.linked_objects.mosaic import mosaic
from models.linked_objects.shards import LinkedPictures, read_linked
from models.synthetic.photograph import photographed

MOST = 24  # objects of a picture
GREY = 114
_LEAST_PX = 8.0  # longer side of a box
_SOFTNESS = 0.4


def with_classes(settings: DpadSettings, given: Given) -> DpadSettings:
    """The settings with the classes that the data have."""
    if given.data is None:
        return settings
    return replace(settings, classes=json.dumps(read_linked(given.data, "val").table.to_plain()))


def splits(settings: DpadSettings, given: Given, seed: int) -> Splits:
    """Rendered pictures, whose bodies are each of one split. Raises ValueError where there are none or of other
    classes."""
    if given.data is None:
        raise ValueError("dpad: expected the folder that RenderLinkedObjects wrote, got none")
    read = [read_linked(given.data, split) for split in Splits._fields]
    for pictures in read:
        if pictures.table.names != settings.table.names:
            raise ValueError(f"dpad: the network is for {', '.join(settings.table.names)}; the data have "
                             f"{', '.join(pictures.table.names)}; render anew")  # fmt: skip
    train, val = read
    return Splits(Scenes(train, settings, seed, augment=True), Scenes(val, settings, seed + 1, augment=False))


class Scenes:
    """Pictures (3, S, S) uint8 RGB with labels (MOST,), -1 for none, and boxes (MOST, 4) xyxy px: endlessly, or each
    once in order, as it is, where not `augment`."""

    def __init__(self, pictures: LinkedPictures, settings: DpadSettings, seed: int, *, augment: bool) -> None:
        if not len(pictures):
            raise ValueError("dpad: expected pictures with objects, found none")
        self.pictures, self.settings, self.seed, self.augment = pictures, settings, seed, augment

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if not self.augment:
            return sample_of(self.pictures[index % len(self.pictures)], self.settings.side_px, 1.0)
        rng = np.random.default_rng([self.seed, index])
        chosen = [self.pictures[int(k)] for k in rng.integers(len(self.pictures), size=4)]
        picture = mosaic(chosen, rng) if rng.uniform() < self.settings.mosaic else chosen[0]
        sample = sample_of(picture, self.settings.side_px, float(rng.uniform(0.75, 1.0)))
        image = photographed(sample["image"].permute(1, 2, 0).numpy(), _SOFTNESS, rng)
        sample["image"] = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
        return flipped(sample) if rng.uniform() < 0.5 else sample


def sample_of(picture: LinkedPicture, side_px: int, scale: float) -> dict[str, Tensor]:
    """A picture, resized so that its longer side is `scale` of side_px, in the corner of a grey square."""
    ratio = scale * side_px / max(picture.size_hw)
    size = [max(round(ratio * n), 1) for n in picture.size_hw[::-1]]
    image = np.full((side_px, side_px, 3), GREY, np.uint8)
    image[: size[1], : size[0]] = cv2.resize(picture.image, (size[0], size[1]), interpolation=cv2.INTER_AREA)
    labels, boxes = np.full(MOST, -1), np.zeros((MOST, 4), np.float32)
    kept = [one for one in picture.objects if ratio * max(one.box_xywh[2:]) >= _LEAST_PX][:MOST]
    for n, one in enumerate(kept):
        labels[n], boxes[n] = one.class_id, ratio * np.r_[one.box_xywh[:2], one.box_xywh[:2] + one.box_xywh[2:]]
    return {
        "image": torch.from_numpy(image).permute(2, 0, 1),
        "labels": torch.from_numpy(labels),
        "boxes": torch.from_numpy(boxes),
    }


def flipped(sample: dict[str, Tensor]) -> dict[str, Tensor]:
    """The sample as a mirror shows it."""
    side, boxes = sample["image"].shape[-1], sample["boxes"]
    turned = torch.stack([side - boxes[:, 2], boxes[:, 1], side - boxes[:, 0], boxes[:, 3]], 1)
    there = (sample["labels"] >= 0)[:, None]
    return sample | {"image": sample["image"].flip(-1), "boxes": torch.where(there, turned, boxes)}
