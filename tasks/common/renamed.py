"""Settings under the names that they had one version ago: still read, with one line that says the new name.

A field of a stage's settings has its old name as "formerly" in its metadata. It is read on the command line, in
luigi.cfg and in a camera's manifest; finished stages know their settings by it, so they stay finished.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from functools import cache
from typing import Any


def former_name(field: dataclasses.Field) -> str:
    """What a field was called one version ago."""
    return str(field.metadata.get("formerly", field.name))


@cache  # once a process, however often luigi reads it
def warn_renamed(old: str, new: str) -> None:
    """Say on stderr what an old name is called now."""
    print(f"warning: {old} is now called {new}; the old name works in this version only", file=sys.stderr)


class StoreRenamed(argparse.Action):
    """argparse's `store` for an option with an old spelling: add_argument(..., action=StoreRenamed, old="--old")."""

    def __init__(self, option_strings: list[str], dest: str, old: str, **kwargs: Any) -> None:
        super().__init__([*option_strings, old], dest, **kwargs)
        self.old = old

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """As argparse calls it."""
        if option_string == self.old:
            warn_renamed(self.old, self.option_strings[0])
        setattr(namespace, self.dest, values)
