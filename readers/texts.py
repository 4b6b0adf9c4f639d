"""Texts of strangers: names, paths and values that can be printed, stored and opened."""

from __future__ import annotations

import re
from pathlib import Path

_UNUSABLE = re.compile("[\0\ud800-\udfff]")


def check_text(text: str, where: str) -> None:
    """Raise ValueError for characters that no file name, no UTF-8 and no terminal takes: NUL, halves of a pair."""
    if found := _UNUSABLE.search(text):
        around = text[max(found.start() - 20, 0) : found.end() + 20]
        raise ValueError(f"{where}: expected text, got the character {found[0]!a} in {around!a}")


def expanded(path: str | Path, where: str) -> Path:
    """A path with `~` as the home it stands for. Raises ValueError, naming `where`, where there is no such user."""
    check_text(str(path), where)
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f"{where}: no such user: {Path(path).parts[0]}") from None
