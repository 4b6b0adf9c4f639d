"""What light does to the picture of an empty street: a smooth gain over all of it, and noise.

Images are float32 (h, w, 3) BGR in grey levels; ratios are natural logarithms, 0 where frame and background agree.
"""

from __future__ import annotations

import cv2
import numpy as np

# Grey levels added before a logarithm: below them a ratio is noise.
OFFSET = 6.0
CELL_PX = 16
_LEVELS = 16


def mean(image: np.ndarray) -> np.ndarray:
    """(h, w) mean of the three channels."""
    return cv2.transform(image, np.full((1, 3), 1 / 3, np.float32))


def largest(image: np.ndarray) -> np.ndarray:
    """(h, w) largest of the three channels."""
    return np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])


def gradient(image: np.ndarray) -> np.ndarray:
    """Contrast (h, w) float32 of an image (h, w, 3), grey levels a pixel in the channel that has most."""
    across, down = (cv2.Scharr(image, cv2.CV_32F, dx, 1 - dx, scale=1 / 32) for dx in (1, 0))
    return cv2.sqrt(largest(across * across + down * down))


def log_ratio(frame: np.ndarray, background: np.ndarray) -> np.ndarray:
    """ln(frame / background) (h, w, 3) float32, steady in the dark."""
    return cv2.log((frame + np.float32(OFFSET)) / (background + np.float32(OFFSET)))


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
