"""What a street camera does to a picture, blur, sharpening, tone, noise and compression; and pictures in shards."""

from __future__ import annotations

import cv2
import numpy as np

from readers.pictures import decode_image


def photographed(image: np.ndarray, softness: float, rng: np.random.Generator) -> np.ndarray:
    """An RGB image (H, W, 3) with blur, noise, tint, tone and JPEG's traces; softness 0 to 1 scales blur and noise."""
    if rng.uniform() < 0.7:
        image = cv2.GaussianBlur(image, (0, 0), 0.15 + softness * rng.uniform(0, 1.1))
    if rng.uniform() < 0.12:
        image = _motion_blurred(image, int(rng.integers(3, 8)), rng.uniform(0, np.pi))
    if rng.uniform() < 0.2:
        image = cv2.addWeighted(image, 1 + (k := rng.uniform(0.2, 1.2)), cv2.GaussianBlur(image, (0, 0), 1.2), -k, 0)
    image = cv2.LUT(image, _tone_curves(rng))
    if rng.uniform() < 0.8:
        grain = rng.standard_normal(image.shape, np.float32) * np.float32(softness * rng.uniform(0.5, 9.0))
        image = np.clip(image + grain, 0, 255).astype(np.uint8)
    if rng.uniform() < 0.05:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.uniform() < 0.9:
        quality = int(rng.integers(40, 96))
        data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1])
    return image


def _tone_curves(rng: np.random.Generator) -> np.ndarray:
    """(1, 256, 3) uint8 tone curve of each channel: gamma, gain, lift and a colour cast."""
    level = np.linspace(0, 1, 256)[None, :, None] ** np.exp(rng.normal(0, 0.22))
    gain = np.exp(rng.normal(0, 0.18)) * np.exp(rng.normal(0, 0.06, 3))
    lift = rng.uniform(-0.06, 0.14)
    return np.round(255 * np.clip(lift + (1 - max(lift, 0)) * level * gain, 0, 1)).astype(np.uint8)


def _motion_blurred(image: np.ndarray, length: int, angle: float) -> np.ndarray:
    """Motion blur of a length in pixels along an angle."""
    kernel = np.zeros((length, length), np.float32)
    middle, step = (length - 1) / 2, (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
    ends = np.round([middle - step, middle + step]).astype(int)
    cv2.line(kernel, tuple(map(int, ends[0])), tuple(map(int, ends[1])), 1.0)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()))


def encoded_jpeg(image: np.ndarray, quality: int) -> bytes:
    """A picture as a shard keeps it, where a loss is nothing new to it."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def encoded_png(image: np.ndarray) -> bytes:
    """A picture as a shard keeps it, where every value counts."""
    return cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 4])[1].tobytes()


def decoded(data: bytes, flag: int = cv2.IMREAD_UNCHANGED) -> np.ndarray:
    """The picture of either."""
    return decode_image(data, "a picture of a shard", flag)
