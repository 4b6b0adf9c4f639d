"""Locks between runs on one data root: many runs may read what is there, one at a time may make or remove it.

A lock is advisory (flock), lies in a file of its own that stays, and ends with its process however that ends. A stage
takes those of all that it reads before its own, the farthest upstream first, so no two runs wait for each other. Who
holds a lock is written beside it for as long as it does, so that who waits can name it: on which machine, and as what.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_HOLDERS = "holders"
_numbers = itertools.count()


class Held(ValueError):
    """Another run holds the lock."""


@contextmanager
def lock(path: Path, waits: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a lock alone.

    waits: called once where another run holds it, before that is waited for. Raises Held, which names who holds it,
    where it is None.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        _take(file.fileno(), fcntl.LOCK_EX, path, waits)
        with _named(path):
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
        with _named(path):
            yield


@contextmanager
def reading(folder: Path, stages: Iterable[str], waits: Callable[[], None] = lambda: None) -> Iterator[None]:
    """While it lasts, no run makes the named stages of a camera's folder again; for readers that are no stages."""
    with ExitStack() as held:
        for name in stages:
            held.enter_context(shared_lock(folder / ".stages" / f"{name}.lock", waits))
        yield


def holders(path: Path) -> str:
    """Who holds a lock, as a sentence goes on after `by`: machine, process, command and since when; empty where nobody
    says."""
    told = []
    for one in sorted((path.parent / _HOLDERS).glob(f"{path.stem}.*.json")):
        try:
            said = json.loads(one.read_text())
            here = said["host"] == socket.gethostname()
            if here and said["pid"] == os.getpid():
                continue
            if here and not _alive(said["pid"]):
                continue
            told.append(f"process {said['pid']} on {said['host']} ({said['command']}) since {said['since']}")
        except (OSError, ValueError, KeyError, TypeError):
            continue  # it ended meanwhile
    return "; ".join(told)


def _forget_killed(folder: Path) -> None:
    """Remove what processes of this machine left that are no more."""
    for one in folder.glob("*.json"):
        *_, pid, _number, _json = one.name.split(".")
        if f".{socket.gethostname()}." in one.name and pid.isdecimal() and not _alive(int(pid)):
            one.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Written beside a lock while it is held; where that cannot be written, the lock holds as well."""
    host, pid = socket.gethostname(), os.getpid()
    mine = path.parent / _HOLDERS / f"{path.stem}.{host}.{pid}.{next(_numbers)}.json"
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
    about = {"host": host, "pid": pid, "command": command, "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    with suppress(OSError):
        _forget_killed(path.parent / _HOLDERS)
        mine.parent.mkdir(exist_ok=True)
        mine.write_text(json.dumps(about))
    try:
        yield
    finally:
        with suppress(OSError):
            mine.unlink(missing_ok=True)


def _take(descriptor: int, kind: int, path: Path, waits: Callable[[], None] | None) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        if waits is None:
            raise Held(f"{path}: held by {holders(path) or 'another run'}") from None
        waits()
        fcntl.flock(descriptor, kind)
    except OSError as error:
        raise ValueError(
            f"{path}: this file system has no locks ({error.strerror}), without which two runs would mix their files; "
            "choose another --data-root"
        ) from None
