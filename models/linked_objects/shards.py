"""The pictures on disk: Parquet shards, a row a picture, the class table in the schema's metadata; and their reader.

A picture's objects are lists of one length and, of their points, lists end to end in the objects' order.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
import pyarrow as pa

from models.linked_objects.classes import ClassTable
from models.linked_objects.link_table import table_of
from models.linked_objects.pictures import NOBODY, OCCLUDED, LinkedObject, LinkedPicture
from models.linked_objects.plan import TASK
from models.linked_objects.rendered.backdrops import on_backdrop
from models.synthetic.canvas import GROUND_GAIN
from models.synthetic.photograph import decoded
from models.synthetic.vehicle_shards import decode_ground, read_rows
from pipeline.core.storage import read_schema

_F32S, _I32S = pa.list_(pa.float32()), pa.list_(pa.int32())
_CLASSES = b"linked_objects"


def schema_of(table: ClassTable) -> pa.Schema:
    """A shard's columns. image: JPEG of display values; alpha: PNG of how much of each pixel the objects cover;
    ground: PNG of the fractions of sun and sky that reach the ground; sun, sky (3,): their light on open ground."""
    return pa.schema(
        [
            ("name", pa.string()), ("width", pa.int32()), ("height", pa.int32()), ("image", pa.binary()),
            ("alpha", pa.binary()), ("ground", pa.binary()), ("sun", _F32S), ("sky", _F32S),
            ("class_id", _I32S), ("body", pa.list_(pa.int64())), ("box_xywh", _F32S), ("hidden_fraction", _F32S),
            ("xy", _F32S), ("state", pa.list_(pa.int8())), ("occluder", pa.list_(pa.int8())),
        ],
        metadata={_CLASSES: json.dumps(table.to_plain()).encode()},
    )  # fmt: skip


def object_columns(objects: Sequence[LinkedObject]) -> dict:
    """A picture's objects as the columns of a row."""
    return {
        "class_id": [o.class_id for o in objects],
        "body": [o.body for o in objects],
        "hidden_fraction": [o.hidden_fraction for o in objects],
        "box_xywh": np.concatenate([o.box_xywh for o in objects] or [np.zeros(0)]),
        "xy": np.concatenate([o.xy.reshape(-1) for o in objects] or [np.zeros(0)]),
        "state": np.concatenate([o.state for o in objects] or [np.zeros(0, int)]),
        "occluder": np.concatenate([o.occluder for o in objects] or [np.zeros(0, int)]),
    }


def objects_of(row: dict, table: ClassTable) -> tuple[LinkedObject, ...]:
    """The inverse of `object_columns`."""
    counts = [len(table[k]) for k in row["class_id"]]
    ends = np.cumsum([0, *counts])
    xy = np.array(row["xy"], float).reshape(-1, 2)
    state, occluder = (np.array(row[name], np.int64) for name in ("state", "occluder"))
    boxes = np.array(row["box_xywh"], float).reshape(-1, 4)
    return tuple(
        LinkedObject(
            class_id, boxes[n], xy[ends[n] : ends[n + 1]], state[ends[n] : ends[n + 1]],
            occluder[ends[n] : ends[n + 1]], row["hidden_fraction"][n], row["body"][n],
        )
        for n, class_id in enumerate(row["class_id"])
    )  # fmt: skip


@dataclass(frozen=True)
class LinkedPictures(Sequence[LinkedPicture]):
    """Pictures of one class table, read when they are asked for."""

    table: ClassTable
    pictures: Sequence[LinkedPicture]

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index):
        return self.pictures[index]

    def without(self, names: Collection[str]) -> LinkedPictures:
        """Pictures that show none of some classes; the table, and so every index of a class, stays as it is.

        Raises ValueError for an unknown class.
        """
        gone = {self.table.index(name) for name in names}
        kept = [p for p in self.pictures if not gone & {o.class_id for o in p.objects}]
        return replace(self, pictures=kept)

    def only(self, names: Collection[str]) -> LinkedPictures:
        """Pictures that show some of these classes. Raises ValueError for an unknown class."""
        wanted = {self.table.index(name) for name in names}
        return replace(self, pictures=[p for p in self.pictures if wanted & {o.class_id for o in p.objects}])


def read_linked(folder: Path, split: str, backdrops: Sequence[np.ndarray] = ()) -> LinkedPictures:
    """The pictures of one split in the folder that was rendered into, encoded in memory: about 25 kB each.

    backdrops: albedo images (S, S, 3) uint8, as `models.synthetic.vehicle_shards.read_backdrops` gives, that stand
    behind every other picture in place of its own, always the same one behind the same picture. Raises
    FileNotFoundError, which names the command, where there is no shard, and ValueError for shards without a class
    table.
    """
    rows = read_rows(folder / split, TASK)
    first = min((folder / split).glob("part-*.parquet"))
    plain = (read_schema(first).metadata or {}).get(_CLASSES)
    if plain is None:
        raise ValueError(f"{first}: expected pictures of linked objects, got a table without classes; "
                         f"run `luigi --module tasks {TASK}`")  # fmt: skip
    table = table_of(json.loads(plain), str(first))
    return LinkedPictures(table, [_picture(n, row, table, backdrops) for n, row in enumerate(rows)])


def _picture(number: int, row: dict, table: ClassTable, backdrops: Sequence[np.ndarray]) -> LinkedPicture:
    read = partial(_before, row, backdrops, number) if len(backdrops) and number % 2 else partial(_rgb, row["image"])
    return LinkedPicture(row["name"], (row["height"], row["width"]), objects_of(row, table), read)


def _rgb(data: bytes) -> np.ndarray:
    return np.ascontiguousarray(decoded(data)[..., ::-1])


def _before(row: dict, backdrops: Sequence[np.ndarray], number: int) -> np.ndarray:
    """A row's objects before another backdrop, in their own light."""
    rng = np.random.default_rng([number, crc32(row["name"].encode())])
    albedo = backdrops[int(rng.integers(len(backdrops)))]
    albedo = np.asarray(cv2.resize(albedo, (row["width"], row["height"]), interpolation=cv2.INTER_AREA))
    sun, sky = np.array(row["sun"]), np.array(row["sky"])
    behind = on_backdrop(albedo, decode_ground(row["ground"]), sun, sky, rng.uniform(*GROUND_GAIN))
    alpha = decoded(row["alpha"])[..., None].astype(np.float32) / 255
    return np.round(_rgb(row["image"]) * alpha + behind * (1 - alpha)).astype(np.uint8)


def occluded_by(one: LinkedObject) -> set[int]:
    """Indices, among the picture's objects, of those that hide some of an object's points."""
    return {int(k) for k in one.occluder[one.state == OCCLUDED] if k != NOBODY}
