"""Random windows of pictures: where they lie, what they show, and under which illumination.

Integer pixels are their centres; boxes and masks are in COCO's edge coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from models.scenes import WindowSettings

GREY = 114


def sampled_scale(settings: WindowSettings, rng: np.random.Generator) -> float:
    """Window pixels to one of the picture's, log-uniform."""
    return float(np.exp(rng.uniform(np.log(settings.smallest), np.log(settings.largest))))


def sampled_corner(
    size_hw: tuple[int, int], side: float, boxes_xywh: Sequence[Sequence[float]], at_object: float,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Top-left of a window of `side` picture pixels, inside the picture as far as that is large enough; a fraction
    `at_object` of them has the middle of one of the boxes in it."""
    limits = np.array(size_hw[::-1]) - side
    sampled = rng.uniform(size=4)
    anywhere = sampled[:2] * limits
    if len(boxes_xywh) and sampled[2] < at_object:
        x, y, w, h = boxes_xywh[int(sampled[3] * len(boxes_xywh))]
        anywhere = np.array([x + w / 2, y + h / 2]) - sampled[:2] * side
    return np.where(limits > 0, np.clip(anywhere, 0, np.maximum(limits, 0)), limits / 2)


def window_matrix(scale: float, corner: np.ndarray) -> np.ndarray:
    """(2, 3) from the picture's edge coordinates to those of a window whose top-left is at `corner`."""
    return np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]])


def cropped(image: np.ndarray, to_window: np.ndarray, side: int, fill: int) -> np.ndarray:
    """The window of an image; integer pixels are their centres, hence the halves."""
    centred = to_window.copy()
    centred[:, 2] += 0.5 * to_window[:, :2].sum(axis=1) - 0.5
    return cv2.warpAffine(image, centred, (side, side), flags=cv2.INTER_LINEAR, borderValue=(fill,) * 3)


def augmented(image: np.ndarray, settings: WindowSettings, rng: np.random.Generator) -> np.ndarray:
    """The image under another illumination: exposure, white balance and contrast, and with noise."""
    gain = 1 + settings.illumination * rng.uniform(-1, 1) + 0.3 * settings.illumination * rng.uniform(-1, 1, 3)
    bent = 1 + settings.illumination * rng.uniform(-1, 1)
    table = 255 * np.clip(np.linspace(0, 1, 256)[:, None] ** bent * gain, 0, 1)
    image = np.stack([table[:, c].astype(np.float32)[image[..., c]] for c in range(3)], axis=-1)
    image += rng.standard_normal(image.shape, np.float32) * np.float32(settings.noise * rng.uniform())
    return np.clip(image, 0, 255).astype(np.uint8)
