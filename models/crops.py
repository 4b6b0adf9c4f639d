"""The square window around a box that the network sees, and the map between window and image.

Boxes and windows are COCO edges; keypoints are pixel centres; the half pixel between them is converted here only by
`calibration.camera`'s two functions.
"""

from __future__ import annotations

import cv2
import numpy as np

from calibration.camera import edge_to_pixel, pixel_to_edge

INPUT_PX = 128
GROWN = 1.25  # side of the window, times the longer side of the box
REACH_CELLS = 4  # the heatmaps go on this many cells beyond the window, for points that the picture cuts off
CELL_PX = 4
MAP_CELLS = INPUT_PX // CELL_PX + 2 * REACH_CELLS


def checked_boxes(boxes_xywh: np.ndarray) -> np.ndarray:
    """(N, 4) float64 x y w h; raises ValueError for anything but (N, 4) finite numbers with positive sizes."""
    boxes = np.asarray(boxes_xywh, float)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes: expected (N, 4) x y w h in pixels, got {boxes.shape}")
    bad = np.flatnonzero(~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] <= 0).any(axis=1))
    if len(bad):
        raise ValueError(f"box {bad[0]}: expected finite x y and positive w h, got {boxes[bad[0]].tolist()}")
    return boxes


def windows_of(boxes_xywh: np.ndarray) -> np.ndarray:
    """(N, 3) left and top edge and side, px, of the windows of boxes (N, 4); raises ValueError as `checked_boxes`."""
    boxes = checked_boxes(boxes_xywh)
    side = GROWN * boxes[:, 2:].max(axis=1)
    return np.column_stack([boxes[:, :2] + boxes[:, 2:] / 2 - side[:, None] / 2, side])


def cut(image: np.ndarray, window: np.ndarray, size_px: int = INPUT_PX) -> np.ndarray:
    """(size_px, size_px, 3) the window (3,) of an image (H, W, 3); black where it leaves the image."""
    (left, top, side), (height, width) = window, image.shape[:2]
    x0, y0 = max(int(np.floor(left)) - 1, 0), max(int(np.floor(top)) - 1, 0)
    x1, y1 = min(int(np.ceil(left + side)) + 1, width), min(int(np.ceil(top + side)) + 1, height)
    if x1 <= x0 or y1 <= y0:
        return np.zeros((size_px, size_px, 3), np.uint8)
    part, scale = image[y0:y1, x0:x1], size_px / side
    corner = np.array([left - x0, top - y0])
    if scale < 0.6:  # more than bilinear's two taps: shrink by areas first
        size = np.maximum(np.round(np.array(part.shape[1::-1]) * scale), 1).astype(int)
        ratio = size / part.shape[1::-1]
        part, corner = cv2.resize(part, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA), corner * ratio
        per_px = ratio * side / size_px
    else:
        per_px = np.full(2, side / size_px)
    # Pixel centres: source = (target + 0.5) * per_px + corner - 0.5.
    matrix = np.array(
        [[per_px[0], 0, 0.5 * per_px[0] + corner[0] - 0.5], [0, per_px[1], 0.5 * per_px[1] + corner[1] - 0.5]]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(part, matrix, (size_px, size_px), flags=flags, borderMode=cv2.BORDER_CONSTANT))


def to_cells(xy: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Heatmap coordinates (N, K, 2), an integer is a cell's centre, of image keypoints (N, K, 2) in windows (N, 3)."""
    share = (pixel_to_edge(xy) - windows[:, None, :2]) / windows[:, None, 2:]
    return edge_to_pixel(share * INPUT_PX / CELL_PX + REACH_CELLS)


def from_cells(cells: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Image keypoints (N, K, 2) of heatmap coordinates: the inverse of `to_cells`."""
    share = (pixel_to_edge(cells) - REACH_CELLS) * CELL_PX / INPUT_PX
    return edge_to_pixel(share * windows[:, None, 2:] + windows[:, None, :2])


def px_per_cell(windows: np.ndarray) -> np.ndarray:
    """(N,) image pixels a heatmap cell spans."""
    return windows[:, 2] * CELL_PX / INPUT_PX
