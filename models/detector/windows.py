"""Random windows of labelled pictures: cropped, scaled, under another illumination; and what each shows of objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.detector.pictures import Label, Picture
from models.scenes import WindowSettings
from models.scenes.windows import GREY, augmented, cropped, sampled_corner, sampled_scale, window_matrix

_LEAST_PX = 12  # pixels of a mask that a window must show, else nothing there tells of the object


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
    scale, size_hw = sampled_scale(settings, rng), picture.image_bgr.shape[:2]
    boxes = [label.box_xywh for label in picture.labels]
    corner = sampled_corner(size_hw, settings.side_px / scale, boxes, settings.at_object, rng)
    to_window = window_matrix(scale, corner)
    image = cropped(picture.image_bgr, to_window, settings.side_px, GREY)
    if picture.ignore is not None:  # nothing is to be learnt from it, neither that something is there nor that not
        image[cropped(picture.ignore.astype(np.uint8) * 255, to_window, settings.side_px, 0) >= 128] = GREY
    kept = [(label, _warped_mask(label, to_window, settings.side_px)) for label in picture.labels]
    kept = [(label, mask) for label, mask in kept if np.count_nonzero(mask) >= _LEAST_PX]
    shown = [_moved_box(label.box_xywh, scale, corner) if amodal else _mask_box(mask) for label, mask in kept]
    return Window(
        augmented(image, settings, rng),
        np.array([label.number for label, _ in kept], np.int64),
        np.array(shown, np.float32).reshape(-1, 4),
        np.array([mask for _, mask in kept], bool).reshape(-1, settings.side_px, settings.side_px),
    )


def _warped_mask(label: Label, to_window: np.ndarray, side: int) -> np.ndarray:
    moved = to_window.copy()
    moved[:, 2] += to_window[0, 0] * np.array(label.xy)
    return cropped(label.crop.astype(np.uint8) * 255, moved, side, 0) >= 128


def _mask_box(mask: np.ndarray) -> tuple[float, float, float, float]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1.0, rows[-1] + 1.0


def _moved_box(box_xywh: tuple, scale: float, corner: np.ndarray) -> tuple[float, ...]:
    x, y, w, h = box_xywh
    low = (np.array([x, y]) - corner) * scale
    return (*low, *(low + scale * np.array([w, h])))
