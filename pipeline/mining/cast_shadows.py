"""The shadow an object casts in its frame, as the illumination it leaves on the empty street.

It is uint8, 255 all of it. Shadows are found against the bucket's background: darker by a near-uniform ratio, of
almost the same colour, joined to the object's lower part, and nobody else's. Around them, and around the foot where
there is none, what is fainter is followed as it was measured until it ends, for a shadow has no edge: that is also the
dark below whatever stands on the ground, sun or not.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from pipeline.core import illumination
from pipeline.core.illumination import Box, PlacedMask, Relit, padded

_RIM_DARKEST = np.float32(-0.25)  # ln of the light at a rim: what is darker is a shadow, or something else
_RIM_PX = 3.0  # standard deviation that smooths the noise of a rim away


@dataclass(frozen=True)
class ShadowSettings:
    """What counts as the cast shadow of an object."""

    reach_m: float = field(default=5.0, metadata={"help": "farthest that a shadow is followed from the box, metres"})
    darkest: float = field(default=0.30, metadata={"help": "least illumination in a shadow, fraction"})
    faintest: float = field(default=0.93, metadata={"help": "a shadow leaves less illumination than this, fraction"})
    fade_m: float = field(default=1.0, metadata={"help": "farthest that a shadow's faint rim is followed, metres"})
    tint: float = field(default=0.14, metadata={"help": "largest departure of a channel from the mean, ln ratio"})


@dataclass(frozen=True)
class CastShadow:
    """Illumination (h, w) uint8 that is left, 255 all, with its top-left pixel in the frame at xy."""

    illumination: np.ndarray
    xy: tuple[int, int]

    def over(self, box: Box) -> np.ndarray:
        """(h, w) float32, 0 to 1, of a box of the frame; 1 outside the layer."""
        x, y, w, h = box
        (left, top), (rows, columns) = self.xy, self.illumination.shape
        whole = np.ones((h, w), np.float32)
        x0, y0, x1, y1 = max(x, left), max(y, top), min(x + w, left + columns), min(y + h, top + rows)
        if x1 > x0 and y1 > y0:
            whole[y0 - y : y1 - y, x0 - x : x1 - x] = (
                self.illumination[y0 - top : y1 - top, x0 - left : x1 - left] / 255
            )
        return whole


def cast_shadow(relit: Relit, mask: PlacedMask, scale_px: np.ndarray, settings: ShadowSettings) -> CastShadow | None:
    """The shadow of a mask, or None; scale_px (2,): pixels of a metre across and up where it stands."""
    reach = settings.reach_m * scale_px
    # Ground recedes: five metres away from the viewer are fewer pixels than five metres across.
    own, box = padded(mask, (int(reach[0]), int(0.4 * reach[1])), relit.frame.shape[:2])
    frame, background = relit.crop(box)
    shadow, ratio = _darkened(frame, background, settings)
    owner = relit.owner[box[1] : box[1] + box[3], box[0] : box[0] + box[2]]
    others = (owner > 0) & (owner != mask.number)
    belongs = _belongs(own, others)
    shadow = _starting_at_mask(shadow & belongs & ~own, own)
    if shadow.sum() < max(30, 0.03 * mask.crop.sum()):
        shadow = np.zeros_like(own)
    rim = _rim(shadow | _foot(own), belongs & ~_dilated(own, 5), frame, background, settings.fade_m * scale_px[0])
    left = np.minimum(_illumination(shadow, own, ratio), rim)
    ending = _ending(box, relit.frame.shape[:2], settings.fade_m * scale_px * (1.0, 0.4))
    return _trimmed(1 - ending * (1 - left), (box[0], box[1]))


def _darkened(frame: np.ndarray, background: np.ndarray, settings: ShadowSettings) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) bool of pixels in some shadow, and ln of the illumination left there."""
    channels = illumination.log_ratio(cv2.GaussianBlur(frame, (0, 0), 1.0), cv2.GaussianBlur(background, (0, 0), 1.0))
    ratio = channels.mean(axis=2)
    tint = np.abs(channels - ratio[..., None]).max(axis=2)
    dark = (ratio < np.log(settings.faintest)) & (ratio > np.log(settings.darkest)) & (tint < settings.tint)
    return cv2.morphologyEx(dark.astype(np.uint8), cv2.MORPH_OPEN, _disk(3)).astype(bool), ratio


def _belongs(own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(h, w) bool: clear of the others, and nearer to the object than to any of them."""
    if not others.any():
        return np.ones_like(own)
    to_own = cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, 3)
    to_others = cv2.distanceTransform((~others).astype(np.uint8), cv2.DIST_L2, 3)
    return (to_own < to_others) & (to_others > 2)


def _starting_at_mask(shadow: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The parts that start at the lower half of the mask and reach beyond its blurred edge."""
    edge = _dilated(own, 5)
    rows = np.flatnonzero(own.any(axis=1))
    lower = own.copy()
    lower[: (rows[0] + rows[-1]) // 2] = False
    away = shadow & ~edge
    _, labels = cv2.connectedComponents(away.astype(np.uint8), connectivity=4)
    touching = np.unique(labels[_dilated(lower, 11) & away])
    joined = np.isin(labels, touching[touching > 0]) & away
    joined |= shadow & edge & _dilated(joined, 5)
    return cv2.morphologyEx((joined | own).astype(np.uint8), cv2.MORPH_CLOSE, _disk(5)).astype(bool) & ~own


def _disk(size: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))


def _dilated(mask: np.ndarray, size: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), _disk(size)).astype(bool)


def _foot(own: np.ndarray) -> np.ndarray:
    """(h, w) bool: the lowest pixel of each column of a mask, in the lowest quarter of its rows."""
    rows = np.flatnonzero(own.any(axis=1))
    foot = own & ~np.roll(own, -1, axis=0)
    foot[: rows[-1] - (rows[-1] - rows[0]) // 4] = False
    return foot


def _rim(start: np.ndarray, free: np.ndarray, frame: np.ndarray, background: np.ndarray, reach_px: float) -> np.ndarray:
    """Illumination (h, w) 0 to 1 that frame and background (h, w, 3) show around `start` on what is `free`, smoothly,
    and less and less of its lack up to reach_px."""
    known = free.astype(np.float32)
    ratio = np.clip(illumination.log_ratio(frame, background).mean(axis=2), _RIM_DARKEST, -_RIM_DARKEST) * known
    total = cv2.GaussianBlur(known, (0, 0), _RIM_PX)
    faint = np.minimum(cv2.GaussianBlur(ratio, (0, 0), _RIM_PX) / np.maximum(total, 0.05), 0)
    away = cv2.distanceTransform((~start).astype(np.uint8), cv2.DIST_L2, 3)
    return 1 - np.clip(1 - away / max(reach_px, 1.0), 0, 1) * (1 - np.exp(faint))


def _illumination(shadow: np.ndarray, own: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Illumination (h, w) 0 to 1: smooth within the shadow, carried on under the object, soft towards the sun."""
    known = shadow.astype(np.float32)
    value = np.minimum(ratio, 0) * known
    near = cv2.GaussianBlur(known, (0, 0), 1.2)
    far = cv2.GaussianBlur(known, (0, 0), 6.0)
    depth = (cv2.GaussianBlur(value, (0, 0), 1.2) + 0.02 * cv2.GaussianBlur(value, (0, 0), 6.0)) / (
        near + 0.02 * far + 1e-6
    )
    under = own & _dilated(shadow, 9)
    edge = cv2.GaussianBlur((shadow | under).astype(np.float32), (0, 0), 1.0)
    return 1 - edge * (1 - np.exp(depth))


def _ending(box: Box, size_hw: tuple[int, int], fade_px: np.ndarray) -> np.ndarray:
    """(h, w) float32, 1 inside the box and down to 0 over fade_px (2,) pixels, across and up, at its sides: a shadow
    longer than it is followed has no edge there either. At the frame's border there is nothing to end."""
    (x, y, w, h), (height, width) = box, size_hw
    sides = []
    for start, length, whole, fade in ((x, w, width, fade_px[0]), (y, h, height, fade_px[1])):
        place = np.arange(length, dtype=np.float32)
        low = place if start > 0 else np.inf
        high = place[::-1] if start + length < whole else np.inf
        sides.append(np.clip(np.minimum(low, high) / np.float32(max(fade, 1.0)), 0, 1) * np.ones(length, np.float32))
    return np.minimum(sides[0], sides[1][:, None])


def _trimmed(left: np.ndarray, xy: tuple[int, int]) -> CastShadow | None:
    whole = (left * 255).round().clip(0, 255).astype(np.uint8)
    x, y, w, h = cv2.boundingRect((whole < 255).astype(np.uint8))
    if not w:
        return None
    return CastShadow(np.ascontiguousarray(whole[y : y + h, x : x + w]), (xy[0] + x, xy[1] + y))
