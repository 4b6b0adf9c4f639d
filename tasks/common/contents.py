"""What files hold, for fingerprints: a stage runs again when what it reads changes, not when that is touched or copied.

A file's size and a hash of parts of it stand for what it holds; for many files the times of last time are a shortcut,
never a reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.core.storage import sha256_of, write_json

_PARTS, _PART_BYTES = 16, 65536  # spread from a file's first byte to its last; smaller files are read whole


def stamp(path: Path) -> list[Any]:
    """Name, size and hash of parts of a file that a stage reads from outside: other contents make other results."""
    stat = path.stat()
    return [path.name, stat.st_size, parts_hash(path, stat.st_size, stat.st_mtime_ns)]


def digest(path: Path) -> str:
    """Of all that a file holds, for files that ship with the project: the same in every checkout."""
    return sha256_of(path)[:16]


@lru_cache(maxsize=1_000_000)
def parts_hash(path: Path, size: int, time_ns: int) -> str:
    """Hash of parts of a file of `size` bytes, 16 hex digits; time_ns: a process reads it again where it changes."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        if size <= _PARTS * _PART_BYTES:
            found.update(file.read())
        else:
            for number in range(_PARTS):
                file.seek(number * (size - _PART_BYTES) // (_PARTS - 1))
                found.update(file.read(_PART_BYTES))
    return found.hexdigest()[:16]


def contents(files: Sequence[tuple[str, Path]], remembered: Path) -> str:
    """How many files there are and a hash of what they hold and are called, in their order.

    remembered: the JSON file of `remember`; where it is of the same names, sizes and times, nothing else is read.
    """
    known = _remembered(remembered)
    if known.get("seen") == _seen(files) and isinstance(known.get("contents"), str):
        return known["contents"]
    held = hashlib.sha256()
    for name, path in files:
        held.update(f"{name}\0{stamp(path)[1:]}\n".encode())
    return f"{len(files)} of {held.hexdigest()[:16]}"


def remember(files: Sequence[tuple[str, Path]], remembered: Path) -> None:
    """Write down what the files hold beside their names, sizes and times, unless that is there."""
    seen = _seen(files)
    if _remembered(remembered).get("seen") != seen:
        write_json(remembered, {"seen": seen, "contents": contents(files, remembered)})


def _seen(files: Sequence[tuple[str, Path]]) -> str:
    found = hashlib.sha256()
    for name, path in files:
        stat = path.stat()
        found.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return found.hexdigest()


def _remembered(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
