"""The page of `make label`: one crop at a time, a key for each label; every key rewrites the label file at once.

It listens on the loopback address only, answers only requests that were made to that address (a foreign site's pages
and names that resolve here are refused), and writes one file, which was named before it started.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from models.labels.occlusion import LABELS
from models.labels.occlusion_csv import Place, csv_of, read_csv
from pipeline.core.storage import write_bytes

HOST = "127.0.0.1"
PAGE = Path(__file__).with_name("page.html")
_MOST_BYTES = 1000  # of a request's body


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


def start(session: Session, port: int) -> ThreadingHTTPServer:
    """Serve a session on a loopback port, 0 for any free one, in a thread of its own; `shutdown` ends it.

    Raises ValueError where the port is taken.
    """
    body = page(session.title)

    class Handler(_Handler):
        pass

    Handler.session, Handler.body = session, body
    try:
        server = ThreadingHTTPServer((HOST, port), Handler)
    except OSError as error:
        raise ValueError(f"port {port}: {error.strerror}; choose another with --port") from None
    Handler.hosts = tuple(f"{name}:{server.server_port}" for name in (HOST, "localhost"))
    Thread(target=server.serve_forever, daemon=True).start()
    return server


class _Handler(BaseHTTPRequestHandler):
    session: Session
    body: bytes
    hosts: tuple[str, ...]

    def do_GET(self) -> None:
        """The page, the state, and the picture of a detection that is asked for."""
        if not self._allowed():
            return
        name, _, number = self.path.strip("/").partition("/")
        if not name:
            self._send(self.body, "text/html; charset=utf-8")
        elif name == "state":
            self._send_state()
        elif name == "picture" and number.isdecimal() and int(number) in self.session.queue:
            with self.session.lock:  # one reader of the frames at a time
                picture = self.session.picture(int(number))
            self._send(picture, "image/jpeg")
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """A label, or one taken back: JSON, which no form of another site can send."""
        if not self._allowed():
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            return self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if self.headers.get("Content-Type") != "application/json":
            return self.send_error(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        try:
            self._act(json.loads(self.rfile.read(int(length))))
        except (KeyError, TypeError, ValueError):
            return self.send_error(HTTPStatus.BAD_REQUEST)
        except OSError as error:  # a full disk: the page says that the label is not recorded
            return self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, error.strerror)
        self._send_state()

    def _act(self, said: dict[str, Any]) -> None:
        if self.path == "/label":
            self.session.answer(said["detection_id"], said["label"])
        elif self.path == "/undo":
            self.session.undo()
        else:
            raise ValueError("no such action")

    def _allowed(self) -> bool:
        origin = self.headers.get("Origin")
        fine = self.headers.get("Host") in self.hosts
        fine &= origin is None or origin.removeprefix("http://") in self.hosts
        if not fine:
            self.send_error(HTTPStatus.FORBIDDEN)
        return fine

    def _send_state(self) -> None:
        self._send(json.dumps(self.session.state()).encode(), "application/json")

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "frame-ancestors 'none'")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal belongs to the one line that says where the page is."""
