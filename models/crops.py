"""The crop around a box that a network sees: its square in the image, and the map between crop and image.

Boxes and squares are COCO edges; keypoints are pixel centres; the half pixel between them is converted here only by
`calibration.camera`'s two functions. A square is (left, top, side) px; a crop that is narrower, as a person's, is the
middle of its square.
"""

from __future__ import annotations

import cv2
import numpy as np

from calibration.camera import edge_to_pixel, pixel_to_edge

INPUT_PX = 128
GROWN = 1.25  # side of the square, times the longer side of the box
PERSON_ASPECT = 3 / 4  # width to height of a person's crop: HMR 2.0 leaves out an eighth of the square on both sides
REACH_CELLS = 4  # the heatmaps go on this many cells beyond the crop, for points that the picture truncates
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


def squares_of(boxes_xywh: np.ndarray, aspect: float = 1.0) -> np.ndarray:
    """(N, 3) left and top edge and side, px, of the squares of boxes (N, 4), whose crops are `aspect` as wide as high.

    Raises ValueError as `checked_boxes`.
    """
    boxes = checked_boxes(boxes_xywh)
    side = GROWN * np.maximum(boxes[:, 2] / aspect, boxes[:, 3])
    return np.column_stack([boxes[:, :2] + boxes[:, 2:] / 2 - side[:, None] / 2, side])


def crop_square(image: np.ndarray, square: np.ndarray, height_px: int = INPUT_PX, aspect: float = 1.0) -> np.ndarray:
    """(height_px, aspect * height_px, 3) uint8 of an image (H, W, 3): the middle of a square (3,); black outside it."""
    left, top, side = square
    left, size_wh = left + side * (1 - aspect) / 2, (round(aspect * height_px), height_px)
    x0, y0 = max(int(np.floor(left)) - 1, 0), max(int(np.floor(top)) - 1, 0)
    x1 = min(int(np.ceil(left + aspect * side)) + 1, image.shape[1])
    y1 = min(int(np.ceil(top + side)) + 1, image.shape[0])
    if x1 <= x0 or y1 <= y0:
        return np.zeros((*size_wh[::-1], 3), np.uint8)
    part, scale = image[y0:y1, x0:x1], height_px / side
    corner = np.array([left - x0, top - y0])
    if scale < 0.6:  # more than bilinear's two taps: shrink by areas first
        size = np.maximum(np.round(np.array(part.shape[1::-1]) * scale), 1).astype(int)
        ratio = size / part.shape[1::-1]
        part, corner = cv2.resize(part, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA), corner * ratio
        per_px = ratio * side / height_px
    else:
        per_px = np.full(2, side / height_px)
    # Pixel centres: source = (target + 0.5) * per_px + corner - 0.5.
    matrix = np.column_stack([np.diag(per_px), 0.5 * per_px + corner - 0.5])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(part, matrix, size_wh, flags=flags, borderMode=cv2.BORDER_CONSTANT))


def crop_from_camera(rays: np.ndarray) -> np.ndarray:
    """(N, 3, 3) the least rotations that turn rays (N, 3) of positive depth onto the z axis.

    They turn a camera to the crop's own, whose axis goes through the middle of the crop: in a wide picture a person at
    the rim is seen from another side than one in the middle who stands the same way, so what a crop shows is the
    orientation in its own camera. Both cameras share their centre.
    """
    x, y, z = (rays / np.linalg.norm(rays, axis=1, keepdims=True)).T
    by = 1 / (1 + z)
    rows = [1 - x * x * by, -x * y * by, -x, -x * y * by, 1 - y * y * by, -y, x, y, z]
    return np.stack(rows, axis=1).reshape(-1, 3, 3)


def to_cells(xy: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Heatmap coordinates (N, K, 2), an integer is a cell's centre, of image keypoints (N, K, 2) in squares (N, 3)."""
    fraction = (pixel_to_edge(xy) - squares[:, None, :2]) / squares[:, None, 2:]
    return edge_to_pixel(fraction * INPUT_PX / CELL_PX + REACH_CELLS)


def from_cells(cells: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Image keypoints (N, K, 2) of heatmap coordinates: the inverse of `to_cells`."""
    fraction = (pixel_to_edge(cells) - REACH_CELLS) * CELL_PX / INPUT_PX
    return edge_to_pixel(fraction * squares[:, None, 2:] + squares[:, None, :2])


def px_per_cell(squares: np.ndarray) -> np.ndarray:
    """(N,) image pixels a heatmap cell spans."""
    return squares[:, 2] * CELL_PX / INPUT_PX
