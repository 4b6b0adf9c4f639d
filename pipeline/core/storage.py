"""Files and folders that are either whole or absent: written beside their place and moved in at the end.

A killed process leaves at most a hidden `.NAME.part`, which the next writer of NAME replaces.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_DATA_SET = b"walt3d.data_set"  # key of a Parquet file's metadata


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A hidden path beside `path` to write to; it takes path's name when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A hidden, empty folder beside `path` to fill; it takes path's place when the block ends without an error."""
    part = path.with_name(f".{path.name}.part")
    if part.exists():  # of a killed process
        shutil.rmtree(part)
    part.mkdir(parents=True)
    try:
        yield part
        if path.exists():
            shutil.rmtree(path)
        part.replace(path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file."""
    with atomic_path(path) as part:
        part.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Write sorted, indented JSON: the same value gives the same bytes."""
    write_bytes(path, (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode())


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_table(path: Path, table: pa.Table, *, row_group_rows: int = 1000) -> None:
    """Write a Parquet file; the same table gives the same bytes."""
    with atomic_path(path) as part:
        pq.write_table(table, part, compression="zstd", row_group_size=row_group_rows)


def marked(table: pa.Table, data_set: str) -> pa.Table:
    """A table whose file says by a hash of which data set it is a part; the same where that is empty."""
    return table.replace_schema_metadata((table.schema.metadata or {}) | {_DATA_SET: data_set}) if data_set else table


def mark_of(path: Path) -> str:
    """The hash of the data set that a Parquet file is a part of; empty where it says nothing."""
    return (pq.read_schema(path).metadata or {}).get(_DATA_SET, b"").decode()


def data_set_of(folder: Path) -> str:
    """The hash of the data set whose images/ and objects/ a folder holds; empty for parts that say nothing.

    Raises ValueError where parts of several are mixed, or are not those that clipart_manifest.json describes.
    """
    parts = sorted(p for kind in ("images", "objects") for p in (folder / kind).glob("*.parquet") if p.name[0] != ".")
    marks = {path: mark_of(path) for path in parts}
    first = next(iter(marks.values()), "")
    about = folder / "clipart_manifest.json"
    expected = json.loads(about.read_text())["hash"] if first and about.is_file() else first
    for path, mark in marks.items():
        if mark != expected:
            raise ValueError(
                f"{path}: is of data set {mark[:12] or 'unknown'}, the others of {expected[:12] or 'unknown'}; shards "
                "of several data sets do not mix: put each into a folder of its own, or compose this one again"
            )
    return first


def read_parts(folder: Path, columns: list[str] | None = None, pattern: str = "*.parquet") -> pa.Table:
    """All parts of a stage's table, in the order of their names.

    Raises FileNotFoundError where the folder holds no part.
    """
    parts = sorted(p for p in folder.glob(pattern) if not p.name.startswith("."))
    if not parts:
        raise FileNotFoundError(f"{folder}: no {pattern} there")
    return pa.concat_tables([pq.read_table(p, columns=columns) for p in parts])
