"""The page of `make label`: one crop at a time, a key for each label; every key is in the label file at once.

It listens on the loopback address only, answers only requests that were made to that address (a foreign site's pages
and names that resolve here are refused), and writes one file, named before it started, which other pages may share.
"""

from __future__ import annotations

import html
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from filelock import FileLock, Timeout

from models.labels.occlusion import LABELS
from models.labels.occlusion_csv import Place, csv_of, read_csv
from pipeline.core.storage import write_bytes

HOST = "127.0.0.1"
PAGE = Path(__file__).with_name("page.html")
_MOST_BYTES = 1000  # of a request's body
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

    def state(self) -> dict[str, Any]:
        """What the page shows: the next detection, or null at the end, how many are done, and what is to be told."""
        open_ = (i for i, place in self.queue.items() if place not in self.labels and place not in self.skipped)
        total = len({*self.queue.values(), *self.labels})
        return {"detection_id": next(open_, None), "done": len(self.labels), "of": total} | (
            {"note": self.note} if self.note else {}
        )

    def answer(self, detection_id: Any, label: Any) -> None:
        """Record a label, or null to skip.

        Raises ValueError for an unknown detection or label, Unwritten where it could not be recorded.
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


class Unwritten(Exception):
    """A label could not be recorded: the disk is full, or the file was spoilt by an edit or is locked."""


@contextmanager
def _recorded() -> Iterator[None]:
    try:
        yield
    except Timeout:
        raise Unwritten("another program holds the label file") from None
    except OSError as error:
        raise Unwritten(error.strerror or str(error)) from None
    except ValueError as error:
        raise Unwritten(str(error)) from None


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
        server = _Server((HOST, port), Handler)
    except OSError as error:
        raise ValueError(f"port {port}: {error.strerror}; choose another with --port") from None
    Handler.hosts = tuple(f"{name}:{server.server_port}" for name in (HOST, "localhost"))
    Thread(target=server.serve_forever, daemon=True).start()
    return server


def _header_text(text: str) -> str:
    """As a status line takes it."""
    return " ".join(text.split()).encode("ascii", "replace").decode()[:200]


class _Server(ThreadingHTTPServer):
    """Clients that hang up are no errors."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing of a client that went away; one line of what is wrong with the server."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            print(f"label page: {type(error).__name__}: {error}", file=sys.stderr)


class _Handler(BaseHTTPRequestHandler):
    timeout = 30  # seconds in which a client says what it wants
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
        except Unwritten as error:  # the page says that the label is not recorded, and why
            return self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, _header_text(str(error)))
        except (KeyError, TypeError, ValueError, RecursionError):
            return self.send_error(HTTPStatus.BAD_REQUEST)
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
