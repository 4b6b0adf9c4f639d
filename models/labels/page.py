"""The page of `make label`: one crop at a time, a key for each label; every key is in the label file at once.

Whom it answers, pipeline/core/local_page says; it writes one file, named before it started, which
other pages may share.
"""

from __future__ import annotations

import errno
import html
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from filelock import FileLock, Timeout

from models.labels.occlusion import LABELS
from models.labels.occlusion_csv import Place, csv_of, read_csv
from pipeline.core.storage import write_bytes

PAGE = Path(__file__).with_name("page.html")
_LOCK_S = 10  # in which another page or reader has done with the file


@dataclass
class Session:
    """What is to be labelled and what has been: `queue` holds the place of each detection that is asked for, by its
    detection_id, `picture` gives a JPEG of one, `out` is the label file.

    The file is shared: other pages write to it, and people edit it. Every answer reads it, under a lock, and adds
    itself; where it held another label of that place the last word stands, and `note` says so. Places that it holds are
    not asked for.
    """

    title: str
    queue: Mapping[int, Place]
    picture: Callable[[int], bytes]
    out: Path
    labels: dict[Place, str] = field(default_factory=dict)
    skipped: set[Place] = field(default_factory=set)
    note: str = ""
    lock: Lock = field(default_factory=Lock)
    _given: list[tuple[Place, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        asked = set(self.queue.values())
        with self._file() as found:
            self._given = [(place, label) for place, label in found.items() if place in asked]
        if self.out.exists():
            write_bytes(self.out, csv_of(self.labels))  # a file that cannot be written is told before any work is lost

    @contextmanager
    def _file(self) -> Iterator[dict[Place, str]]:
        """The labels of the file as it is now, to be changed, and written where they were."""
        with self.lock, FileLock(self.out.with_name(f".{self.out.name}.lock"), timeout=_LOCK_S):
            found = read_csv(self.out) if self.out.exists() else {}
            before = list(found.items())
            yield found
            if list(found.items()) != before:
                write_bytes(self.out, csv_of(found))
            self.labels = found

    def content(self, path: str) -> tuple[bytes, str] | None:
        """The page, and the picture of a detection that is asked for."""
        name, _, number = path.partition("/")
        if not name:
            return page(self.title), "text/html; charset=utf-8"
        if name == "picture" and number.isdecimal() and int(number) in self.queue:
            with self.lock:  # one reader of the frames at a time
                return self.picture(int(number)), "image/jpeg"
        return None

    def act(self, path: str, said: dict[str, Any]) -> None:
        """A label, or one taken back."""
        if path == "/label":
            self.answer(said["detection_id"], said["label"])
        elif path == "/undo":
            self.undo()
        else:
            raise ValueError("no such action")

    def state(self) -> dict[str, Any]:
        """What the page shows: the next detection, or null at the end, how many are done, and what is to be told."""
        open_ = (i for i, place in self.queue.items() if place not in self.labels and place not in self.skipped)
        total = len({*self.queue.values(), *self.labels})
        return {"detection_id": next(open_, None), "done": len(self.labels), "of": total} | (
            {"note": self.note} if self.note else {}
        )

    def answer(self, detection_id: Any, label: Any) -> None:
        """Record a label, or null to skip.

        Raises ValueError for an unknown detection or label, OSError where it could not be recorded.
        """
        if type(detection_id) is not int or detection_id not in self.queue:
            raise ValueError(f"detection {detection_id!r} is not asked for")
        if label is not None and (not isinstance(label, str) or label not in LABELS):
            raise ValueError(f"unknown label {label!r}; expected {', '.join(LABELS)}")
        place, self.note = self.queue[detection_id], ""
        if label is None:
            self.skipped.add(place)
            return
        with _recorded(), self._file() as found:
            before = found.pop(place, label)  # the last answer stands last
            found[place] = label
        if before != label:
            self.note = f"detection {detection_id} was {before} in the file and is {label} now"
        self._given.append((place, label))

    def undo(self) -> None:
        """Take the last label of this page back, which is then asked for again; what another one said since stays."""
        self.note = ""
        if not self._given:
            return
        place, label = self._given[-1]
        with _recorded(), self._file() as found:
            if found.get(place, label) == label:
                found.pop(place, None)
            else:
                self.note = f"it is {found[place]} in the file since, which stays"
        self._given.pop()


@contextmanager
def _recorded() -> Iterator[None]:
    """Whatever keeps a label from being recorded is an OSError that says so: a full disk, a file that an edit spoilt or
    another program holds."""
    try:
        yield
    except Timeout:
        raise OSError(errno.EBUSY, "another program holds the label file") from None
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error)) from None


def page(title: str) -> bytes:
    """The HTML; whatever the title holds is text."""
    keys = "".join(f"<li><kbd>{n}</kbd> {html.escape(name)}</li>" for n, name in enumerate(LABELS, start=1))
    text = PAGE.read_text().replace("@TITLE@", html.escape(title)).replace("@KEYS@", keys)
    return text.replace("@LABELS@", json.dumps(list(LABELS))).encode()
