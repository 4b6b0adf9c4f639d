"""What a frame's picture shows at a glance: a picture that says nothing is no frame, whatever the decoder reports."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

OK = "ok"
REPEAT = "the same picture as the frame before"
BLACK = "black"
ONE_COLOUR = "one colour"
_ENOUGH = 60_000  # pixels of a picture to look at, in a grid
_FLAT = 3  # grey levels, 0 to 255: less is no picture
_DARK = 18  # video's own black is 16


@dataclass(frozen=True, slots=True)
class Look:
    """A picture's checksum, and `black` or `one colour` where it shows nothing, else `ok`."""

    checksum: int
    status: str


def look_at(luma: np.ndarray) -> Look:
    """Look at (H, W) uint8 brightness.

    Black is what is dark and flat but for a twentieth at either end, as where a recorder prints its clock into nothing;
    one colour is flat but for a two-hundredth.
    """
    step = max(math.isqrt(luma.size // _ENOUGH), 1)
    counts = np.bincount(luma[::step, ::step].reshape(-1), minlength=256)
    below = np.cumsum(counts) / counts.sum()
    low, dark_low, middle, dark_high, high = np.searchsorted(below, [0.005, 0.05, 0.5, 0.95, 0.995])
    status = OK
    if dark_high - dark_low <= _FLAT and middle <= _DARK:
        status = BLACK
    elif high - low <= _FLAT:
        status = ONE_COLOUR
    return Look(zlib.crc32(luma.tobytes()), status)


def statuses(looks: list[Look]) -> list[str]:
    """The status of each picture among those before it in time: one that repeats the one before says nothing new."""
    repeats = [False, *(a.checksum == b.checksum for a, b in pairwise(looks))]
    return [REPEAT if again and look.status == OK else look.status for look, again in zip(looks, repeats, strict=True)]
