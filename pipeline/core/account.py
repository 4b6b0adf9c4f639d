"""What a reader of somebody else's file made of it: how much it read, used and left out, and why.

Nothing is dropped uncounted: whoever reads a file ends with one such line.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field

_SHOWN = 4


@dataclass
class Account:
    """`file` held `read` of what `things` are called; `reasons` counts those that were left out."""

    file: str
    things: str
    read: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    @property
    def used(self) -> int:
        """How many were used."""
        return self.read - self.reasons.total()

    def leave_out(self, reason: str, count: int = 1) -> None:
        """Some are not used; reason goes on after a number, as `of class dog`."""
        self.reasons[reason] += count

    def why(self) -> str:
        """The reasons, the most frequent first."""
        listed = [f"{count} {reason}" for reason, count in self.reasons.most_common(_SHOWN)]
        more = len(self.reasons) - _SHOWN
        return "; ".join(listed) + (f" (and {more} more reasons)" if more > 0 else "")

    def __str__(self) -> str:
        left = f", left out {self.reasons.total()}: {self.why()}" if self.reasons else ""
        return f"{self.file}: read {self.read} {self.things}, used {self.used}{left}" + "".join(
            f"; {note}" for note in self.notes
        )

    def tell(self) -> None:
        """Say it on stderr."""
        print(self, file=sys.stderr)
