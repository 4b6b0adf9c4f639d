"""Which detection is which object, and how well their masks agree: of all of it, of what is seen, of what is hidden."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core import masks


def match(overlap: np.ndarray, scores: np.ndarray, least: float = 0.5) -> np.ndarray:
    """(N,) of each of N objects the row of its detection, -1 for none: COCO's greedy rule at one overlap.

    overlap (M, N) of detections with objects, zero between categories; scores (M,). The best detection first takes the
    object that it overlaps most of those nobody has, if by `least`.
    """
    taken = np.full(overlap.shape[1], -1)
    for row in np.argsort(-scores, kind="stable"):
        free = np.where(taken < 0, overlap[row], -1.0) if overlap.shape[1] else np.zeros(0)
        if free.size and free.max() >= least:
            taken[int(free.argmax())] = row
    return taken


def mask_overlaps(
    found: Sequence[tuple[str, str]], wanted: Sequence[tuple[str, str]], size_hw: tuple[int, int]
) -> dict[str, np.ndarray]:
    """By part, IoUs (N,) of N objects' (whole, visible) run-length masks with those found of them: whole, visible, and
    hidden, which is the whole less the visible; NaN where neither has any pixel there."""
    result = {name: np.full(len(found), np.nan) for name in ("whole", "visible", "hidden")}
    for k, pair in enumerate(zip(found, wanted, strict=True)):
        (whole, seen), (true_whole, true_seen) = ([masks.full(rle, size_hw) for rle in one] for one in pair)
        parts = {"whole": (whole, true_whole), "visible": (seen, true_seen)}
        parts["hidden"] = whole & ~seen, true_whole & ~true_seen
        for name, (one, other) in parts.items():
            union = np.count_nonzero(one | other)
            if union:
                result[name][k] = np.count_nonzero(one & other) / union
    return result
