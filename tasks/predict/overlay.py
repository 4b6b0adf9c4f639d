"""What a network found, drawn over its picture: boxes, masks and keypoints."""

from __future__ import annotations

import cv2
import numpy as np

from calibration.camera import edge_to_pixel
from pipeline.core import masks
from pipeline.core.instances import Instances
from pipeline.core.skeletons import Skeleton

_BOX_BGR, _MASK_BGR, _SEEN_BGR, _HIDDEN_BGR, _LINK_BGR = (
    (170, 170, 170), (60, 210, 255), (80, 220, 60), (60, 60, 240), (200, 160, 60)
)  # fmt: skip
_FAR_PX = 30_000  # OpenCV still draws there


def overlay(image: np.ndarray, objects: Instances, skeleton: Skeleton | None = None) -> np.ndarray:
    """A copy of a BGR picture (H, W, 3) with its objects over it: outlines of masks, boxes, links of the skeleton,
    visible keypoints as green discs and others as red rings."""
    picture = image.copy()
    for row in range(len(objects)):
        one = {name: column[row] for name, column in objects.columns.items()}
        _draw_outline(picture, one, objects.size_hw)
        _draw_box(picture, one)
        if one.get("keypoints_2d") is not None:
            _draw_keypoints(picture, one, skeleton)
    return picture


def _draw_outline(picture: np.ndarray, one: dict, size_hw: tuple[int, int]) -> None:
    rle = one.get("mask_visible_rle") or one.get("mask_rle")
    if rle:
        crop, (x, y, _, _) = masks.decode(rle, size_hw)
        outlines, _ = cv2.findContours(crop.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(x, y))
        cv2.drawContours(picture, outlines, -1, _MASK_BGR, 1, cv2.LINE_AA)


def _draw_box(picture: np.ndarray, one: dict) -> None:
    box = one.get("bbox_visible_xywh", one.get("bbox_xywh"))
    if box is not None:
        x, y, w, h = box
        low, high = _places(edge_to_pixel(np.array([[x, y], [x + w, y + h]])))
        cv2.rectangle(picture, low, high, _BOX_BGR, 1)


def _draw_keypoints(picture: np.ndarray, one: dict, skeleton: Skeleton | None) -> None:
    spots = _places(np.asarray(one["keypoints_2d"], float))
    size = max(one["bbox_xywh"][2:]) if one.get("bbox_xywh") is not None else 0
    radius = max(2, round(0.02 * min(float(size), *picture.shape[:2])))
    for a, b in skeleton.links if skeleton else ():
        cv2.line(picture, spots[a], spots[b], _LINK_BGR, max(1, radius // 4), cv2.LINE_AA)
    states = one.get("keypoint_state")
    for number, spot in enumerate(spots):
        if states is None or states[number] == "visible":
            cv2.circle(picture, spot, radius, _SEEN_BGR, -1, cv2.LINE_AA)
        else:
            cv2.circle(picture, spot, radius + 2, _HIDDEN_BGR, 1 + radius // 4, cv2.LINE_AA)


def _places(xy: np.ndarray) -> list[tuple[int, int]]:
    spots = np.clip(np.round(np.nan_to_num(xy, nan=-_FAR_PX)), -_FAR_PX, _FAR_PX).astype(int)
    return [(int(x), int(y)) for x, y in spots]
