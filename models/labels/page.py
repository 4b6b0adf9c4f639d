"""The page of `make label`: one crop at a time, a key for each label; every key rewrites the label file at once.

Whom it answers, pipeline/core/local_page says; it writes one file, which was named before it started.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from models.labels.occlusion import LABELS
from models.labels.occlusion_csv import Place, csv_of, read_csv
from pipeline.core.storage import write_bytes

PAGE = Path(__file__).with_name("page.html")


@dataclass
class Session:
    """What is to be labelled and what has been: `queue` holds the place of each detection that is asked for, by its
    detection_id, `picture` gives a JPEG of one, `out` is the label file.

    Labels that the file holds already are kept, and their places are not asked for again.
    """

    title: str
    queue: Mapping[int, Place]
    picture: Callable[[int], bytes]
    out: Path
    labels: dict[Place, str] = field(default_factory=dict)
    skipped: set[Place] = field(default_factory=set)
    lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        if self.out.exists():
            self.labels = read_csv(self.out)
            write_bytes(self.out, csv_of(self.labels))  # a file that cannot be written is told before any work is lost

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
        """What the page shows: the next detection, or null at the end, and how many are done."""
        open_ = (i for i, place in self.queue.items() if place not in self.labels and place not in self.skipped)
        total = len({*self.queue.values(), *self.labels})
        return {"detection_id": next(open_, None), "done": len(self.labels), "of": total}

    def answer(self, detection_id: Any, label: Any) -> None:
        """Record a label, or null to skip.

        Raises ValueError for an unknown detection or label.
        """
        if type(detection_id) is not int or detection_id not in self.queue:
            raise ValueError(f"detection {detection_id!r} is not asked for")
        if label is not None and (not isinstance(label, str) or label not in LABELS):
            raise ValueError(f"unknown label {label!r}; expected {', '.join(LABELS)}")
        with self.lock:
            if label is None:
                self.skipped.add(self.queue[detection_id])
                return
            self.labels.pop(self.queue[detection_id], None)  # the last answer stands last
            self.labels[self.queue[detection_id]] = label
            write_bytes(self.out, csv_of(self.labels))

    def undo(self) -> None:
        """Take the last label back, which is then asked for again."""
        with self.lock:
            asked = set(self.queue.values())
            mine = [place for place in self.labels if place in asked]
            if mine:
                del self.labels[mine[-1]]
                write_bytes(self.out, csv_of(self.labels))


def page(title: str) -> bytes:
    """The HTML; whatever the title holds is text."""
    keys = "".join(f"<li><kbd>{n}</kbd> {html.escape(name)}</li>" for n, name in enumerate(LABELS, start=1))
    text = PAGE.read_text().replace("@TITLE@", html.escape(title)).replace("@KEYS@", keys)
    return text.replace("@LABELS@", json.dumps(list(LABELS))).encode()
