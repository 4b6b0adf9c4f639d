"""Random windows of labelled pictures: cropped, scaled, under another illumination; and what each shows of objects."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.detector import WindowSettings
from models.detector.pictures import Label, Picture

_LEAST_PX = 12  # pixels of a mask that a window must show, else nothing there tells of the object
_GREY = 114


@dataclass(frozen=True)
class Window:
    """A window (S, S, 3) uint8 BGR; of its N objects labels (N,) int64, boxes (N, 4) xyxy, masks (N, S, S) bool."""

    image_bgr: np.ndarray
    labels: np.ndarray
    boxes_xyxy: np.ndarray
    masks: np.ndarray


def window(picture: Picture, settings: WindowSettings, rng: np.random.Generator, *, amodal: bool) -> Window:
    """A random window of a picture.

    Amodal boxes are kept as they are where they leave the window: the object is truncated, its box is not. Visible
    boxes are those of what of the mask is in the window.
    """
    scale = float(np.exp(rng.uniform(np.log(settings.smallest), np.log(settings.largest))))
    corner = _corner(picture, settings.side_px / scale, settings.at_object, rng)
    to_window = np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]])
    image = _cropped(picture.image_bgr, to_window, settings.side_px, _GREY)
    if picture.ignore is not None:  # nothing is to be learnt from it, neither that something is there nor that not
        image[_cropped(picture.ignore.astype(np.uint8) * 255, to_window, settings.side_px, 0) >= 128] = _GREY
    kept = [(label, _warped_mask(label, to_window, settings.side_px)) for label in picture.labels]
    kept = [(label, mask) for label, mask in kept if np.count_nonzero(mask) >= _LEAST_PX]
    boxes = [_moved_box(label.box_xywh, scale, corner) if amodal else _mask_box(mask) for label, mask in kept]
    return Window(
        augmented(image, settings, rng),
        np.array([label.number for label, _ in kept], np.int64),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([mask for _, mask in kept], bool).reshape(-1, settings.side_px, settings.side_px),
    )


def _corner(picture: Picture, side: float, at_object: float, rng: np.random.Generator) -> np.ndarray:
    """Top-left of a window of `side` picture pixels, inside the picture as far as that is large enough."""
    limits = np.array(picture.image_bgr.shape[1::-1]) - side
    sampled = rng.uniform(size=4)
    anywhere = sampled[:2] * limits
    if picture.labels and sampled[2] < at_object:
        x, y, w, h = picture.labels[int(sampled[3] * len(picture.labels))].box_xywh
        anywhere = np.array([x + w / 2, y + h / 2]) - sampled[:2] * side
    return np.where(limits > 0, np.clip(anywhere, 0, np.maximum(limits, 0)), limits / 2)


def _cropped(image: np.ndarray, to_window: np.ndarray, side: int, fill: int) -> np.ndarray:
    """The window of an image; integer pixels are their centres, hence the halves."""
    scale = to_window[0, 0]
    centred = to_window.copy()
    centred[:, 2] += 0.5 * scale - 0.5
    return cv2.warpAffine(image, centred, (side, side), flags=cv2.INTER_LINEAR, borderValue=(fill,) * 3)


def _warped_mask(label: Label, to_window: np.ndarray, side: int) -> np.ndarray:
    moved = to_window.copy()
    moved[:, 2] += to_window[0, 0] * np.array(label.xy)
    return _cropped(label.crop.astype(np.uint8) * 255, moved, side, 0) >= 128


def _mask_box(mask: np.ndarray) -> tuple[float, float, float, float]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1.0, rows[-1] + 1.0


def _moved_box(box_xywh: tuple, scale: float, corner: np.ndarray) -> tuple[float, ...]:
    x, y, w, h = box_xywh
    low = (np.array([x, y]) - corner) * scale
    return (*low, *(low + scale * np.array([w, h])))


def augmented(image: np.ndarray, settings: WindowSettings, rng: np.random.Generator) -> np.ndarray:
    """The image under another illumination: exposure, white balance and contrast, and with noise."""
    gain = 1 + settings.illumination * rng.uniform(-1, 1) + 0.3 * settings.illumination * rng.uniform(-1, 1, 3)
    bent = 1 + settings.illumination * rng.uniform(-1, 1)
    table = 255 * np.clip(np.linspace(0, 1, 256)[:, None] ** bent * gain, 0, 1)
    image = np.stack([table[:, c].astype(np.float32)[image[..., c]] for c in range(3)], axis=-1)
    image += rng.standard_normal(image.shape, np.float32) * np.float32(settings.noise * rng.uniform())
    return np.clip(image, 0, 255).astype(np.uint8)
