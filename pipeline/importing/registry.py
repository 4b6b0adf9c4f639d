"""Formats that are read, by their names.

A new one is one module of this folder with a `READER`, or a package's entry point of the group `walt3d.imports` that
names one. `luigi --module tasks Import --format NAME` and `NAME_<setting>` under [Import] in luigi.cfg then know it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.core.account import Account
from pipeline.core.registry import choose, offered
from pipeline.importing.scenes import ReadScene

GROUP = "walt3d.imports"


@dataclass(frozen=True)
class ReadJob:
    """The folder or file of labels to read; images, the folder of its pictures, else what the format takes; the name
    that its scenes' ids begin with; the format's settings; account, which counts objects that are left out."""

    source: Path
    images: Path | None
    name: str
    settings: Any
    account: Account


@dataclass(frozen=True)
class Reader:
    """An import before it is run.

    read: the scenes of a job, in an order that the files give; labels: the files that it reads first, whose content
    says which data set it is. settings: a frozen dataclass of bool, int, float and str fields with defaults.
    """

    name: str
    read: Callable[[ReadJob], Iterator[ReadScene]]
    labels: Callable[[Path], list[Path]]
    settings: type | None = None
    version: int = 1

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z][a-z0-9_]*", self.name):
            raise ValueError(f"import: name: expected a-z, 0-9 and _ only, got {self.name!r}")


@cache
def readers() -> dict[str, Reader]:
    """Every format that can be read, by its name."""
    return offered(Reader, __package__, "READER", GROUP)


def reader_of(name: str) -> Reader:
    """The reader of a format. Raises ValueError that names the known ones."""
    return choose(readers(), name, "--format")
