"""Formats of other programs by their names.

A new export is one module of this folder with a `FORMAT`, or a package's entry point of the group `walt3d.exports` that
names one. `luigi --module tasks Export --format NAME` and `NAME_<setting>` under [Export] in luigi.cfg then know it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.core.engine import Progress
from pipeline.core.registry import choose, offered

GROUP = "walt3d.exports"


@dataclass(frozen=True)
class ExportJob:
    """The folder of shards, with images/ and objects/, of a camera and a mode; `out`, an empty folder to fill; the
    format's settings; progress, to be called with (pictures done, of how many)."""

    clipart: Path
    out: Path
    camera_id: str
    mode: str
    settings: Any = None
    progress: Progress = lambda done, total: None

    @property
    def name(self) -> str:
        """Of the folder when it is whole, as what is written calls it."""
        return self.out.name.removeprefix(".").removesuffix(".part")


@dataclass(frozen=True)
class Written:
    """What was written and what the format has no room for, each in a few words that a sentence can hold."""

    what: str
    left_out: str


@dataclass(frozen=True)
class Format:
    """An export before it is run.

    write: fills the job's folder; the same shards give the same bytes. settings: a frozen dataclass of bool, int, float
    and str fields with defaults, if it has any. version: raised when it writes other bytes.
    """

    name: str
    write: Callable[[ExportJob], Written]
    settings: type | None = None
    version: int = 1

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z][a-z0-9_]*", self.name):
            raise ValueError(f"export: name: expected a-z, 0-9 and _ only, got {self.name!r}")


@cache
def formats() -> dict[str, Format]:
    """Every format by its name."""
    return offered(Format, __package__, "FORMAT", GROUP)


def format_of(name: str) -> Format:
    """The format of a name. Raises ValueError that names the known ones."""
    return choose(formats(), name, "--format")
