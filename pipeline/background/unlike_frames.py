"""Frames unlike their time bucket's background: the camera moved, fog or a hand before it, another scene, infrared.

What is found by comparing a frame with a background means nothing where the two show different things. They are
compared as small pictures (h, w, 3) float32 BGR, cell by cell: a change of illumination multiplies a cell, which
divides out; whoever passes changes some cells, another view almost all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import cv2
import numpy as np
import pyarrow as pa

from pipeline.core.illumination import OFFSET, mean

UNLIKE = "unlike the rest of the time bucket almost everywhere"
GREY = "grey, while the rest of the time bucket is in colour"
COLOURED = "in colour, while the rest of the time bucket is grey"
LEFT_OUT = (UNLIKE, GREY, COLOURED)

_LONG_SIDE_PX = 320  # of the small picture: its pixels are means, hardly noisy
_CELL_PX = 16  # of the small picture
_TEXTURE = 4.0  # grey levels, standard deviation: a flatter cell of the background tells nothing
_LEAST_CELLS = 12  # with so few that tell something, nothing is decided
_LIKE = 0.5  # agreement of a cell, from which it shows the same
# Grey levels between the largest and the smallest channel of a coloured pixel, and of nearly all pixels of a picture
# without colour. A street has some colour somewhere; a frame before a grey one more than a red bus would give it.
_CHROMA, _GREY, _GREY_QUANTILE = 12.0, 6.0, 0.98
_COLOURED_STREET, _COLOURED_FRAME = 0.05, 0.25  # fractions of the picture


class Likeness:
    """Compares frames with a background (H, W, 3) uint8."""

    def __init__(self, background: np.ndarray) -> None:
        small = _small(background)
        self._relief, level = _relief(small)
        self._power = (self._relief**2).mean(axis=2)
        self._textured = np.sqrt(self._power) * level >= _TEXTURE
        self._chroma = _chroma(small)

    def status(self, frame: np.ndarray, most: float) -> str | None:
        """Why a frame (H, W, 3) uint8 is left out; None for one that differs in at most the fraction `most`."""
        small = _small(frame)
        if self.differing(small) > most:
            return UNLIKE
        chroma = _chroma(small)
        if _is_grey(chroma) and (self._chroma >= _CHROMA).mean() >= _COLOURED_STREET:
            return GREY
        return COLOURED if _is_grey(self._chroma) and (chroma >= _CHROMA).mean() >= _COLOURED_FRAME else None

    def differing(self, small: np.ndarray) -> float:
        """Fraction of the background's textured cells in which a small frame does not agree with it, 0 to 1.

        Two cells a, b, each divided by its mean brightness and less its mean, agree by 2 <ab> / (<aa> + <bb>): 1 under
        any gain, less with less contrast (2k / (1 + k^2) for k times as much: fog), 0 for what has nothing in common.
        """
        if self._textured.sum() < _LEAST_CELLS:
            return 0.0
        relief, _ = _relief(small)
        power = (relief**2).mean(axis=2) + self._power
        agreement = 2 * (relief * self._relief).mean(axis=2) / np.maximum(power, 1e-9)
        return float((agreement[self._textured] < _LIKE).mean())


def left_out(background: np.ndarray, frames: Iterable[tuple[int, np.ndarray]], most: float) -> dict[int, str]:
    """Of (frame_id, frame) of a time bucket those that are unlike its background, and why."""
    likeness = Likeness(background)
    decided = ((frame_id, likeness.status(frame, most)) for frame_id, frame in frames)
    return {frame_id: status for frame_id, status in decided if status}


def with_statuses(index: pa.Table, statuses: Mapping[int, str]) -> pa.Table:
    """The FRAMES table with other statuses of some frames, by frame_id."""
    at = index.schema.get_field_index("status")
    pairs = zip(index["frame_id"].to_pylist(), index["status"].to_pylist(), strict=True)
    column = pa.array([statuses.get(frame_id, status) for frame_id, status in pairs], pa.string())
    return index.set_column(at, index.schema.field(at), column)


def left_out_in_words(statuses: Iterable[str]) -> str:
    """How many frames were left out for which reasons; nothing for none."""
    reasons = Counter(status for status in statuses if status in LEFT_OUT)
    told = "; ".join(f"{count} {'is' if count == 1 else 'are'} {reason}" for reason, count in reasons.most_common())
    return f"{reasons.total()} frames left out ({told})" if reasons else ""


def _small(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    scale = min(_LONG_SIDE_PX / max(height, width), 1.0)
    size = max(round(width * scale), _CELL_PX), max(round(height * scale), _CELL_PX)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def _relief(small: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of a small picture's cells the pixels' deviation from the cell's mean, as a fraction of it (rows, columns, N),
    and the mean (rows, columns), grey levels; what is left over at the right and below is not looked at."""
    rows, columns = small.shape[0] // _CELL_PX, small.shape[1] // _CELL_PX
    grey = mean(small)[: rows * _CELL_PX, : columns * _CELL_PX]
    cells = grey.reshape(rows, _CELL_PX, columns, _CELL_PX).swapaxes(1, 2).reshape(rows, columns, -1)
    level = cells.mean(axis=2) + OFFSET
    return cells / level[..., None] - (cells.mean(axis=2) / level)[..., None], level


def _chroma(small: np.ndarray) -> np.ndarray:
    return small.max(axis=2) - small.min(axis=2)


def _is_grey(chroma: np.ndarray) -> bool:
    return bool(np.quantile(chroma, _GREY_QUANTILE) < _GREY)
