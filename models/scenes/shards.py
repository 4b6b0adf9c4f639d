"""Read the parts of composed shards one at a time, so that memory does not grow with the number of scenes."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq

_MORE = "compose more, or of longer footage: each hour's last fifth validates"
_AGAIN = "run `luigi --module tasks GenerateClipArt` again"
PARTS_KEPT = 8  # parts of which the pictures stay in memory; samplers stay within so many for a while


def scenes_of(folder: Path, split: str) -> list[tuple[Path, int, str]]:
    """File, row and scene_id of every scene of a split, "train" or "val"; what else reads splits asks here.

    Raises ValueError where there is none, and for shards that say nothing of splits.
    """
    places = []
    for part in sorted((folder / "images").glob("*.parquet")):
        if "split" not in pq.read_schema(part).names:
            raise ValueError(f"{part}: expected a column split, got none; {_AGAIN}")
        rows = pq.read_table(part, columns=["scene_id", "split"]).to_pylist()
        places += [(part, row, one["scene_id"]) for row, one in enumerate(rows) if one["split"] == split]
    if not places:
        raise ValueError(f"{folder}: expected scenes of split {split}, got none; {_MORE}")
    return places


def picture_of(part: Path, row: int) -> np.ndarray:
    """(H, W, 3) uint8 BGR of one scene. Raises ValueError where it cannot be decoded."""
    image = cv2.imdecode(np.frombuffer(_jpegs(part)[row].as_buffer(), np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{part}: row {row}: no picture that can be read")
    return np.asarray(image)


@lru_cache(maxsize=PARTS_KEPT)
def _jpegs(part: Path) -> list:
    """The pictures of one part, still compressed: a part's column is read at once or not at all."""
    return list(pq.read_table(part, columns=["image"])["image"].combine_chunks().field("bytes"))


@lru_cache(maxsize=PARTS_KEPT)
def ignored_of(part: Path) -> list[list[str]]:
    """Run lengths of the regions to ignore in each scene of one part; none in parts of before there were any."""
    if "ignore_rle" not in pq.read_schema(part).names:
        return [[] for _ in range(pq.read_metadata(part).num_rows)]
    return [row or [] for row in pq.read_table(part, columns=["ignore_rle"])["ignore_rle"].to_pylist()]


@lru_cache(maxsize=PARTS_KEPT)
def cameras_of(part: Path) -> list[dict[str, Any]]:
    """camera_id, K, distortion and ground_plane of each scene of one part, as far as its columns say."""
    known = set(pq.read_schema(part).names)
    columns = [name for name in ("camera_id", "K", "distortion", "ground_plane") if name in known]
    return pq.read_table(part, columns=columns).to_pylist() if columns else [{}] * pq.read_metadata(part).num_rows


@lru_cache(maxsize=PARTS_KEPT)
def objects_of(part: Path, columns: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
    """The rows of the objects of one part of images, by scene_id, nearest first; other columns than there are come as
    None."""
    beside = part.parent.parent / "objects" / part.name
    if not beside.is_file():
        raise ValueError(f"{beside}: no such file; expected the objects of {part.name}; {_AGAIN}")
    known = set(pq.read_schema(beside).names)
    rows: dict[str, list[dict[str, Any]]] = {}
    lacking = dict.fromkeys(name for name in columns if name not in known)
    for row in pq.read_table(beside, columns=[name for name in columns if name in known]).to_pylist():
        rows.setdefault(row["scene_id"], []).append(row | lacking)
    return rows


def check_columns(folder: Path, columns: tuple[str, ...], what: str) -> None:
    """Raise ValueError, one line, where a part's objects lack a column that is needed for `what`."""
    for part in sorted((folder / "objects").glob("*.parquet")):
        missing = [name for name in columns if name not in pq.read_schema(part).names]
        if missing:
            raise ValueError(f"{part}: expected columns for {what}, {', '.join(missing)} missing: shards of another "
                             f"version; {_AGAIN}")  # fmt: skip
