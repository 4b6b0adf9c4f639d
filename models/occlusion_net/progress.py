"""How far a command is, told now and then."""

from __future__ import annotations

import sys
import time

_EVERY_S = 10.0


class Told:
    """Called with how many of how many, 0 where unknown, are done; says so on stderr every ten seconds."""

    def __init__(self, what: str) -> None:
        self.what, self.said = what, time.monotonic()

    def __call__(self, done: int, count: int) -> None:
        if time.monotonic() - self.said > _EVERY_S:
            self.said = time.monotonic()
            of_all = f" of {count}" if count else ""
            print(f"{done}{of_all} {self.what}", file=sys.stderr, flush=True)
