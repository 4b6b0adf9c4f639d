"""What a human or a network sees of a detection, what either may say of it, and the table of crops that are learnt.

A crop is (S, S, 4) uint8: BGR, and a layer that is OBJECT on the detection's mask, STREET on the rest of the frame and
BEYOND outside it. It shows a square about the mask's box, GROWN times the box's longer side: room enough to see
what stands before the object. Masks are (h, w) bool with their top-left pixel at xy in the frame.
"""

from __future__ import annotations

import cv2
import numpy as np
import pyarrow as pa

from pipeline.core.tables import column

CLASSES = (
    "unoccluded", "occluded_by_vehicle", "occluded_by_person", "occluded_by_static", "truncated", "no_object",
)  # fmt: skip
OCCLUDED = CLASSES[1:4]
# What a human may say, and the classes that agree with it: not everybody notes what the occluder is.
LABELS: dict[str, tuple[str, ...]] = {**{name: (name,) for name in CLASSES}, "occluded": OCCLUDED}

STORED_PX = 96
INPUT_PX = 72  # the middle that the network sees, at the same scale; the rest is room for jitter
GROWN = 2.0
BEYOND, STREET, OBJECT = 0, 127, 255

CROPS = pa.schema(
    [
        column("group", pa.int64(), "crops of one object share it, so that validation never sees a trained one"),
        column("classes", pa.list_(pa.string()), "those of CLASSES that are right; any of them will do"),
        column("crop", pa.binary(), "BGR and mask layer, uint8", shape=f"{STORED_PX},{STORED_PX},4"),
    ]
)


def crop_of(image: np.ndarray, mask: np.ndarray, xy: tuple[int, int], size_px: int = STORED_PX) -> np.ndarray:
    """The crop (size_px, size_px, 4) uint8 of a mask (h, w) at xy in a BGR uint8 image (H, W, 3).

    Raises ValueError for an empty mask and for one that leaves its frame.
    """
    (height, width), (h, w), (x, y) = image.shape[:2], mask.shape, xy
    if not mask.any() or x < 0 or y < 0 or x + w > width or y + h > height:
        raise ValueError(f"mask {w}x{h} at {xy}: expected a mask with a pixel, inside its frame {width}x{height}")
    side = max(round(GROWN * max(h, w)), 8)
    left, top = x + (w - side) // 2, y + (h - side) // 2
    canvas = np.zeros((side, side, 4), np.uint8)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    inside = canvas[y0 - top : y1 - top, x0 - left : x1 - left]
    inside[..., :3] = image[y0:y1, x0:x1]
    inside[..., 3] = STREET
    canvas[y - top : y - top + h, x - left : x - left + w, 3][mask] = OBJECT
    how = cv2.INTER_AREA if side > size_px else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(canvas, (size_px, size_px), interpolation=how), np.uint8)


def middle(crops: np.ndarray) -> np.ndarray:
    """(..., INPUT_PX, INPUT_PX, 4) of crops (..., STORED_PX, STORED_PX, 4)."""
    low = (STORED_PX - INPUT_PX) // 2
    return crops[..., low : low + INPUT_PX, low : low + INPUT_PX, :]


def row(group: int, classes: tuple[str, ...], crop: np.ndarray) -> dict:
    """One row of CROPS."""
    return {"group": group, "classes": list(classes), "crop": crop.tobytes()}


def filled(size_hw: tuple[int, int], x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """(H, W) uint8, 1 in a box of edges."""
    full = np.zeros(size_hw, np.uint8)
    full[max(round(y0), 0) : max(round(y1), 0), max(round(x0), 0) : max(round(x1), 0)] = 1
    return full


def cropped(where: str, kind: str, full: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """The mask (h, w) bool of a whole frame's (H, W) uint8, and its top-left pixel.

    Raises ValueError, which says where and which kind of shape, for a frame without one.
    """
    if not full.any():
        raise ValueError(f"{where}: the {kind} has no pixel inside the picture")
    left, top, w, h = cv2.boundingRect(full)
    return full[top : top + h, left : left + w].astype(bool), (left, top)
