"""SHA-256 of weights: what a file's name says of it, and the record that is kept beside a file once it was checked."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.core.storage import sha256_of, write_bytes

# mmdet puts the first eight hex digits last in the file's name, mmpose puts the day of publication after them.
_PUBLISHED = re.compile(r"-([0-9a-f]{8})(?:_\d{8})?\.pth$")


def published_prefix(name: str) -> str:
    """The first eight hex digits of the SHA-256 that a published file's name ends in. Raises ValueError without."""
    found = _PUBLISHED.search(name)
    if not found:
        raise ValueError(f"{name}: expected a name that ends in eight digits of its SHA-256, as OpenMMLab's do")
    return found[1]


def record_of(path: Path) -> Path:
    """The file that holds another one's SHA-256, in the form that sha256sum checks."""
    return path.with_name(f"{path.name}.sha256")


def write_record(path: Path, digest: str) -> None:
    """Record a file's SHA-256 beside it."""
    write_bytes(record_of(path), f"{digest}  {path.name}\n".encode())


def check_record(path: Path) -> None:
    """Raise ValueError where a file is no longer the one that its record was written for; without a record, pass."""
    record = record_of(path)
    if not record.is_file():
        return
    expected, got = record.read_text().split(" ")[0], sha256_of(path)
    if got != expected:
        raise ValueError(
            f"{path}: SHA-256 {got}, its record {record.name} says {expected}; remove both and run `make weights`"
        )
