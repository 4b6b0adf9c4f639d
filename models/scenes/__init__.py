"""Composed scenes as networks read them: what a shard says of every object, and random windows of it.

Nothing here loads torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class WindowSettings:
    """How training windows are sampled and augmented."""

    side_px: int = field(default=320, metadata={"help": "side of a training window, pixels"})
    smallest: float = field(default=0.7, metadata={"help": "least scale of a window"})
    largest: float = field(default=1.4, metadata={"help": "largest scale of a window"})
    at_object: float = field(default=0.85, metadata={"help": "fraction of windows that are put at some object"})
    illumination: float = field(
        default=0.25, metadata={"help": "how much brightness, contrast and colours vary", "formerly": "light"}
    )
    noise: float = field(default=4.0, metadata={"help": "largest standard deviation of added noise, grey values"})
