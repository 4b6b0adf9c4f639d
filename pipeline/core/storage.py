"""Files and folders that are either whole or absent: written beside their place and moved in at the end; tables whose
pages are checked as they are read.

A killed process leaves at most a hidden `.NAME.part`, which the next writer of NAME replaces.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

LISTING = "manifest.json"  # of a folder of training data
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


def listed(folder: Path, files: Iterable[Path]) -> dict[str, list[Any]]:
    """By name below a folder the size and the SHA-256 of what was written, as plain values."""
    return {str(path.relative_to(folder)): [path.stat().st_size, sha256_of(path)] for path in files}


def unlike(folder: Path, listing: Mapping[str, Sequence[Any]], *, hashes: bool = False) -> dict[Path, str]:
    """Which files of a `listed` are not what was written, and why: gone, of another size, or of other bytes where their
    hashes are compared, too."""
    found: dict[Path, str] = {}
    for name, (size, digest) in listing.items():
        path = folder / name
        try:
            now = path.stat().st_size
        except OSError:
            found[path] = "gone"
            continue
        if size is not None and now != size:
            found[path] = f"{now} bytes in place of {size}"
        elif hashes and sha256_of(path) != digest:
            found[path] = "other bytes than were written"
    return found


def unlike_listing(folder: Path, *, hashes: bool = False) -> dict[Path, str]:
    """As `unlike`, by the `files` of a folder's LISTING; nothing where it lacks or an earlier version's."""
    try:
        files = json.loads((folder / LISTING).read_text()).get("files", {})
    except FileNotFoundError:
        return {}
    except ValueError:
        return {folder / LISTING: "cannot be read"}
    return unlike(folder, files, hashes=hashes)


def parts_of(folder: Path) -> dict[str, list[Any]]:
    """A `listed` of the shards of a data set, by its manifest; sizes are None where an earlier version wrote that."""
    about = json.loads((folder / "clipart_manifest.json").read_text())
    return {
        f"{kind}/{part['name']}.parquet": [size, digest]
        for part in about["parts"]
        for kind, size, digest in zip(("images", "objects"), part.get("bytes", [None] * 2), part["sha256"], strict=True)
    }


def check_data_set(folder: Path) -> None:
    """Compare every shard of a finished data set with its hash in the manifest.

    Raises ValueError, which names the first file that differs and the command that mends.
    """
    try:
        parts = parts_of(folder)
    except FileNotFoundError:
        return  # shards of which nothing says what they should be
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(folder / "clipart_manifest.json", error) from None
    for path, reason in unlike(folder, parts, hashes=True).items():
        raise damaged(path, reason)


def write_table(path: Path, table: pa.Table, *, row_group_rows: int = 1000) -> None:
    """Write a Parquet file; the same table gives the same bytes."""
    with atomic_path(path) as part:
        pq.write_table(table, part, compression="zstd", row_group_size=row_group_rows, write_page_checksum=True)


def damaged(path: Path, reason: object) -> ValueError:
    """What to tell of a stage's file that is not what was written: the command that finds all such and mends."""
    camera = next((folder for folder in path.parents if (folder / ".stages").is_dir()), None)
    whose = f" --camera {camera.name} --data-root {camera.parent}" if camera else ""
    said = " ".join(str(reason).removeprefix(f"{path}: ").split())[:200]
    return ValueError(
        f"{path}: damaged ({said}); `luigi --module tasks Verify --mend{whose}` finds and removes what is, then the "
        "same command as now makes it again"
    )


@contextmanager
def checked(path: Path) -> Iterator[None]:
    """Reading a Parquet file: one that is none, is cut off or holds other bytes than were written is named as damaged.

    A file that is not there stays FileNotFoundError.
    """
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # not there, not allowed, a broken disk
        raise damaged(path, error) from None


def read_table(
    path: Path, columns: list[str] | None = None, filters: Any = None, *, identity: str | None = None
) -> pa.Table:
    """Columns of a Parquet file, every page compared with its checksum.

    identity: the `identity_of` that the file must still have. Raises FileNotFoundError, and ValueError for a damaged
    file, naming the command that mends, and for one that another has taken the place of.
    """
    with checked(path):
        if identity is None:
            return pq.read_table(path, columns=columns, filters=filters, page_checksum_verification=True)
        with path.open("rb") as file:  # one file, whatever is put in its place meanwhile
            table = pq.read_table(file, columns=columns, filters=filters, page_checksum_verification=True)
            found = _identity(file.fileno(), table.schema.metadata)
    if found != identity:
        raise ValueError(f"{path}: is another data set's now than when it was opened; run again, with one that stays")
    return table


def identity_of(path: Path) -> str:
    """What tells a file of shards from another in its place: the hash of its data set, else its place on the disk."""
    with checked(path), path.open("rb") as file:
        return _identity(file.fileno(), pq.read_schema(file).metadata)


def _identity(descriptor: int, metadata: Mapping[bytes, bytes] | None) -> str:
    stat = os.fstat(descriptor)
    return (metadata or {}).get(_DATA_SET, b"").decode() or f"{stat.st_dev} {stat.st_ino} {stat.st_mtime_ns}"


def read_batches(path: Path, rows: int, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """A Parquet file, so many rows at a time: it may be larger than the memory. Raises as `read_table`."""
    with checked(path):
        file = pq.ParquetFile(path, buffer_size=1 << 20, page_checksum_verification=True)
    with file:
        batches = file.iter_batches(rows, columns=columns)
        while True:
            with checked(path):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch


def read_schema(path: Path) -> pa.Schema:
    """Of a Parquet file; raises as `read_table`."""
    with checked(path):
        return pq.read_schema(path)


def count_rows(path: Path) -> int:
    """Of a Parquet file; raises as `read_table`."""
    with checked(path):
        return pq.read_metadata(path).num_rows


def marked(table: pa.Table, data_set: str) -> pa.Table:
    """A table whose file says by a hash of which data set it is a part; the same where that is empty."""
    return table.replace_schema_metadata((table.schema.metadata or {}) | {_DATA_SET: data_set}) if data_set else table


def mark_of(path: Path) -> str:
    """The hash of the data set that a Parquet file is a part of; empty where it says nothing."""
    return (read_schema(path).metadata or {}).get(_DATA_SET, b"").decode()


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
    return pa.concat_tables([read_table(p, columns) for p in parts])
