"""Times of frames: read from file names by a strptime pattern in which `*` stands for anything, and kept in buckets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path

_DIRECTIVES = {
    "%Y": r"\d{4}",
    "%m": r"\d{1,2}",
    "%d": r"\d{1,2}",
    "%H": r"\d{1,2}",
    "%M": r"\d{1,2}",
    "%S": r"\d{1,2}",
    "%f": r"\d{1,6}",
    "%y": r"\d{2}",
    "%j": r"\d{1,3}",
    "%b": r"[A-Za-z]{3}",
    "%I": r"\d{1,2}",
    "%p": r"[AaPp][Mm]",
}


class NameTimes:
    """Parses names by a pattern such as `street_%Y%m%d-%H%M%S_*`, matched against the name without its suffix."""

    def __init__(self, pattern: str) -> None:
        parts = re.split(r"(%.|\*)", pattern)
        self._directives = [part for part in parts if part.startswith("%")]
        unknown = [part for part in self._directives if part not in _DIRECTIVES]
        if unknown or not self._directives:
            got = f"got {unknown[0]}" if unknown else f"got none in {pattern!r}"
            raise ValueError(f"expected a pattern of {' '.join(_DIRECTIVES)} and *, {got}")
        if len(set(self._directives)) < len(self._directives):
            raise ValueError(f"expected every directive once, got {pattern!r}")
        self.pattern = pattern
        self._expression = re.compile("".join(map(_expression, parts)))

    def parse(self, path: Path) -> datetime:
        """The time in a name, without a zone. Raises ValueError naming the file and the pattern."""
        match = self._expression.fullmatch(path.stem)
        try:
            if match:
                return datetime.strptime(" ".join(match.groups()), " ".join(self._directives))
        except ValueError:
            pass
        raise ValueError(
            f"{path}: its name does not tell its time by the pattern {self.pattern!r}; "
            "mend source.time_pattern or narrow source.glob in the manifest"
        )


def _expression(part: str) -> str:
    if part == "*":
        return ".*?"
    return f"({_DIRECTIVES[part]})" if part in _DIRECTIVES else re.escape(part)


@dataclass(frozen=True)
class TimeBucket:
    """A stretch of the local day, start included and end not; it may run over midnight."""

    name: str
    start: time
    end: time

    def holds(self, clock: time) -> bool:
        """Whether a local wall-clock time falls into it."""
        if self.start < self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


def hour_bucket(moment: datetime) -> str:
    """The default buckets: hour of the day, h00 to h23."""
    return f"h{moment.hour:02d}"
