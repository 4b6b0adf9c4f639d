"""What light does to the picture of an empty street: a smooth gain over all of it, noise, and cast shadows.

Images are float32 (h, w, 3) BGR in grey levels; ratios are natural logarithms, 0 where frame and background agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.detection import blobs

# Grey levels added before a logarithm: below them a ratio is noise.
_OFFSET = 6.0
CELL_PX = 16
_LEVELS = 16
_MOST_TINT = 0.15  # ln ratio between a channel and the mean: the sky is no bluer
_TRUST = 4.0  # standard errors from which the texture test decides


@dataclass(frozen=True)
class Shadow:
    """ln ratio of a cast shadow to the lit ground: all channels' mean, and each channel's (3,) departure from it."""

    depth: float
    tint: np.ndarray


# Overcast: only soft, grey, shallow shadows under things.
NO_SUN = Shadow(0.0, np.zeros(3, np.float32))


def mean(image: np.ndarray) -> np.ndarray:
    """(h, w) mean of the three channels."""
    return cv2.transform(image, np.full((1, 3), 1 / 3, np.float32))


def largest(image: np.ndarray) -> np.ndarray:
    """(h, w) largest of the three channels."""
    first, second, third = cv2.split(image)
    return cv2.max(cv2.max(first, second), third)


def log_ratio(frame: np.ndarray, background: np.ndarray) -> np.ndarray:
    """ln(frame / background) (h, w, 3) float32, steady in the dark."""
    return cv2.log((frame + np.float32(_OFFSET)) / (background + np.float32(_OFFSET)))


def cells(image: np.ndarray) -> np.ndarray:
    """Means (rows, columns, 3) float32 of an image's cells of about CELL_PX."""
    size = (max(round(image.shape[1] / CELL_PX), 1), max(round(image.shape[0] / CELL_PX), 1))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def smooth_gain(frame: np.ndarray, cells_background: np.ndarray, use: np.ndarray, reach_cells: float) -> np.ndarray:
    """ln gain (rows, columns, 3) over cells that gives the background the light of the frame.

    cells_background is `cells(background)`, use (rows, columns) bool the cells to trust. Objects are left out in two
    rounds: cells far from the global gain, then cells far from their surroundings'.
    """
    ratio = log_ratio(cells(frame), cells_background)
    if not use.any():
        return np.zeros_like(ratio)
    gain = np.broadcast_to(np.median(ratio[use], axis=0), ratio.shape).astype(np.float32)
    for tolerance in (0.30, 0.12):
        weight = (use & (np.abs(ratio - gain).max(axis=2) < tolerance)).astype(np.float32)
        # A small weight on the estimate before carries it across places without a trusted cell.
        total = cv2.GaussianBlur(weight, (0, 0), reach_cells) + 0.02
        part = cv2.GaussianBlur((ratio - gain) * weight[..., None], (0, 0), reach_cells)
        gain = gain + part / total[..., None]
    return gain


def gain_at(gain: np.ndarray, size_hw: tuple[int, int], box: tuple[int, int, int, int] | None = None) -> np.ndarray:
    """Factors (h, w, 3) of the box xywh, or all, of an image of size_hw, from `smooth_gain`'s cells."""
    height, width = size_hw
    x, y, w, h = box or (0, 0, width, height)
    step = gain.shape[1] / width, gain.shape[0] / height
    pick = np.array([[step[0], 0, (x + 0.5) * step[0] - 0.5], [0, step[1], (y + 0.5) * step[1] - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(cv2.exp(gain), pick, (w, h), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def noise_levels(frame: np.ndarray, background: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Noise (256,) float32, in grey levels, of pixels by the background's brightness.

    Robust: 1.48 times the median of the differences where `flat`, which objects and edges hardly touch.
    """
    difference = mean(cv2.absdiff(frame, background))[flat]
    level = np.minimum(mean(background)[flat] * (_LEVELS / 256), _LEVELS - 1).astype(int)
    noise = np.array([_spread(difference[level == k]) for k in range(_LEVELS)])
    known = np.flatnonzero(np.isfinite(noise))
    if not len(known):
        return np.full(256, 2.0, np.float32)
    centres = (known + 0.5) * (256 / _LEVELS)
    return np.clip(np.interp(np.arange(256), centres, noise[known]), 1.2, 8.0).astype(np.float32)


def _spread(difference: np.ndarray) -> float:
    # Means of three channels: 1.2 makes up for what averaging takes from half-correlated noise.
    return 1.48 * 1.2 * float(np.median(difference)) if len(difference) > 200 else np.nan


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
    """Measure a crop against its background of the same light; noise (h, w) in grey levels, changed (h, w) bool."""
    soft_frame, soft_background = cv2.GaussianBlur(frame, (3, 3), 0.8), cv2.GaussianBlur(background, (3, 3), 0.8)
    channels = log_ratio(soft_frame, soft_background)
    ratio = mean(channels)
    relative_noise = noise / (mean(soft_frame) + np.float32(_OFFSET))
    deviation = cv2.sqrt(
        np.maximum(cv2.boxFilter(ratio * ratio, -1, (5, 5)) - cv2.boxFilter(ratio, -1, (5, 5)) ** 2, 0)
    )
    flat = deviation < 0.04 + 0.8 * relative_noise
    agreement, trust = _texture(ratio, soft_background, relative_noise, changed & flat & (ratio < 0))
    return Darkening(ratio, channels - ratio[..., None], flat, agreement, trust)


def _texture(
    ratio: np.ndarray, background: np.ndarray, relative_noise: np.ndarray, where: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Regression of the frame's fine texture on the background's, in windows over the pixels `where` only.

    A shadow keeps the ground's texture (slope 1), an object hides it (slope 0); the median background is almost free
    of noise, so that even faint asphalt tells them apart.
    """
    texture = cv2.log(mean(background) + np.float32(_OFFSET))
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
    """(S, 4) ln ratio and tint of the changed pixels that surely are ground in a shadow."""
    grey = largest(np.abs(dark.tint)) < _MOST_TINT
    sure = dark.flat & changed & grey & (dark.agreement > 0.5) & (dark.trust > _TRUST)
    return np.concatenate([dark.ratio[sure][:, None], dark.tint[sure]], axis=1)


def find_shadow(samples: np.ndarray) -> Shadow:
    """The cast shadow that samples (S, 4) show most often; NO_SUN for few or shallow ones."""
    ratio = samples[:, 0]
    counts, edges = np.histogram(ratio, np.linspace(-1.6, -0.2, 29))
    if counts.sum() < max(60, 0.2 * len(ratio)):
        return NO_SUN
    depth = edges[np.convolve(counts, [1, 2, 1], "same").argmax()] + 0.025
    middle = np.median(samples[np.abs(ratio - depth) < 0.1], axis=0)
    return Shadow(float(middle[0]), middle[1:].astype(np.float32))


def in_shadow(dark: Darkening, shadow: Shadow, tint_spread: float) -> np.ndarray:
    """(h, w) bool: the pixel is ground in a cast shadow, its soft rim included."""
    # A penumbra's tint grows with its darkness up to the full shadow's.
    share = np.clip(dark.ratio / shadow.depth, 0, 1) if shadow.depth else np.zeros_like(dark.ratio)
    departure = largest(cv2.absdiff(dark.tint, share[..., None] * shadow.tint))
    tinted = departure < tint_spread
    hidden = (dark.trust > _TRUST) & (dark.agreement < 0.3)
    full = np.abs(dark.ratio - shadow.depth) < 0.15 if shadow.depth else np.zeros_like(tinted)
    soft = (
        dark.flat
        & (dark.ratio > -0.5)
        & (dark.ratio < -0.03)
        & ((dark.trust > _TRUST) | ((shadow is NO_SUN) & (dark.ratio > -0.1)))
    )
    core = ((full | soft) & tinted & ~hidden).view(np.uint8)
    core = blobs.opened_by_two(core)
    core = core | surely_ground(dark).view(np.uint8)
    # Under a car the sky is hidden too: deeper than the sun's shadow, and next to it.
    deep = (
        dark.flat & (departure < 1.5 * tint_spread) & (dark.ratio < -0.03) & (dark.ratio > shadow.depth - 0.7) & ~hidden
    )
    core = blobs.hysteresis(deep | (core > 0), core > 0).view(np.uint8)
    rim = tinted & (dark.ratio < -0.02) & (dark.ratio > shadow.depth - 0.15)
    return (cv2.dilate(core, np.ones((3, 3), np.uint8)) > 0) & (rim | (core > 0))


def surely_ground(dark: Darkening) -> np.ndarray:
    """(h, w) bool: darkened, of however deep a shadow, with the ground's texture in it."""
    grey = largest(np.abs(dark.tint)) < _MOST_TINT
    return dark.flat & grey & (dark.ratio < -0.03) & (dark.trust > _TRUST) & (dark.agreement > 0.6)
