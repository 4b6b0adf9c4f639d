"""What no frame of a time bucket shows, from buckets that do show it, under this one's illumination."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from pipeline.core.illumination import OFFSET, alike, log_ratio
from pipeline.empty_street.uncovered import OTHER_BUCKET, OWN_FRAMES, median_of

# Illumination is compared over so many pixels around: a hole is filled as what surrounds it is lit, near its edge as
# that is lit, so that no seam is seen.
_AROUND_PX = (24.0, 12.0, 6.0, 3.0)
# One bucket alone serves where it agrees with this one around the hole up to this, ln ratio: a house's shadow that lies
# there at one hour ends at its edge, and a gain does not move it. Of several, the median leaves it out.
_SEVERAL, _AGREES = 3, 0.2
_MOST = 8  # buckets that are asked, those lit most alike
_LEAST_AROUND, _ENOUGH_AROUND = 0.02, 0.2  # share of the surroundings that both have to show; that is believed alone


def filled_in(
    pictures: Mapping[str, np.ndarray], sources: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Each bucket's picture (H, W, 3) uint8 and sources (H, W) with what others show in place of BESIDE and
    PLAIN_MEDIAN.

    A pixel is the median of what the others make of it where three or more show it, for a shadow that falls there at
    one hour falls elsewhere at the others; else what the one makes of it that agrees best around it, if any does.
    """
    done, taken, order = {}, {}, alike(pictures, np.inf)
    for name, picture in pictures.items():
        picture, source = picture.copy(), sources[name].copy()
        own, others = source == OWN_FRAMES, order[name][1 : 1 + _MOST]
        if not own.all() and others:
            relit = [_relit(pictures[other], picture, sources[other] == OWN_FRAMES, own) for other in others]
            spread, values = np.stack([one for one, _ in relit]), np.stack([made for _, made in relit])
            use = ~own & ((np.isfinite(spread).sum(axis=0) >= _SEVERAL) | (spread.min(axis=0) < _AGREES))
            picture[use], source[use] = _agreed(spread[:, use], values[:, use]), OTHER_BUCKET
        done[name], taken[name] = picture, source
    return done, taken


def _agreed(spread: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(P, 3) uint8 of K buckets' values (K, P, 3), of which those whose spread (K, P) is finite show a pixel."""
    shown = np.isfinite(spread)
    best = np.take_along_axis(values, spread.argmin(axis=0)[None, :, None], axis=0)[0]
    several = shown.sum(axis=0) >= _SEVERAL
    middle = median_of(values[:, several], shown[:, several, None])
    best[several] = middle
    return best


def _relit(
    theirs: np.ndarray, mine: np.ndarray, their_own: np.ndarray, my_own: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How unevenly (H, W) another bucket's picture is lit against this one around each pixel, standard deviation of the
    ln ratio, infinite where it does not show it; and its values (H, W, 3) uint8 in this one's illumination."""
    both = (their_own & my_own).astype(np.float32)
    ratio = log_ratio(mine.astype(np.float32), theirs.astype(np.float32)) * both[..., None]
    wide, gain = _blurred(both, ratio, _AROUND_PX[0])
    _, square = _blurred(both, ratio**2, _AROUND_PX[0])
    spread = np.sqrt(np.maximum(square - gain**2, 0)).max(axis=2)
    for around in _AROUND_PX[1:]:
        weight, near = _blurred(both, ratio, around)
        gain += np.minimum(weight / _ENOUGH_AROUND, 1)[..., None] * (near - gain)
    values = (theirs + OFFSET) * np.exp(gain) - OFFSET
    spread[~their_own | (wide < _LEAST_AROUND)] = np.inf
    return spread, np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _blurred(weight: np.ndarray, weighted: np.ndarray, around_px: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights (H, W) and weighted means (H, W, 3) around each pixel, given weights and values times their weights."""
    total = cv2.GaussianBlur(weight, (0, 0), around_px)
    return total, cv2.GaussianBlur(weighted, (0, 0), around_px) / np.maximum(total, 1e-4)[..., None]
