"""Times of frames: read from file names by a strptime pattern in which `*` stands for anything, and kept in buckets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from pathlib import Path, PurePath

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
    "%s": r"\d{9,11}",  # seconds since 1970, in UTC whatever the zone
    "%q": r"\d{1,4}",  # number of the frame within its second, from 0, as motion names its files
}
_DATES = ({"%Y", "%m", "%d"}, {"%y", "%m", "%d"}, {"%Y", "%b", "%d"}, {"%y", "%b", "%d"}, {"%Y", "%j"}, {"%y", "%j"})
DATED = "%Y-%m-%d/%H%M%S"
_UNKNOWN_DAY = datetime(1970, 1, 1)
YEARS = (1900, 2200)
_MOST_PARTS = 64


@dataclass(frozen=True)
class NameTime:
    """What a name says: a time without a zone (UTC where the pattern is), the frame's number within its second, and the
    numbers in what `*` stands for."""

    moment: datetime
    number: int | None = None
    counter: tuple[int, ...] = ()


class NameTimes:
    """Parses names by a pattern such as `street_%Y%m%d-%H%M%S_*`, matched against the name without its suffix.

    A pattern with slashes, such as `%Y-%m-%d/%H%M%S`, is matched against as many folders above the file as it has.
    """

    def __init__(self, pattern: str) -> None:
        parts = re.split(r"(%.|\*)", pattern)
        self._directives = [part for part in parts if part.startswith("%")]
        unknown = [part for part in self._directives if part not in _DIRECTIVES]
        if unknown or not set(self._directives) - {"%q"}:
            got = f"got {unknown[0]}" if unknown else f"got none in {pattern!r}"
            raise ValueError(f"expected a pattern of {' '.join(_DIRECTIVES)} and *, {got}")
        if len(parts) > _MOST_PARTS:
            raise ValueError(f"expected at most {_MOST_PARTS // 2} directives and stars, got {len(parts) // 2}")
        if len(set(self._directives)) < len(self._directives):
            raise ValueError(f"expected every directive once, got {pattern!r}")
        if "%s" in self._directives and set(self._directives) - {"%s", "%f", "%q"}:
            raise ValueError(f"expected %s, the seconds since 1970, alone or with %f or %q, got {pattern!r}")
        self.pattern = pattern
        self.utc = "%s" in self._directives
        self.has_date = self.utc or any(date <= set(self._directives) for date in _DATES)
        self.numbered = "%q" in self._directives
        self._folders = pattern.count("/")
        groups = [part for part in parts if part == "*" or part in _DIRECTIVES]
        self._stars = [i for i, part in enumerate(groups) if part == "*"]
        self._parts = [re.compile(_expression(part)) if part != "*" else None for part in parts if part]
        self._is_group = [part == "*" or part in _DIRECTIVES for part in parts if part]

    @property
    def resolution_s(self) -> float:
        """The step between the times that names can tell; frames of one step have equal times."""
        steps = (("%f", 0.0), ("%S", 1.0), ("%s", 1.0), ("%M", 60.0))
        return next((step for directive, step in steps if directive in self._directives), 3600.0)

    def read(self, path: PurePath) -> NameTime:
        """What the name says. Raises ValueError naming the file and the pattern."""
        name = "/".join([*path.parts[:-1], path.stem][-1 - self._folders :])
        found = self._matched(name)
        try:
            if found is not None:
                stars = [found.pop(i) for i in reversed(self._stars)]
                counter = tuple(int(digits) for star in reversed(stars) for digits in re.findall(r"\d+", star))
                return self._told(dict(zip(self._directives, found, strict=True)), counter)
        except (ValueError, OverflowError):
            pass
        raise ValueError(
            f"{path}: its name does not tell its time by the pattern {self.pattern!r}; "
            "mend source.time_pattern or narrow source.glob in the manifest"
        )

    def _matched(self, name: str) -> list[str] | None:
        """What each directive and star stands for, as a regular expression with lazy stars would have it; in time
        proportional to the parts times the name's length, for no part is tried twice at one place."""
        failed: set[tuple[int, int]] = set()

        def rest(part: int, place: int) -> list[str] | None:
            if part == len(self._parts):
                return [] if place == len(name) else None
            if (part, place) in failed:
                return None
            for end in self._ends(part, name, place):
                if (behind := rest(part + 1, end)) is not None:
                    return [name[place:end], *behind] if self._is_group[part] else behind
            failed.add((part, place))
            return None

        return rest(0, 0)

    def _ends(self, part: int, name: str, place: int) -> Iterator[int]:
        """Where a part that begins at a place may end: a star as early as it can, digits as late as they can."""
        expression = self._parts[part]
        if expression is None:
            slash = name.find("/", place)
            return iter(range(place, (slash if slash >= 0 else len(name)) + 1))
        longest = expression.match(name, place)
        if longest is None:
            return iter(())
        return (end for end in range(longest.end(), place - 1, -1) if expression.fullmatch(name, place, end))

    def parse(self, path: Path) -> datetime:
        """The time in a name, without a zone; the day is 1970-01-01 where the pattern has no date."""
        return self.read(path).moment

    def _told(self, values: dict[str, str], counter: tuple[int, ...]) -> NameTime:
        number = int(values.pop("%q")) if "%q" in values else None
        if "%s" in values:
            since = datetime.fromtimestamp(int(values["%s"]), UTC).replace(tzinfo=None)
            moment = since.replace(microsecond=int(values.get("%f", "0").ljust(6, "0")))
            return NameTime(of_our_time(moment), number, counter)
        # The year first: a 29th of February is looked up in it.
        moment = datetime.strptime(" ".join(values.values()), " ".join(values))
        if not self.has_date:
            moment = datetime.combine(_UNKNOWN_DAY, moment.time())
        return NameTime(of_our_time(moment), number, counter)


def of_our_time(moment: datetime) -> datetime:
    """The same again. Raises ValueError for a year that no camera can have recorded, beside which zones end."""
    if not YEARS[0] <= moment.year <= YEARS[1]:
        raise ValueError(f"expected a year from {YEARS[0]} to {YEARS[1]}, got {moment.year}")
    return moment


def _expression(part: str) -> str:
    return _DIRECTIVES.get(part, re.escape(part))


def utc_of(local: datetime, zone: tzinfo) -> datetime:
    """The moment of a local wall clock; the first of the two where the clock was put back.

    Raises ValueError for a time that the zone leaps over.
    """
    moment = local.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != local.replace(fold=0):
        raise ValueError(f"{local:%Y-%m-%d %H:%M:%S}: {zone} has no such time, its clocks are put forward over it")
    return moment


def natural(path: PurePath) -> str:
    """Key that sorts names as people number them: in9 before in10, folder by folder.

    Numbers come before text, by their value: by how many digits it has and then by these. One text, since a day has
    10^5 names.
    """
    pieces = re.split(r"(\d+)", "/".join(path.parts))
    return "".join(_number_key(int(piece)) if piece.isdecimal() else f"1{piece}\0" for piece in pieces if piece)


def _number_key(number: int) -> str:
    return f"0{len(str(number)):04d}{number}"


def last_number(path: PurePath) -> int | None:
    """The last number in a name without its suffix: 123 of `in000123.jpg`."""
    found = re.findall(r"\d+", path.stem)
    return int(found[-1]) if found else None


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
