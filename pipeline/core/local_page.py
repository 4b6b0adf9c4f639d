"""A page for one person at this machine: what may reach it, and how it answers.

It listens on the loopback address only, answers only requests that were made to that address (a foreign site's pages
and names that resolve here are refused), and takes nothing but small JSON.
"""

from __future__ import annotations

import json
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Protocol

HOST = "127.0.0.1"
_MOST_BYTES = 1000  # of a request's body


class Answers(Protocol):
    """What a page shows and does."""

    def content(self, path: str) -> tuple[bytes, str] | None:
        """Bytes and content type of what is at a path, `` for the page itself; None for nothing."""
        ...

    def state(self) -> dict[str, Any]:
        """What the page shows now, as JSON."""
        ...

    def act(self, path: str, said: dict[str, Any]) -> None:
        """Do what was asked. Raises KeyError, TypeError or ValueError for what is no request, OSError where it could
        not be written."""
        ...


def start(answers: Answers, port: int) -> ThreadingHTTPServer:
    """Serve on a loopback port, 0 for any free one, in a thread of its own; `shutdown` ends it.

    Raises ValueError where the port is taken.
    """

    class Handler(_Handler):
        pass

    Handler.answers = answers
    try:
        server = _Server((HOST, port), Handler)
    except OSError as error:
        raise ValueError(f"port {port}: {error.strerror}; choose another with --port") from None
    Handler.hosts = tuple(f"{name}:{server.server_port}" for name in (HOST, "localhost"))
    Thread(target=server.serve_forever, daemon=True).start()
    return server


class _Server(ThreadingHTTPServer):
    """Clients that hang up are no errors."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing of a client that went away; one line of what is wrong with the server."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            print(f"page: {type(error).__name__}: {error}", file=sys.stderr)


class _Handler(BaseHTTPRequestHandler):
    timeout = 30  # seconds in which a client says what it wants
    answers: Answers
    hosts: tuple[str, ...]

    def do_GET(self) -> None:
        """The page, the state, and whatever else the page shows."""
        if not self._allowed():
            return
        path = self.path.strip("/")
        if path == "state":
            return self._send_state()
        found = self.answers.content(path)
        if found is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        self._send(*found)

    def do_POST(self) -> None:
        """An action: JSON, which no form of another site can send."""
        if not self._allowed():
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            return self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if self.headers.get("Content-Type") != "application/json":
            return self.send_error(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        try:
            said = json.loads(self.rfile.read(int(length)))
            if not isinstance(said, dict):
                raise TypeError("expected an object")
            self.answers.act(self.path, said)
        except (KeyError, TypeError, ValueError, RecursionError):
            return self.send_error(HTTPStatus.BAD_REQUEST)
        except OSError as error:  # a full disk: the page says that nothing is recorded, and why
            text = " ".join((error.strerror or str(error)).split()).encode("ascii", "replace").decode()
            return self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, text[:200])
        self._send_state()

    def _allowed(self) -> bool:
        origin = self.headers.get("Origin")
        fine = self.headers.get("Host") in self.hosts
        fine &= origin is None or origin.removeprefix("http://") in self.hosts
        if not fine:
            self.send_error(HTTPStatus.FORBIDDEN)
        return fine

    def _send_state(self) -> None:
        self._send(json.dumps(self.answers.state()).encode(), "application/json")

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
