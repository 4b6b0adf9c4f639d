"""Read the parts of composed shards one at a time, so that memory does not grow with the number of scenes.

A part is read as the data set that it was of when it was opened, or not at all: where another one has taken its place
meanwhile, that is an error and never another one's pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.core.storage import count_rows, damaged, identity_of, read_schema, read_table
from readers.pictures import decode_image

_MORE = "compose more, or of longer footage: each hour's last fifth validates"
_AGAIN = "run `luigi --module tasks GenerateClipArt` again"
PARTS_KEPT = 8  # parts of which the pictures stay in memory; samplers stay within so many for a while


@dataclass(frozen=True)
class ShardPart:
    """The file of a part of images, and what it was when it was opened: its data set's hash, or its place on the disk
    where it tells none; the same of the objects beside it."""

    path: Path
    identity: str
    objects_identity: str

    def __str__(self) -> str:
        return str(self.path)

    @property
    def objects(self) -> Path:
        """The file of its objects."""
        return _objects_beside(self.path)


def open_part(path: Path) -> ShardPart:
    """A part as it is now. Raises ValueError where its objects are not there."""
    beside = _objects_beside(path)
    if not beside.is_file():
        raise ValueError(f"{beside}: no such file; expected the objects of {path.name}; {_AGAIN}")
    return ShardPart(path, identity_of(path), identity_of(beside))


def _objects_beside(path: Path) -> Path:
    return path.parent.parent / "objects" / path.name


def scenes_of(folder: Path, split: str) -> list[tuple[ShardPart, int, str]]:
    """ShardPart, row and scene_id of every scene of a split, "train" or "val"; what else reads splits asks here.

    Raises ValueError where there is none, and for shards that say nothing of splits.
    """
    places = []
    for path in sorted((folder / "images").glob("*.parquet")):
        if "split" not in read_schema(path).names:
            raise ValueError(f"{path}: expected a column split, got none; {_AGAIN}")
        part = open_part(path)
        rows = _same(path, part.identity, ["scene_id", "split"]).to_pylist()
        places += [(part, row, one["scene_id"]) for row, one in enumerate(rows) if one["split"] == split]
    if not places:
        raise ValueError(f"{folder}: expected scenes of split {split}, got none; {_MORE}")
    return places


def _same(path: Path, identity: str, columns: list[str]) -> pa.Table:
    """Columns of a file that is still what it was. Raises ValueError where it is another data set's, or gone."""
    try:
        return read_table(path, columns, identity=identity)
    except FileNotFoundError:
        raise ValueError(f"{path}: was removed while it was read; run again, with a data set that stays") from None


def picture_of(part: ShardPart, row: int) -> np.ndarray:
    """(H, W, 3) uint8 BGR of one scene. Raises ValueError where it cannot be decoded."""
    try:
        return decode_image(_jpegs(part)[row].as_py(), f"row {row}")
    except ValueError as error:
        raise error if str(part) in str(error) else damaged(part.path, error) from None


@lru_cache(maxsize=PARTS_KEPT)
def _jpegs(part: ShardPart) -> list:
    """The pictures of one part, still compressed: a part's column is read at once or not at all."""
    return list(_same(part.path, part.identity, ["image"])["image"].combine_chunks().field("bytes"))


@lru_cache(maxsize=PARTS_KEPT)
def ignored_of(part: ShardPart) -> list[list[str]]:
    """Run lengths of the regions to ignore in each scene of one part; none in parts of before there were any."""
    if "ignore_rle" not in read_schema(part.path).names:
        return [[] for _ in range(count_rows(part.path))]
    return [row or [] for row in _same(part.path, part.identity, ["ignore_rle"])["ignore_rle"].to_pylist()]


@lru_cache(maxsize=PARTS_KEPT)
def cameras_of(part: ShardPart) -> list[dict[str, Any]]:
    """camera_id, K, distortion and ground_plane of each scene of one part, as far as its columns say."""
    known = set(read_schema(part.path).names)
    columns = [name for name in ("camera_id", "K", "distortion", "ground_plane") if name in known]
    if not columns:
        return [{}] * count_rows(part.path)
    return _same(part.path, part.identity, columns).to_pylist()


@lru_cache(maxsize=PARTS_KEPT)
def objects_of(part: ShardPart, columns: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
    """The rows of the objects of one part of images, by scene_id, nearest first; other columns than there are come as
    None."""
    known = set(read_schema(part.objects).names)
    rows: dict[str, list[dict[str, Any]]] = {}
    lacking = dict.fromkeys(name for name in columns if name not in known)
    there = [name for name in columns if name in known]
    for row in _same(part.objects, part.objects_identity, there).to_pylist():
        rows.setdefault(row["scene_id"], []).append(row | lacking)
    return rows


def check_columns(folder: Path, columns: tuple[str, ...], what: str) -> None:
    """Raise ValueError, one line, where a part's objects lack a column that is needed for `what`."""
    for part in sorted((folder / "objects").glob("*.parquet")):
        missing = [name for name in columns if name not in read_schema(part).names]
        if missing:
            raise ValueError(f"{part}: expected columns for {what}, {', '.join(missing)} missing: shards of another "
                             f"version; {_AGAIN}")  # fmt: skip
