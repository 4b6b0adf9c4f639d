"""Pictures with their objects' boxes, keypoints and links drawn, and sheets of them for people to look at."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from models.linked_objects.classes import ClassTable
from models.linked_objects.pictures import UNKNOWN, LinkedPicture

# By state: seen, self-occluded, occluded, truncated; the last is for what nobody knows.
POINT_COLOURS = ((60, 220, 60), (255, 150, 0), (230, 30, 30), (150, 150, 150), (255, 255, 255))
LINK_COLOURS = ((255, 235, 60), (70, 220, 255), (255, 110, 255), (255, 170, 110), (150, 255, 170))


def drawn(picture: LinkedPicture, table: ClassTable, zoom: float = 1.5) -> np.ndarray:
    """(zoom H, zoom W, 3) uint8 RGB of a picture with its objects."""
    height, width = (round(zoom * n) for n in picture.size_hw)
    image = np.asarray(cv2.resize(picture.image, (width, height), interpolation=cv2.INTER_CUBIC))
    for number, one in enumerate(picture.objects):
        colour, own = LINK_COLOURS[number % len(LINK_COLOURS)], table[one.class_id]
        xy, known = np.nan_to_num(one.xy * zoom - 0.5), one.known
        x, y, w, h = (round(float(v) * zoom) for v in one.box_xywh)
        cv2.rectangle(image, (x, y), (x + w, y + h), colour, 1)
        cv2.putText(image, own.name, (x, max(y - 3, 10)), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA)
        for a, b in own.links:
            if known[a] and known[b]:
                cv2.line(image, _pixel(xy[a]), _pixel(xy[b]), colour, 1, cv2.LINE_AA)
        for point, state in zip(xy[known], one.state[known], strict=True):
            cv2.circle(image, _pixel(point), 3, POINT_COLOURS[-1 if state == UNKNOWN else state], -1, cv2.LINE_AA)
    return image


def _pixel(xy: np.ndarray) -> tuple[int, int]:
    return round(float(xy[0])), round(float(xy[1]))


def sheet(rows: Sequence[Sequence[LinkedPicture]], table: ClassTable, side_px: int = 400) -> np.ndarray:
    """(rows side_px, columns side_px, 3) uint8 RGB: pictures drawn, in rows of one length; what lacks is black."""
    columns = max(len(row) for row in rows)
    cells = [
        [cv2.resize(drawn(p, table), (side_px, side_px), interpolation=cv2.INTER_AREA) for p in row]
        + [np.zeros((side_px, side_px, 3), np.uint8)] * (columns - len(row))
        for row in rows
    ]
    return np.vstack([np.hstack(row) for row in cells])
