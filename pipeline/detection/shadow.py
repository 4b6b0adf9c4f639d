"""Cast shadows: ground that is darker than the background, of one colour, with its texture still in it.

Images are float32 (h, w, 3) BGR in grey levels; ratios are natural logarithms, 0 where frame and background agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.core.illumination import OFFSET, largest, log_ratio, mean
from pipeline.detection import blobs

_TRUST = 4.0  # standard errors from which the texture test decides
_MOST_TINT = 0.15  # ln ratio between a channel and the mean: no sky is bluer
_MOST_GREEN = 0.03  # ln ratio: between sun and sky the green hardly changes
_VOTES = 40  # samples of a crop


@dataclass(frozen=True)
class Shadow:
    """ln ratio of a cast shadow to the sunlit ground: all channels' mean, and each channel's (3,) departure from it."""

    depth: float
    tint: np.ndarray


# Overcast: only soft, grey, shallow shadows under things.
NO_SUN = Shadow(0.0, np.zeros(3, np.float32))


@dataclass(frozen=True)
class Darkening:
    """How a crop's pixels (h, w) were darkened: mean ln ratio, and each channel's departure from it, tint (h, w, 3).

    flat: the ratio hardly varies around the pixel. agreement: how much of the background's fine texture is still
    there, 1 all, 0 none; trust: in how many standard errors of the noise that is known.
    """

    ratio: np.ndarray
    tint: np.ndarray
    flat: np.ndarray
    agreement: np.ndarray
    trust: np.ndarray


def darkening(frame: np.ndarray, background: np.ndarray, noise: np.ndarray, changed: np.ndarray) -> Darkening:
    """Measure a crop against its background of the same illumination; noise (h, w) in grey levels, changed (h, w)
    bool."""
    soft_frame, soft_background = cv2.GaussianBlur(frame, (3, 3), 0.8), cv2.GaussianBlur(background, (3, 3), 0.8)
    channels = log_ratio(soft_frame, soft_background)
    ratio = mean(channels)
    relative_noise = noise / (mean(soft_frame) + np.float32(OFFSET))
    deviation = cv2.sqrt(
        np.maximum(cv2.boxFilter(ratio * ratio, -1, (5, 5)) - cv2.boxFilter(ratio, -1, (5, 5)) ** 2, 0)
    )
    flat = deviation < 0.04 + 0.8 * relative_noise
    agreement, trust = _shared_texture(ratio, soft_background, relative_noise, changed & flat & (ratio < 0))
    return Darkening(ratio, channels - ratio[..., None], flat, agreement, trust)


def _shared_texture(
    ratio: np.ndarray, background: np.ndarray, relative_noise: np.ndarray, where: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Regression of the frame's fine texture on the background's, in windows over the pixels `where` only.

    A shadow keeps the ground's texture (slope 1), an object hides it (slope 0); the median background is almost free
    of noise, so that even faint asphalt separates them.
    """
    texture = cv2.log(mean(background) + np.float32(OFFSET))
    texture = texture - cv2.boxFilter(texture, -1, (9, 9))
    both = texture + ratio - cv2.boxFilter(ratio, -1, (9, 9))
    # Strong edges would decide alone, and a misregistration of a tenth of a pixel with them.
    weight = (where & (np.abs(texture) < 0.15)).astype(np.float32)
    window = (25, 25)
    power = cv2.boxFilter(weight * texture * texture, -1, window, normalize=False)
    cross = cv2.boxFilter(weight * texture * both, -1, window, normalize=False)
    variance = cv2.boxFilter(weight * relative_noise**2, -1, window) / np.maximum(
        cv2.boxFilter(weight, -1, window), 1e-3
    )
    return cross / (power + 1e-9), np.sqrt(power / (variance + 1e-9))


def shadow_samples(dark: Darkening, changed: np.ndarray) -> np.ndarray:
    """(S, 4) ln ratio and tint of changed pixels that confidently are ground in a shadow: a few, whatever the crop's
    size.

    One large car, part of which agrees with the street by chance, must not outvote the shadows of a dozen people.
    """
    confident = np.flatnonzero(dark.flat & changed & _skylit(dark.tint) & _agrees(dark))
    few = confident[:: max(len(confident) // _VOTES, 1)]
    return np.concatenate([dark.ratio.reshape(-1, 1)[few], dark.tint.reshape(-1, 3)[few]], axis=1)


def find_shadow(samples: np.ndarray) -> Shadow:
    """The cast shadow that samples (S, 4) show most often; NO_SUN for few or shallow ones."""
    ratio = samples[:, 0]
    counts, edges = np.histogram(ratio, np.linspace(-1.6, -0.2, 29))
    if counts.sum() < max(40, 0.2 * len(ratio)):
        return NO_SUN
    depth = edges[np.convolve(counts, [1, 2, 1], "same").argmax()] + 0.025
    middle = np.median(samples[np.abs(ratio - depth) < 0.1], axis=0)
    return Shadow(float(middle[0]), middle[1:].astype(np.float32))


def in_shadow(dark: Darkening, ground: np.ndarray, shadow: Shadow, tint_spread: float) -> np.ndarray:
    """(h, w) bool: the pixel is ground in a cast shadow, its soft rim included; `ground` is `confident_ground`."""
    # A penumbra's tint grows with its darkness up to the full shadow's.
    sun = shadow.depth < 0
    fraction = np.clip(dark.ratio / shadow.depth, 0, 1) if sun else np.zeros_like(dark.ratio)
    departure = largest(cv2.absdiff(dark.tint, fraction[..., None] * shadow.tint))
    tinted = departure < tint_spread
    hidden = (dark.trust > _TRUST) & (dark.agreement < 0.3)
    full = np.abs(dark.ratio - shadow.depth) < 0.15 if sun else np.zeros_like(tinted)
    # Without a trusted texture, flat and shallow darkening is a soft shadow only where no sun makes harder ones.
    soft = dark.flat & (dark.ratio < -0.03) & (dark.ratio > np.where(dark.trust > _TRUST, -0.5, 0 if sun else -0.1))
    core = blobs.opened_by_two(((full | soft) & tinted & ~hidden).view(np.uint8)).astype(bool) | ground
    # Under a car the sky is hidden too: deeper than the sun's shadow, and next to it.
    deep = dark.flat & (departure < 1.5 * tint_spread) & (dark.ratio < -0.03) & (dark.ratio > shadow.depth - 0.7)
    core = blobs.hysteresis(core | (deep & ~hidden), core)
    rim = tinted & (dark.ratio < -0.02) & (dark.ratio > shadow.depth - 0.15)
    return core | (rim & (cv2.dilate(core.view(np.uint8), np.ones((3, 3), np.uint8)) > 0))


def confident_ground(dark: Darkening) -> np.ndarray:
    """(h, w) bool: darkened, of however deep a shadow, with the ground's texture in it."""
    return dark.flat & _skylit(dark.tint) & (dark.ratio < -0.03) & _agrees(dark)


def _agrees(dark: Darkening) -> np.ndarray:
    """(h, w) bool: the background's texture is there, and as strong as it should be."""
    return (dark.trust > _TRUST) & (np.abs(dark.agreement - 1) < 0.5)


def _skylit(tint: np.ndarray) -> np.ndarray:
    """(h, w) bool: the tint (h, w, 3) that the sky gives where the sun is hidden, from none to blue."""
    blue, green, red = tint[..., 0], tint[..., 1], tint[..., 2]
    return (np.abs(green) < _MOST_GREEN) & (blue - red > -_MOST_GREEN) & (largest(np.abs(tint)) < _MOST_TINT)
