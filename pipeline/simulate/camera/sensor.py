"""What the simulated camera's lens and sensor make of the light that comes in."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.simulate.world.illumination import Illumination


def noise_tile(size_hw: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(H + 64, W + 64, 3) float32 of unit noise: each frame takes another crop of it."""
    return rng.standard_normal((size_hw[0] + 64, size_hw[1] + 64, 3), np.float32)


def sensor(picture: np.ndarray, illumination: Illumination, tile: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """BGR uint8 (H, W, 3) of linear RGB: lens softness, glare, vignette, noise, white balance, tone curve."""
    height, width = picture.shape[:2]
    image = np.asarray(cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 0.62), np.float32)
    if illumination.lamps:
        bright = np.maximum(image - 1.3 / illumination.exposure, 0)
        image += 0.35 * cv2.GaussianBlur(bright, (0, 0), 3.0) + 0.12 * cv2.GaussianBlur(bright, (0, 0), 11.0)
    ys, xs = np.ogrid[:height, :width]
    radius = ((xs - width / 2) ** 2 + (ys - height / 2) ** 2) / (width**2 / 4 + height**2 / 4)
    image *= (
        illumination.exposure
        * (1 - 0.16 * radius.astype(np.float32))[..., None]
        * illumination.white.astype(np.float32)
    )
    y, x = rng.integers(65, size=2)
    grain = tile[y : y + height, x : x + width]
    # In place: a frame of float32 is 11 MB, and touching another one costs as much as the arithmetic.
    strength = np.maximum(image, 0)
    strength *= 0.00025
    strength += illumination.noise**2
    image += np.multiply(np.sqrt(strength, out=strength), grain, out=strength)
    image *= _TONE_SCALE
    return _TONE[np.clip(image, 0, len(_TONE) - 1, out=image).astype(np.uint16)][..., ::-1]


def _tone_curve(linear: np.ndarray) -> np.ndarray:
    """Display values of linear light: a shoulder keeps highlights, below it the curve is nearly the display's own."""
    toned = np.clip(linear * (1 + linear / 3.2) / (1 + linear), 0, 1) * 1.18
    return np.round(255 * np.clip(toned, 0, 1) ** (1 / 2.2)).astype(np.uint8)


_TONE_SCALE = 4096.0
_TONE = _tone_curve(np.arange(16 * 4096) / _TONE_SCALE)
