"""Labelled pictures to train and to evaluate a detector on: scenes of clip-art shards, or frames with COCO labels.

A source is a sequence of Picture. A label's mask is the whole object's (amodal) or the part that is seen (visible).
Scenes are split as they were composed, by time and track. Of labelled frames, which name no track, the last tenth in
the file's order validates, unless the file says of each picture of which split it is, as an export of clip-art does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from models.contract import MASKS, Given, Splits
from models.detector import DetectorSettings
from models.frames import read_picture
from models.labels.coco import CocoNames, read_objects
from models.scenes.shards import ignored_of, picture_of, scenes_of
from pipeline.core import masks
from pipeline.core.storage import data_set_of, read_parts
from pipeline.core.tables import CATEGORY_IDS
from readers.json_file import read_json

CLASSES = tuple(CATEGORY_IDS)
_VAL_FRACTION = 0.1  # of labelled frames
_LEAST_SEEN = 0.05  # what is hidden more is no example of anything, fraction of the object


@dataclass(frozen=True)
class Label:
    """One object: number of its class in CLASSES, the crop (h, w) bool of its mask at xy, the box of all of it.

    box_xywh, px in COCO edges, may leave the picture. hidden: fraction of the object that others hide; NaN unknown.
    """

    number: int
    crop: np.ndarray
    xy: tuple[int, int]
    box_xywh: tuple[float, float, float, float]
    hidden: float


@dataclass(frozen=True)
class Picture:
    """A picture (H, W, 3) uint8 BGR and what is to be found in it; ignore (H, W) bool: where something may be that no
    label tells of, None for nowhere."""

    image_bgr: np.ndarray
    labels: list[Label]
    ignore: np.ndarray | None = None

    def ignores(self, crop: np.ndarray, xy: tuple[int, int]) -> bool:
        """Whether the better half of a mask (h, w) bool at xy lies where nothing is right or wrong."""
        if self.ignore is None:
            return False
        there = self.ignore[xy[1] : xy[1] + crop.shape[0], xy[0] : xy[0] + crop.shape[1]]
        return bool(2 * np.count_nonzero(there & crop) > np.count_nonzero(crop))


class Pictures(Protocol):
    """Any source of labelled pictures."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Picture: ...


class ClipArt:
    """The scenes of a split of a shard folder; scenes: the scene_id of each.

    Raises FileNotFoundError without shards and ValueError where they hold no scene of the split, are of several data
    sets, or of another one than the hash `data_set` names.
    """

    def __init__(self, folder: Path, which: str = "visible", split: str = "train", data_set: str = "") -> None:
        self.which = checked_masks(which)
        found = data_set_of(folder)
        if data_set and found != data_set:
            raise ValueError(f"{folder}: expected data set {data_set[:12]}, found {found[:12] or 'an unknown one'}")
        columns = ["scene_id", "category", "bbox_amodal_xywh", f"mask_{which}_rle", "visible_fraction"]
        objects = read_parts(folder / "objects", columns=columns).to_pandas()
        objects = objects[objects["visible_fraction"] >= _LEAST_SEEN]
        self._objects = {scene: rows for scene, rows in objects.groupby("scene_id", sort=False)}
        self._places = scenes_of(folder, split)
        self.scenes = [scene for _, _, scene in self._places]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Picture:
        part, row, scene = self._places[index]
        image = picture_of(part, row)
        rows = self._objects.get(scene)
        labels = [] if rows is None else list(self._labels(rows, image.shape[:2]))
        return Picture(image, labels, ignored_around(ignored_of(part)[row], labels, image.shape[:2]))

    def _labels(self, rows: pd.DataFrame, size_hw: tuple[int, int]) -> Iterator[Label]:
        for row in rows.to_dict("records"):
            crop, seen = masks.decode(row[f"mask_{self.which}_rle"], size_hw)
            x, y, w, h = map(float, row["bbox_amodal_xywh"] if self.which == "amodal" else seen)
            number = CLASSES.index(row["category"])
            yield Label(number, crop, seen[:2], (x, y, w, h), 1 - row["visible_fraction"])


def ignored_around(rles: list[str], labels: list[Label], size_hw: tuple[int, int]) -> np.ndarray | None:
    """(H, W) bool of regions, without the labelled objects that stand before them; None for no region."""
    if not rles:
        return None
    whole = np.zeros(size_hw, bool)
    for rle in rles:
        whole |= masks.full(rle, size_hw)
    for label in labels:
        (x, y), (h, w) = label.xy, label.crop.shape
        whole[y : y + h, x : x + w] &= ~label.crop
    return whole


class CocoFrames:
    """Pictures of a folder with a COCO dataset's labels, whose names say what is a person and what a vehicle.

    split: "train", "val", or None for all of them; names: of their files.

    Raises ValueError for a file that is no dataset, and for a picture that cannot be read or leaves the folder.
    """

    def __init__(self, labels: Path, folder: Path, split: str | None = None) -> None:
        self._folder = folder.resolve()
        content = _read_dataset(labels)
        files = [str(image.get("file_name", "")) for image in content["images"]]
        frames = pa.table({"frame_id": range(len(files)), "source": files, "position": [-1] * len(files)})
        self._found = read_objects(content, CocoNames(), frames, str(labels))
        self._crowds = read_objects(content, CocoNames(), frames, str(labels), crowds=True)
        self._found.account.tell()
        labelled = [(n, files[n]) for n in sorted(self._found)]
        if not labelled:
            raise ValueError(f"{labels}: expected labelled pictures of people or vehicles, got none")
        self._labelled = labelled if split is None else _of_split(labelled, split, content["images"])
        if not self._labelled:
            raise ValueError(f"{labels}: expected labelled pictures of split {split}, got none of {len(labelled)}")
        self.names = [name for _, name in self._labelled]

    def __len__(self) -> int:
        return len(self._labelled)

    def __getitem__(self, index: int) -> Picture:
        number, name = self._labelled[index]
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder):
            raise ValueError(f"picture {name!r}: leaves its folder {self._folder}")
        image = read_picture(path)
        size_hw = image.shape[0], image.shape[1]
        found = [one.instance(size_hw) for one in self._found[number]]
        labels = [Label(CLASSES.index(o.category), o.crop, o.xy, o.box_xywh, np.nan) for o in found if o]
        crowds = [one.instance(size_hw) for one in self._crowds.get(number, [])]
        rles = [masks.encode(o.crop, o.xy, size_hw) for o in crowds if o]
        return Picture(image, labels, ignored_around(rles, labels, size_hw))


def _read_dataset(labels: Path) -> dict:
    if not labels.is_file():
        raise ValueError(f"{labels}: no such file; expected a COCO dataset")
    content = read_json(labels)
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, list) or not all(isinstance(image, dict) for image in images):
        raise ValueError(f"{labels}: expected a COCO dataset with `images`, `annotations` and `categories`")
    return content


def _of_split(labelled: list[tuple[int, str]], split: str, images: list[dict]) -> list[tuple[int, str]]:
    """Those of a split: as the file says of every picture, else "val" is the last tenth."""
    if all("split" in image for image in images):
        return [(number, name) for number, name in labelled if images[number]["split"] == split]
    first = len(labelled) - max(1, round(_VAL_FRACTION * len(labelled)))
    return labelled[first:] if split == "val" else labelled[:first]


def source_of(given: Given) -> dict[str, str]:
    """What `open_pictures` opens, as plain values with absolute paths: a COCO file where one is named, else shards.

    Raises ValueError for neither.
    """
    if given.labels:
        return {"labels": str(given.labels.resolve()), "images": str((given.images or given.labels.parent).resolve())}
    if given.shards is None:
        raise ValueError("detector: expected a camera's clip-art, or --labels of your own; got neither")
    shards = given.shards.resolve()
    return {"shards": str(shards), "masks": given.masks or MASKS[0], "data_set": data_set_of(shards)}


def open_pictures(
    shards: str = "", masks: str = MASKS[0], labels: str = "", images: str = "", data_set: str = "", *, split: str
) -> ClipArt | CocoFrames:
    """A split of the pictures of a shard folder, or of a COCO file and its pictures' folder."""
    if labels:
        return CocoFrames(Path(labels), Path(images or Path(labels).parent), split)
    return ClipArt(Path(shards), masks, split, data_set)


def splits(settings: DetectorSettings, given: Given, seed: int) -> Splits:
    """Training and validation pictures; mmdet's side makes windows of them."""
    return Splits(*(open_pictures(**source_of(given), split=split) for split in Splits._fields))  # type: ignore[arg-type]


def checked_masks(which: str) -> str:
    """The name of the masks, if it is one."""
    if which not in MASKS:
        raise ValueError(f"masks: expected one of {', '.join(MASKS)}, got {which!r}")
    return which
