"""Locks between runs on one data root: many runs may read what is there, one at a time may make or remove it.

A lock is advisory (flock), lies in a file of its own that stays, and ends with its process however that ends. A stage
takes those of all that it reads before its own, the farthest upstream first, so no two runs wait for each other.
"""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class Held(ValueError):
    """Another run holds the lock."""


@contextmanager
def lock(path: Path, waits: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a lock alone.

    waits: called once where another run holds it, before that is waited for. Raises Held where it is None.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        _take(file.fileno(), fcntl.LOCK_EX, path, waits)
        yield


@contextmanager
def shared_lock(path: Path, waits: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a lock with other readers; as `lock` else. Where nothing can be written nothing is locked: nobody writes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES):
            raise
        yield
        return
    with file:
        _take(file.fileno(), fcntl.LOCK_SH, path, waits)
        yield


def _take(descriptor: int, kind: int, path: Path, waits: Callable[[], None] | None) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        if waits is None:
            raise Held(f"{path}: another run holds it") from None
        waits()
        fcntl.flock(descriptor, kind)
