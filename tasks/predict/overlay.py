"""Visualise what a network predicted, over its picture: boxes, masks, and keypoints whose shape tells their state, so
that colour need not."""

from __future__ import annotations

import cv2
import numpy as np

from calibration.camera import edge_to_pixel, pixel_to_edge
from pipeline.core import masks
from pipeline.core.instances import Instances
from pipeline.core.skeletons import OF_CATEGORY, Skeleton

LEAST_PX = 24  # longer side of a box; keypoints in a smaller one are a heap
_WHOLE_BGR = (230, 90, 200)
_BOX_BGR, _MASK_BGR, _SEEN_BGR, _HIDDEN_BGR, _LINK_BGR, _EDGE_BGR = (
    (170, 170, 170), (60, 210, 255), (80, 220, 60), (60, 60, 240), (60, 210, 255), (30, 30, 30)
)  # fmt: skip
_FAR_PX = 30_000  # OpenCV still draws there
_WIDE_PX = 1000  # smaller pictures with keypoints are enlarged to about this before anything is drawn
_STRIP_PX = 28


def overlay(image: np.ndarray, objects: Instances, skeleton: Skeleton | None = None) -> np.ndarray:
    """`visualise`; where objects have keypoints on a picture large enough to separate them, with a strip below that
    says what is what. Where they have `keypoints_initial`, found before a correction, these stand to the left."""
    if "keypoints_2d" not in objects:
        return visualise(image, objects, skeleton)
    zoom = max(1, round(_WIDE_PX / max(image.shape[:2])))
    pictures = [visualise(image, objects, skeleton, zoom)]
    if "keypoints_initial" in objects:
        before = objects.with_columns({"keypoints_2d": objects["keypoints_initial"]})
        pictures = [visualise(image, before, skeleton, zoom), *pictures]
    width, labels = pictures[0].shape[1], ("before", "after") if len(pictures) > 1 else ("",)
    parts = [np.concatenate([one, _legend(width, label)]) for one, label in zip(pictures, labels, strict=True)]
    return np.concatenate(parts, axis=1)


def visualise(image: np.ndarray, objects: Instances, skeleton: Skeleton | None = None, zoom: int = 1) -> np.ndarray:
    """A copy of a BGR picture (H, W, 3), `zoom` times as large, with its objects over it: outlines of masks, whole ones
    violet and visible ones yellow, boxes, the links that were predicted, else those of the skeleton or of that of the
    object's category, visible keypoints as green discs, others and inferred ones as red rings; of objects below
    LEAST_PX no keypoints.

    Links join `wire_xy`, a 3D model's keypoints projected, where there are such. Small objects lie on top.
    """
    picture = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC) if zoom > 1 else image.copy()
    rows = [{name: column[row] for name, column in objects.columns.items()} for row in range(len(objects))]
    for one in sorted(rows, key=_size_px, reverse=True):
        _draw_outline(picture, one, objects.size_hw, zoom)
        _draw_box(picture, one, zoom)
        if one.get("keypoints_2d") is not None and _size_px(one) >= LEAST_PX:
            _draw_keypoints(picture, one, skeleton or OF_CATEGORY.get(one.get("category", "")), zoom)
    return np.asarray(picture)


def _size_px(one: dict) -> float:
    """The longer side of its box; infinite where it has none."""
    box = one.get("bbox_xywh", one.get("bbox_amodal_xywh"))
    return float(max(box[2:])) if box is not None else np.inf


def _draw_outline(picture: np.ndarray, one: dict, size_hw: tuple[int, int], zoom: int) -> None:
    """Of the whole object, where it is known, and over it of what is seen."""
    seen = one.get("mask_visible_rle") or one.get("mask_rle")
    for rle, colour in ((one.get("mask_amodal_rle"), _WHOLE_BGR), (seen, _MASK_BGR)):
        if not rle:
            continue
        crop, (x, y, _, _) = masks.decode(rle, size_hw)
        large = cv2.resize(crop.astype(np.uint8), None, fx=zoom, fy=zoom, interpolation=cv2.INTER_NEAREST)
        place = zoom * int(x), zoom * int(y)
        outlines, _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=place)
        cv2.drawContours(picture, outlines, -1, colour, 1, cv2.LINE_AA)


def _draw_box(picture: np.ndarray, one: dict, zoom: int) -> None:
    box = one.get("bbox_visible_xywh", one.get("bbox_xywh"))
    if box is not None:
        x, y, w, h = box
        low, high = _places(edge_to_pixel(np.array([[x, y], [x + w, y + h]])), zoom)
        cv2.rectangle(picture, low, high, _BOX_BGR, 1)


def _draw_keypoints(picture: np.ndarray, one: dict, skeleton: Skeleton | None, zoom: int) -> None:
    xy = np.asarray(one["keypoints_2d"], float)
    wire = xy if one.get("wire_xy") is None else np.asarray(one["wire_xy"], float)
    radius = max(2, round(0.02 * min(zoom * _size_px(one), *picture.shape[:2])))
    known, ends = np.isfinite(wire).all(axis=1), _places(wire, zoom)
    predicted = one.get("keypoint_links")
    for a, b in predicted if predicted is not None else skeleton.links if skeleton else ():
        if known[a] and known[b]:
            cv2.line(picture, ends[a], ends[b], _LINK_BGR, max(1, radius // 4), cv2.LINE_AA)
    states, inferred = one.get("keypoint_state"), one.get("keypoint_inferred")
    for number, spot in enumerate(_places(xy, zoom)):
        seen = states is None or states[number] == "visible"
        _dot(picture, spot, radius, seen=seen and (inferred is None or not inferred[number]))


def _dot(picture: np.ndarray, spot: tuple[int, int], radius: int, *, seen: bool) -> None:
    if seen:
        cv2.circle(picture, spot, radius + 1, _EDGE_BGR, -1, cv2.LINE_AA)
        cv2.circle(picture, spot, radius, _SEEN_BGR, -1, cv2.LINE_AA)
    else:
        cv2.circle(picture, spot, radius + 1, _HIDDEN_BGR, 1 + radius // 4, cv2.LINE_AA)


def _places(xy: np.ndarray, zoom: int) -> list[tuple[int, int]]:
    """Pixels of the enlarged picture of pixel centres (K, 2), where OpenCV still draws them."""
    spots = edge_to_pixel(zoom * pixel_to_edge(xy))
    spots = np.clip(np.round(np.nan_to_num(spots, nan=-_FAR_PX)), -_FAR_PX, _FAR_PX).astype(int)
    return [(int(x), int(y)) for x, y in spots]


def _legend(width: int, label: str = "") -> np.ndarray:
    """(28, width, 3) what discs, rings and boxes alone stand for, behind a label of the picture above."""
    strip = np.full((_STRIP_PX, width, 3), _EDGE_BGR, np.uint8)
    middle, x = _STRIP_PX // 2, 14
    x = _written(strip, label, x) if label else x
    for state, seen in (("visible", True), ("hidden", False)):
        _dot(strip, (x, middle), 5, seen=seen)
        x = _written(strip, state, x + 12)
    cv2.rectangle(strip, (x, middle - 5), (x + 12, middle + 5), _BOX_BGR, 1)
    _written(strip, f"box, alone below {LEAST_PX} px", x + 20)
    return strip


def _written(strip: np.ndarray, label: str, x: int) -> int:
    """Writes the label and returns where the next may begin."""
    cv2.putText(strip, label, (x, _STRIP_PX // 2 + 5), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (235, 235, 235), 1, cv2.LINE_AA)
    return x + cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)[0][0] + 24
