"""Labelled pictures to train and to judge a detector on: scenes of clip-art shards, or frames with COCO labels.

A source is a sequence of Picture. A label's mask is the whole object's (amodal) or the part that is seen (visible).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from models.labels.coco import CocoNames, read_objects
from pipeline.core import masks
from pipeline.core.storage import read_parts
from pipeline.core.tables import CATEGORY_IDS

CLASSES = tuple(CATEGORY_IDS)
MASKS = ("visible", "amodal")
_KEPT_BACK = 10  # every tenth picture of human labels validates, the others train
_LEAST_SEEN = 0.05  # what is hidden more is no example of anything, share of the object


@dataclass(frozen=True)
class Label:
    """One object: number of its class in CLASSES, the crop (h, w) bool of its mask at xy, the box of all of it.

    box_xywh, px in COCO edges, may leave the picture. hidden: share of the object that others hide; NaN unknown.
    """

    number: int
    crop: np.ndarray
    xy: tuple[int, int]
    box_xywh: tuple[float, float, float, float]
    hidden: float


@dataclass(frozen=True)
class Picture:
    """A picture (H, W, 3) uint8 BGR and what is to be found in it."""

    image_bgr: np.ndarray
    labels: list[Label]


class Pictures(Protocol):
    """Any source of labelled pictures."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Picture: ...


class ClipArt:
    """The scenes of a shard folder that train; `kept_back`: those that validate, of other tracks and times.

    Raises FileNotFoundError without shards and ValueError where they hold no scene of the split.
    """

    def __init__(self, folder: Path, which: str = "visible", *, kept_back: bool = False) -> None:
        self.which = checked_masks(which)
        columns = ["scene_id", "category", "bbox_amodal_xywh", f"mask_{which}_rle", "visible_fraction"]
        objects = read_parts(folder / "objects", columns=columns).to_pandas()
        objects = objects[objects["visible_fraction"] >= _LEAST_SEEN]
        self._objects = {scene: rows for scene, rows in objects.groupby("scene_id", sort=False)}
        split = "val" if kept_back else "train"
        parts = sorted((folder / "images").glob("*.parquet"))
        self._scenes = [place for part in parts for place in _scenes(part, split)]
        if not self._scenes:
            raise ValueError(
                f"{folder}: no scene whose split is {split}; a longer recording has them, or more --scenes"
            )

    def __len__(self) -> int:
        return len(self._scenes)

    def __getitem__(self, index: int) -> Picture:
        part, row, scene = self._scenes[index]
        image = cv2.imdecode(np.frombuffer(_jpegs(part)[row].as_buffer(), np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f"{part}: {scene}: no picture that can be read")
        rows = self._objects.get(scene)
        return Picture(image, [] if rows is None else list(self._labels(rows, image.shape[:2])))

    def _labels(self, rows: pd.DataFrame, size_hw: tuple[int, int]) -> Iterator[Label]:
        for row in rows.to_dict("records"):
            crop, seen = masks.decode(row[f"mask_{self.which}_rle"], size_hw)
            x, y, w, h = map(float, row["bbox_amodal_xywh"] if self.which == "amodal" else seen)
            number = CLASSES.index(row["category"])
            yield Label(number, crop, seen[:2], (x, y, w, h), 1 - row["visible_fraction"])


def _scenes(part: Path, split: str) -> list[tuple[Path, int, str]]:
    if "split" not in pq.read_schema(part).names:
        raise ValueError(f"{part}: has no column split; run GenerateClipArt again")
    rows = pq.read_table(part, columns=["scene_id", "split"]).to_pylist()
    return [(part, number, row["scene_id"]) for number, row in enumerate(rows) if row["split"] == split]


@lru_cache(maxsize=8)
def _jpegs(part: Path) -> list:
    """The pictures of one part, still compressed: a part's column is read at once or not at all."""
    return list(pq.read_table(part, columns=["image"])["image"].combine_chunks().field("bytes"))


class CocoFrames:
    """Pictures of a folder with a COCO dataset's labels, whose names say what is a person and what a vehicle.

    Raises ValueError for a file that is no dataset, and for a picture that cannot be read or leaves the folder.
    """

    def __init__(self, labels: Path, folder: Path, *, kept_back: bool | None = None) -> None:
        self._folder = folder.resolve()
        content = _dataset(labels)
        names = [str(image.get("file_name", "")) for image in content["images"]]
        frames = pa.table({"frame_id": range(len(names)), "source": names, "position": [-1] * len(names)})
        self._found = read_objects(content, CocoNames(), frames, str(labels))
        labelled = [(n, names[n]) for n in sorted(self._found)]
        if not labelled:
            raise ValueError(f"{labels}: expected labelled pictures of people or vehicles, got none")
        self._names = labelled if kept_back is None else _share(labelled, kept_back)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> Picture:
        number, name = self._names[index]
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder):
            raise ValueError(f"picture {name!r}: leaves its folder {self._folder}")
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f"{path}: no picture that can be read")
        found = [one.instance((image.shape[0], image.shape[1])) for one in self._found[number]]
        return Picture(image, [Label(CLASSES.index(o.category), o.crop, o.xy, o.box_xywh, np.nan) for o in found if o])


def _dataset(labels: Path) -> dict:
    if not labels.is_file():
        raise ValueError(f"{labels}: no such file; expected a COCO dataset")
    try:
        content = json.loads(labels.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{labels}: not JSON: {error}") from None
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, list) or not all(isinstance(image, dict) for image in images):
        raise ValueError(f"{labels}: expected a COCO dataset with `images`, `annotations` and `categories`")
    return content


def _share(rows: list, kept_back: bool) -> list:
    """Every tenth row, or the others."""
    return [row for n, row in enumerate(rows) if (n % _KEPT_BACK == _KEPT_BACK - 1) == kept_back]


def source_of(shards: str | Path, masks: str = "visible", labels: str = "", images: str = "") -> dict[str, str]:
    """What `dataset.open_pictures` opens: a COCO file where one is named, else a shard folder; absolute paths."""
    if not labels:
        return {"shards": str(Path(shards).expanduser().resolve()), "masks": masks}
    file = Path(labels).expanduser().resolve()
    return {"labels": str(file), "images": str(Path(images).expanduser().resolve() if images else file.parent)}


def checked_masks(which: str) -> str:
    """The name of the masks, if it is one."""
    if which not in MASKS:
        raise ValueError(f"masks: expected one of {', '.join(MASKS)}, got {which!r}")
    return which
