"""Samples as the network takes them: the crop about an object of a picture, and the points of its class in view.

Sample i is a pure function of (seed, split, i). Places are in the object's box's frame, see `models.geometry.boxes`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.contract import Given, Splits
from models.crops import crop_square, squares_of
from models.geometry.boxes import CELL_PX as SEEN_CELL_PX
from models.geometry.boxes import INPUT_PX as SEEN_PX
from models.geometry.boxes import MAP_CELLS, to_box
from models.klpnet import KlpNetSettings
from models.linked_objects import ClassTable, LinkedObject, LinkedPicture
from models.linked_objects.labelled import read_linked_coco, read_linked_pascal3d
from models.linked_objects.link_table import read_link_table
from models.linked_objects.mosaic import mosaic
from models.linked_objects.pictures import VISIBLE
from models.linked_objects.shards import LinkedPictures, read_linked
from models.synthetic.photograph import photographed
from models.synthetic.vehicle_shards import read_backdrops

LINK_TABLE = "link_table.yaml"  # beside labels, where their classes are others than those rendered
LEAST_PX = 16  # longer side of a box
LEAST_POINTS = 2  # visible ones
_WIDER = MAP_CELLS * SEEN_CELL_PX / SEEN_PX  # of a crop, whose map ends where it does, to the square about its box
_JITTER, _MOST_JITTER = 0.03, 0.08  # of a box's edges, its longer sides
_SOFTNESS = 0.4
_KEPT = 10  # one labelled picture in so many validates
_OTHERS = 2  # objects' worth of points of other objects of the class


def regions_of(boxes_xywh: np.ndarray) -> np.ndarray:
    """(N, 3) left and top edge and side, px, of what is seen of boxes (N, 4): as much as the maps cover."""
    squares = squares_of(boxes_xywh)
    more = squares[:, 2:] * (_WIDER - 1)
    return np.column_stack([squares[:, :2] - more / 2, squares[:, 2:] + more])


def crop_of(image_rgb: np.ndarray, box_xywh: np.ndarray, input_px: int) -> np.ndarray:
    """(input_px, input_px, 3) uint8 about a box, black beyond the picture."""
    return crop_square(image_rgb, regions_of(np.asarray(box_xywh, float)[None])[0], input_px)


def adapted(settings: KlpNetSettings, given: Given) -> KlpNetSettings:
    """The settings with the classes that the data have: rendered ones, or the link table's beside the labels."""
    if given.labels is not None:
        folder = given.labels if given.labels.is_dir() else given.labels.parent
        if not (folder / LINK_TABLE).exists():
            return settings
        table = read_link_table(folder / LINK_TABLE)
    elif given.data is not None:
        table = read_linked(given.data, "val").table
    else:
        return settings
    return replace(settings, classes=json.dumps(table.to_plain()))


def splits(settings: KlpNetSettings, given: Given, seed: int) -> Splits:
    """Rendered pictures, whose bodies are each of one split; or labelled ones, a COCO JSON or records of PASCAL3D+ and
    ObjectNet3D, of which the last tenth validates. Pictures in the folder `backdrops` stand behind every other one.

    Raises ValueError where there are none, or they are of other classes than the network is for.
    """
    if given.labels is not None:
        train, val = _labelled(settings.table, given.labels, given.images)
    elif given.data is not None:
        behind = [] if given.backdrops is None else read_backdrops(given.backdrops)
        train = checked(read_linked(given.data, "train", behind), settings.table)
        val = checked(read_linked(given.data, "val"), settings.table)
    else:
        raise ValueError("klpnet: expected the folder that RenderLinkedObjects wrote, or --labels; got neither")
    learnt, kept = (pictures.without(settings.held_out) for pictures in (train, val))
    return Splits(
        LinkedCrops(learnt, settings, seed, augment=True), LinkedCrops(kept, settings, seed + 1, augment=False)
    )


def _labelled(table: ClassTable, labels: Path, images: Path | None) -> tuple[LinkedPictures, LinkedPictures]:
    """Pictures to learn from and to validate on, of labels whose pictures lie beside them or in another folder."""
    beside = labels if labels.is_dir() else labels.parent
    read = read_linked_coco if labels.suffix == ".json" else read_linked_pascal3d
    pictures = read(labels, images or beside, table)
    pictures = replace(pictures, pictures=[picture for picture in pictures if picture.objects])
    if len(pictures) < 2:
        raise ValueError(f"{labels}: expected labelled objects in at least two pictures, got {len(pictures)}")
    kept = max(1, len(pictures) // _KEPT)
    return replace(pictures, pictures=pictures.pictures[:-kept]), replace(pictures, pictures=pictures.pictures[-kept:])


def checked(pictures: LinkedPictures, table: ClassTable) -> LinkedPictures:
    """The same pictures. Raises ValueError where their classes are not the table's."""
    if pictures.table.to_plain()["classes"] != table.to_plain()["classes"]:
        ours, theirs = (", ".join(t.names) for t in (table, pictures.table))
        raise ValueError(f"klpnet: the network is for the classes {ours} with their points; the data have {theirs}; "
                         "render anew, or give the network the data's table")  # fmt: skip
    return pictures


@dataclass(frozen=True)
class Place:
    """An object of a picture, by their numbers."""

    picture: int
    row: int


def worth_learning(one: LinkedObject) -> bool:
    """Whether an object is large enough, and enough of it seen, for its points to mean anything."""
    return max(one.box_xywh[2:]) >= LEAST_PX and int((one.state == VISIBLE).sum()) >= min(LEAST_POINTS, len(one.state))


class LinkedCrops:
    """Crops of the objects of pictures: endlessly, varied, or each once in order, as it is, where not `augment`."""

    def __init__(self, pictures: LinkedPictures, settings: KlpNetSettings, seed: int, *, augment: bool) -> None:
        self.pictures, self.settings, self.seed, self.augment = pictures, settings, seed, augment
        self.table = pictures.table
        self.places = [
            Place(n, row)
            for n, picture in enumerate(pictures)
            for row, one in enumerate(picture.objects)
            if worth_learning(one)
        ]
        if not self.places:
            raise ValueError("klpnet: expected pictures with objects of its classes, found no object in "
                             f"{len(pictures)} pictures")  # fmt: skip

    def __len__(self) -> int:
        return len(self.places)

    def overlapping(self, index: int) -> int:
        """How many of its class the object of a sample that is not varied overlaps; no pixels are read."""
        place = self.places[index]
        return int(self.pictures[place.picture].overlaps()[place.row].sum())

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, index])
        if not self.augment:
            place = self.places[index % len(self.places)]
            return self._sample(self.pictures[place.picture], place.row)
        place = self.places[int(rng.integers(len(self.places)))]
        picture, row = self.pictures[place.picture], place.row
        if rng.uniform() < self.settings.mosaic:
            others = [self.pictures[int(k)] for k in rng.integers(len(self.pictures), size=3)]
            picture = mosaic([picture, *others], rng)
        one = picture.objects[row]
        jitter = np.clip(rng.normal(0, _JITTER, 4), -_MOST_JITTER, _MOST_JITTER) * max(one.box_xywh[2:])
        box = np.r_[one.box_xywh[:2] + jitter[:2], np.maximum(one.box_xywh[2:] + jitter[2:], 4)]
        sample = self._sample(picture, row, box)
        image = photographed(sample["image"].permute(1, 2, 0).numpy(), _SOFTNESS, rng)
        sample["image"] = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
        if rng.uniform() < 0.5:
            sample = mirrored_sample(sample, self.table[one.class_id].flip)
        if rng.uniform() < self.settings.unnamed:
            sample["label"] = torch.tensor(0)
        return sample

    def _sample(self, picture: LinkedPicture, row: int, box: np.ndarray | None = None) -> dict[str, Tensor]:
        overlaps = picture.overlaps()[row]
        return sample_of(picture.image, picture.objects, row, overlaps, self.table, self.settings.cklm.input_px, box)


def sample_of(
    image_rgb: np.ndarray, objects: Sequence[LinkedObject], row: int, overlaps: np.ndarray, table: ClassTable,
    input_px: int, box_xywh: np.ndarray | None = None,
) -> dict[str, Tensor]:  # fmt: skip
    """One item of a batch: the object `row` of a picture, seen in its own box or in another.

    image (3, S, S) uint8 RGB; label, its class from 1 on, and class_id, from 0 on; aspect, the box's width / height; xy
    (P, 2) and state (P,) of its points, NaN and -1 where unknown and beyond its class's own; others (2 P, 2) points of
    other objects of its class, those of the nearest first; overlapping: how many of these have boxes that overlap its.
    """
    one, points = objects[row], table.most_points
    box = one.box_xywh if box_xywh is None else box_xywh
    xy, state = np.full((points, 2), np.nan), np.full(points, -1)
    xy[: len(one.xy)], state[: len(one.state)] = to_box(one.xy, box), one.state
    fellows = [other for n, other in enumerate(objects) if n != row and other.class_id == one.class_id]
    fellows.sort(key=lambda other: float(np.abs(other.box_xywh - one.box_xywh).sum()))
    more = np.concatenate([to_box(other.xy[other.inside], box) for other in fellows] or [np.zeros((0, 2))])
    others = np.full((_OTHERS * points, 2), np.nan)
    others[: len(more)] = more[: len(others)]
    hidden = np.nan_to_num(one.hidden_fraction, nan=-1.0)
    return {
        "image": torch.from_numpy(crop_of(image_rgb, box, input_px)).permute(2, 0, 1),
        "label": torch.tensor(one.class_id + 1),
        "class_id": torch.tensor(one.class_id),
        "aspect": torch.tensor(box[2] / box[3], dtype=torch.float32),
        "xy": torch.from_numpy(xy.astype(np.float32)),
        "state": torch.from_numpy(state.astype(np.int64)),
        "others": torch.from_numpy(others.astype(np.float32)),
        "overlapping": torch.tensor(int(overlaps.sum())),
        "hidden": torch.tensor(hidden, dtype=torch.float32),
    }


def mirrored_sample(sample: dict[str, Tensor], flip: Sequence[int]) -> dict[str, Tensor]:
    """The sample as a mirror shows it; flip: the order of its class's points there."""
    points, away = len(sample["state"]), torch.tensor([-1.0, 1.0])
    order = torch.tensor([*flip, *range(len(flip), points)])
    return sample | {
        "image": sample["image"].flip(-1),
        "xy": sample["xy"][order] * away,
        "state": sample["state"][order],
        "others": sample["others"] * away,
    }
