"""What people annotated on real footage: boxes with identities, and how much of each others leave in sight.

Tables have a row a box: frame, person (its identity, whatever it is), x, y, w, h in pixels (edges).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from models.labels.cvat import Shape, read_cvat

_COLUMNS = ["frame", "person", "x", "y", "w", "h", "moving"]


def vehicle_boxes(path: Path) -> pd.DataFrame:
    """The boxes of a CVAT export's tracks, the annotated ones and those CVAT put between them, with `moving`.

    A box is there until its track leaves (`outside`). moving: neither parked nor stopped. Raises ValueError, one line,
    for what is no such export or holds entities.
    """
    try:
        boxes = [(picture.frame, box) for picture in read_cvat(path) for box in picture.shapes if box.kind == "box"]
        rows = [_row(frame, box) for frame, box in sorted(boxes, key=lambda one: (one[1].track, one[0])) if frame >= 0]
    except (KeyError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: expected a CVAT export with tracks of boxes: {reason}") from None
    return pd.DataFrame(rows, columns=_COLUMNS)


def _row(frame: int, box: Shape) -> tuple:
    left, top, right, bottom = (float(box.place[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
    moving = "true" not in (box.attributes.get("parked"), box.attributes.get("stopped"))
    return frame, box.track, left, top, right - left, bottom - top, moving


def visible_parts(frame: pd.DataFrame) -> np.ndarray:
    """(N,) fraction of each of one frame's N boxes that no nearer box covers; nearer is who stands lower."""
    x, y, w, h = (frame[name].to_numpy() for name in "xywh")
    boxes, foot = shapely.box(x, y, x + w, y + h), y + h
    covered = [
        box.intersection(shapely.union_all(boxes[foot > low])).area for box, low in zip(boxes, foot, strict=True)
    ]
    return 1 - np.array(covered) / (w * h)


def with_visible_parts(boxes: pd.DataFrame) -> pd.DataFrame:
    """The table with a column `visible`."""
    parts = pd.Series(np.nan, boxes.index)
    for _, frame in boxes.groupby("frame"):
        parts[frame.index] = visible_parts(frame)
    return boxes.assign(visible=parts)
