"""Pictures of people on disk: Parquet shards, `<folder>/<split>/part-NNNNN.parquet`, a row a picture, pixels as JPEG.

What is of each of P people, and of each of their K keypoints, lies flat in lists: P x 4, P x K x 2, P x K.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from models.people_groups.picture import GroupPerson, GroupPicture
from pipeline.core.skeletons import PEOPLE_19, Skeleton
from pipeline.core.storage import read_table
from pipeline.core.tables import column
from readers.pictures import decode_image

STORED = PEOPLE_19  # the skeleton of what is rendered: every other one of people is a part of it
_F32S, _I8S = pa.list_(pa.float32()), pa.list_(pa.int8())
SCHEMA = pa.schema(
    [
        column("name", pa.string(), "unique within the set"),
        column("split", pa.string(), "train | val | test | unseen, apart by body, motion and backdrop"),
        column("motion", pa.string(), "what the people do together"),
        column("couple", pa.int64(), "pictures of one number show the same people in the same poses"),
        column("width", pa.int32(), "of the picture", unit="px"),
        column("height", pa.int32(), "of the picture", unit="px"),
        column("image", pa.binary(), "JPEG"),
        column("box_xywh", _F32S, "around each person, the hidden parts too", unit="px", shape="P x 4"),
        column("xy", _F32S, "keypoints of PEOPLE_19, pixel centres", unit="px", shape="P x 19 x 2"),
        column("state", _I8S, "index of visible, self_occluded, occluded, truncated", shape="P x 19"),
        column("hidden_by", _I8S, "who of the picture hides the keypoint; -1 nobody", shape="P x 19"),
        column("area_px", _F32S, "pixels of each person, the hidden ones too", unit="px", shape="P"),
        column("identity", pa.list_(pa.string()), "of each person's body", shape="P"),
        column("depth_mm", pa.float32(), "how deep the people's meshes pass into each other", unit="mm"),
    ]
)


def row_of(picture: GroupPicture, jpeg: bytes, couple: int, depth_mm: float) -> dict[str, Any]:
    """A picture of skeleton STORED as SCHEMA's columns."""
    if picture.skeleton != STORED:
        raise ValueError(f"{picture.name}: expected keypoints of PEOPLE_19, got {len(picture.skeleton)} others")
    people = picture.people
    flat = {
        n: np.concatenate([getattr(p, n).ravel() for p in people]) for n in ("box_xywh", "xy", "state", "hidden_by")
    }
    return {
        "name": picture.name, "split": picture.split, "motion": picture.motion, "couple": couple,
        "height": picture.size_hw[0], "width": picture.size_hw[1], "image": jpeg, **flat,
        "area_px": [p.area_px for p in people], "identity": [p.identity for p in people], "depth_mm": depth_mm,
    }  # fmt: skip


def picture_of(row: dict[str, Any]) -> GroupPicture:
    """The picture of a row of SCHEMA."""
    count, points = len(row["area_px"]), len(STORED)
    box = np.array(row["box_xywh"], float).reshape(count, 4)
    xy = np.array(row["xy"], float).reshape(count, points, 2)
    state, hidden_by = (np.array(row[name], int).reshape(count, points) for name in ("state", "hidden_by"))
    people = tuple(
        GroupPerson(box[n], xy[n], state[n], hidden_by[n], float(row["area_px"][n]), row["identity"][n])
        for n in range(count)
    )
    size_hw = row["height"], row["width"]
    load = partial(_decoded, row["image"], row["name"])  # workers of a data loader pickle it
    return GroupPicture(row["name"], size_hw, people, STORED, load, row["split"], row["motion"])


def _decoded(data: bytes, name: str) -> np.ndarray:
    """(H, W, 3) uint8 RGB."""
    return np.ascontiguousarray(decode_image(data, name)[..., ::-1])


class Pictures(Sequence[GroupPicture]):
    """Pictures of a split: the rows stay in memory with their JPEGs, arrays and pixels are made when asked for."""

    def __init__(self, rows: Iterable[dict[str, Any]], skeleton: Skeleton = STORED) -> None:
        self.rows, self.skeleton = list(rows), skeleton

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Pictures(self.rows[index], self.skeleton)
        return picture_of(self.rows[index]).in_skeleton(self.skeleton)


def read_pictures(folder: Path, split: str, skeleton: Skeleton = STORED) -> Pictures:
    """The pictures of one split in the folder that RenderCouples wrote, with the keypoints of a skeleton.

    Raises FileNotFoundError, naming the command, where there is no shard, and ValueError for one of other pictures.
    """
    parts = sorted((folder / split).glob("part-*.parquet"))
    if not parts:
        raise FileNotFoundError(f"{folder / split}: no part-*.parquet there; run `luigi --module tasks RenderCouples`")
    return Pictures((row for part in parts for row in _rows(part)), skeleton)


def _rows(part: Path) -> list[dict[str, Any]]:
    table = read_table(part)
    if missing := [name for name in SCHEMA.names if name not in table.column_names]:
        raise ValueError(f"{part}: expected pictures of people, got a table without the column {missing[0]}; "
                         "run `luigi --module tasks RenderCouples`")  # fmt: skip
    return table.to_pylist()
