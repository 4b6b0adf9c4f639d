"""Pictures of found vehicles: wireframes, and keypoints whose shape tells their state, so that colour need not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from calibration.camera import edge_to_pixel, pixel_to_edge

if TYPE_CHECKING:
    from models.occlusion_net.predict import Vehicles

LEAST_PX = 24  # longer side of a box; keypoints in a smaller one are a heap
LINKS = (
    (0, 2), (1, 3), (0, 1), (2, 3), (8, 10), (9, 11), (8, 9), (10, 11), (4, 0), (4, 8), (4, 5), (5, 1), (5, 9),
    (6, 2), (6, 10), (7, 3), (7, 11), (6, 7),
)  # fmt: skip
_SEEN_BGR, _HIDDEN_BGR, _WIRE_BGR, _EDGE_BGR = (80, 220, 60), (60, 60, 240), (60, 210, 255), (30, 30, 30)
_BOX_BGR = (170, 170, 170)
_WIDE_PX = 1000  # smaller pictures are enlarged to about this before they are drawn over
_STRIP_PX = 28


def drawn(image: np.ndarray, boxes_xywh: np.ndarray, vehicles: Vehicles, zoom: int = 1) -> np.ndarray:
    """The BGR image (H, W, 3), `zoom` times as large, with each vehicle's 3D wireframe, visible keypoints as green
    discs and hidden ones as red rings, in its box (N, 4); of vehicles below LEAST_PX the box alone. Small ones lie on
    top."""
    picture = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC) if zoom > 1 else image.copy()
    size_px = boxes_xywh[:, 2:].max(axis=1, initial=0)
    for n in np.argsort(-size_px, kind="stable").tolist():
        x, y, w, h = boxes_xywh[n]
        low, high = _spots(edge_to_pixel(np.array([[x, y], [x + w, y + h]])), zoom)
        cv2.rectangle(picture, low, high, _BOX_BGR, 1)
        if size_px[n] < LEAST_PX:
            continue
        wire, places = _spots(vehicles.wire_xy[n], zoom), _spots(vehicles.xy[n], zoom)
        radius = max(2, round(0.02 * zoom * float(size_px[n])))
        for a, b in LINKS:
            cv2.line(picture, wire[a], wire[b], _WIRE_BGR, max(1, radius // 4), cv2.LINE_AA)
        for place, seen in zip(places, vehicles.visible[n] >= 0.5, strict=True):
            _dot(picture, place, radius, bool(seen))
    return np.asarray(picture)


def overlay(image: np.ndarray, boxes_xywh: np.ndarray, vehicles: Vehicles) -> np.ndarray:
    """`drawn` on a picture large enough to tell keypoints apart, with a strip below that says what is what."""
    zoom = max(1, round(_WIDE_PX / max(image.shape[:2])))
    picture = drawn(image, boxes_xywh, vehicles, zoom)
    strip = np.full((_STRIP_PX, picture.shape[1], 3), _EDGE_BGR, np.uint8)
    middle, x = _STRIP_PX // 2, 14
    for words, seen in (("visible", True), ("hidden", False)):
        _dot(strip, (x, middle), 5, seen)
        x = _written(strip, words, x + 12)
    cv2.rectangle(strip, (x, middle - 5), (x + 12, middle + 5), _BOX_BGR, 1)
    _written(strip, f"box, alone below {LEAST_PX} px", x + 20)
    return np.concatenate([picture, strip])


def _spots(xy: np.ndarray, zoom: int) -> list[tuple[int, int]]:
    """Pixels of the enlarged picture of pixel centres (K, 2), where OpenCV still draws them."""
    spots = np.clip(np.round(edge_to_pixel(zoom * pixel_to_edge(xy))), -30_000, 30_000).astype(int)
    return [(int(x), int(y)) for x, y in spots]


def _dot(picture: np.ndarray, place: tuple[int, int], radius: int, seen: bool) -> None:
    if seen:
        cv2.circle(picture, place, radius + 1, _EDGE_BGR, -1, cv2.LINE_AA)
        cv2.circle(picture, place, radius, _SEEN_BGR, -1, cv2.LINE_AA)
    else:
        cv2.circle(picture, place, radius + 1, _HIDDEN_BGR, 1 + radius // 4, cv2.LINE_AA)


def _written(strip: np.ndarray, words: str, x: int) -> int:
    """Writes the words and returns where the next may begin."""
    cv2.putText(strip, words, (x, _STRIP_PX // 2 + 5), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (235, 235, 235), 1, cv2.LINE_AA)
    return x + cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)[0][0] + 24
