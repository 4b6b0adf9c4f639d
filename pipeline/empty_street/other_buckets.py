"""What no frame of a time bucket shows, from buckets that do show it, under this one's illumination."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from pipeline.core.illumination import OFFSET, log_ratio
from pipeline.empty_street.uncovered import BESIDE, OTHER_BUCKET, OWN_FRAMES

# Illumination is compared over so many pixels around: a hole is filled as what surrounds it is lit.
_AROUND_PX = 24.0
# A bucket serves where it agrees with this one around the hole up to this, ln ratio: a cast shadow of a house that lies
# there at one hour ends at its edge, and a gain does not move it.
_AGREES = 0.2
_LEAST_AROUND = 0.02  # share of the surroundings that both have to show


def filled_in(
    pictures: Mapping[str, np.ndarray], sources: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Each bucket's picture (H, W, 3) uint8 and sources (H, W) with what others show in place of BESIDE and
    PLAIN_MEDIAN.

    A pixel is taken from the bucket that agrees best around it; where none shows it, or none agrees, it stays.
    """
    done, taken = {}, {}
    for name, picture in pictures.items():
        picture, source = picture.copy(), sources[name].copy()
        lacking, own = source >= BESIDE, source == OWN_FRAMES
        best = np.full(source.shape, _AGREES, np.float32)
        for other in (one for one in pictures if one != name and lacking.any()):
            spread, values = _relit(pictures[other], pictures[name], sources[other] == OWN_FRAMES, own)
            use = lacking & (spread < best)
            best[use], picture[use], source[use] = spread[use], values[use], OTHER_BUCKET
        done[name], taken[name] = picture, source
    return done, taken


def _relit(
    theirs: np.ndarray, mine: np.ndarray, their_own: np.ndarray, my_own: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How unevenly (H, W) another bucket's picture is lit against this one around each pixel, standard deviation of the
    ln ratio, infinite where it does not show it; and its values (H, W, 3) uint8 in this one's illumination."""
    both = (their_own & my_own).astype(np.float32)
    ratio = log_ratio(mine.astype(np.float32), theirs.astype(np.float32))
    weight = cv2.GaussianBlur(both, (0, 0), _AROUND_PX)
    gain, square = (
        cv2.GaussianBlur(part * both[..., None], (0, 0), _AROUND_PX) / np.maximum(weight, 1e-4)[..., None]
        for part in (ratio, ratio**2)
    )
    spread = np.sqrt(np.maximum(square - gain**2, 0)).max(axis=2)
    values = (theirs + OFFSET) * np.exp(gain) - OFFSET
    spread[~their_own | (weight < _LEAST_AROUND)] = np.inf
    return spread, np.clip(np.rint(values), 0, 255).astype(np.uint8)
