"""The window around a person's box that the network sees: its square is the network's unit of length.

HMR 2.0 cuts an eighth off both sides of a square crop, so that a window is 4 high and 3 wide; x and y of the network's
points are in sides of that square, from its middle. Boxes and windows are COCO edges.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.crops import GROWN, PERSON_ASPECT, checked_boxes


def windows_of(boxes_xywh: np.ndarray) -> np.ndarray:
    """(N, 3) middle x and y and height, px, of the windows of boxes (N, 4); raises ValueError as `checked_boxes`."""
    boxes = checked_boxes(boxes_xywh)
    height = GROWN * np.maximum(boxes[:, 3], boxes[:, 2] / PERSON_ASPECT)
    return np.column_stack([boxes[:, :2] + boxes[:, 2:] / 2, height])


def cut(image: np.ndarray, window: np.ndarray, height_px: int) -> np.ndarray:
    """(height_px, 3/4 height_px, 3) the window (3,) of an image (H, W, 3); black where it leaves the image."""
    width_px = round(PERSON_ASPECT * height_px)
    zoom = height_px / window[2]
    low = np.floor(window[:2] - window[2] / 2 * np.array([PERSON_ASPECT, 1])).astype(int) - 1
    high = np.ceil(window[:2] + window[2] / 2 * np.array([PERSON_ASPECT, 1])).astype(int) + 1
    low, high = np.maximum(low, 0), np.minimum(high, image.shape[1::-1])
    if (high <= low).any():
        return np.zeros((height_px, width_px, 3), np.uint8)
    part = image[low[1] : high[1], low[0] : high[0]]
    ratio = np.ones(2)
    if zoom < 0.6:  # more than bilinear's two taps: shrink by areas first
        size = np.maximum(np.round((high - low) * zoom), 1).astype(int)
        part, ratio = cv2.resize(part, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA), size / (high - low)
    scale = zoom / ratio  # target px per px of the part
    shift = np.array([width_px, height_px]) / 2 - scale * ((window[:2] - low) * ratio)
    # Edges to pixel centres: both pictures' are half a pixel in.
    matrix = np.column_stack([np.diag(scale), shift + 0.5 * scale - 0.5])
    return np.asarray(cv2.warpAffine(part, matrix, (width_px, height_px), flags=cv2.INTER_LINEAR))


def to_sides(points: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Points (..., 2), edge px, in sides of the window's square from its middle; the picture spans -0.5 to 0.5."""
    return (points - window[:2]) / window[2]
