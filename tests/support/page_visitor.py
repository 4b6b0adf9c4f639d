"""Somebody who talks to a page of this machine over a real socket."""

import http.client
import json

from waiting import PATIENCE_S

from pipeline.core.local_page import HOST, start

JSON = {"Content-Type": "application/json"}


class Visitor:
    """Of a page's session, which writes `out`."""

    def __init__(self, session, out):
        self.session, self.out = session, out
        self.server = start(session, 0)

    def ask(self, method, path, body=None, **headers):
        """Status and body of an answer; underscores of headers' names stand for hyphens."""
        line = http.client.HTTPConnection(HOST, self.server.server_port, timeout=PATIENCE_S)
        line.request(method, path, body, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = line.getresponse()
        return answer.status, answer.read()

    def say(self, path, said, **headers):
        """Status and body of the answer to something said as JSON."""
        return self.ask("POST", path, json.dumps(said), **(JSON | headers))

    def leave(self):
        """Close the page."""
        self.server.shutdown()
        self.server.server_close()
