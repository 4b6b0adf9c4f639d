"""Pictures of detections that mining refused and of cutouts, a few of each, as they stood in the street.

Boxes are xywh pixels in COCO's edges; pictures are (H, W, 3) BGR uint8, as JPEG files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.composition.paint import blend, decode_sprite
from pipeline.core.frames import FrameReader
from pipeline.core.storage import read_table
from pipeline.gallery.layers import load_layers, selected_rows
from pipeline.gallery.pictures import jpeg, outlines, shrunk, spread_over

_ORANGE = (40, 120, 255)
_HEIGHT_PX = 192  # twice as high as shown, for screens of fine pixels
_MARGIN, _LEAST_PX = 0.35, 24  # around a box, share of its larger side and pixels
_QUALITY = 80


@dataclass(frozen=True)
class SheetPicture:
    """A picture to show: a JPEG file and what to say of it."""

    jpeg: bytes
    caption: str


def refused_examples(
    camera_dir: Path, refused: Mapping[str, Sequence[int]], each: int
) -> dict[str, list[SheetPicture]]:
    """Up to `each` pictures of detections, by reason, out of detection_ids by reason, spread over the recording.

    Reads as few frames as show them; frames that cannot be read any more are left out.
    """
    wanted = {reason: _spread_ids(ids, each) for reason, ids in refused.items()}
    every = {i for ids in wanted.values() for i in ids}
    columns = ["detection_id", "frame_id", "category", "bbox_xywh", "mask_rle"]
    rows = {
        row["detection_id"]: row
        for row in selected_rows([camera_dir / "tracks.parquet"], "detection_id", every, columns)
    }
    pictures: dict[int, SheetPicture] = {}
    reader = FrameReader(read_table(camera_dir / "frames" / "index.parquet"), camera_dir)
    in_frame = defaultdict(list)
    for row in rows.values():
        in_frame[row["frame_id"]].append(row)
    for frame_id, frame in reader.read(in_frame):
        for row in in_frame[frame_id]:
            pictures[row["detection_id"]] = SheetPicture(_outlined(frame, row), f"{row['category']}, frame {frame_id}")
    return {reason: [pictures[i] for i in ids if i in pictures] for reason, ids in wanted.items()}


def cutout_examples(camera_dir: Path, rows: Sequence[Mapping]) -> dict[int, SheetPicture]:
    """By cutout_id, a picture of each of some rows of CUTOUTS (cutout_id, bucket, category, track_id), on its bucket's
    background as composition would paint it."""
    if not rows:
        return {}
    layers = load_layers(camera_dir, {row["bucket"] for row in rows}, [row["cutout_id"] for row in rows])
    found = {}
    for row in rows:
        background = layers.backgrounds[row["bucket"]]
        sprite = decode_sprite(layers.cutouts[row["cutout_id"]], (background.shape[0], background.shape[1]))
        x0, y0, x1, y1 = sprite.extent
        picture = background.copy()
        blend(picture, sprite)
        crop = _crop_around(picture, (x0, y0, x1 - x0, y1 - y0), margin=0.1)
        found[row["cutout_id"]] = SheetPicture(_small(crop[0]), f"{row['category']}, track {row['track_id']}")
    return found


def _spread_ids(ids: Sequence[int], each: int) -> list[int]:
    """Of sorted ids, which go by time, some that are spread; the same frames serve several reasons where they can."""
    return [ids[i] for i in sorted(spread_over(len(ids), each))]


def _outlined(frame: np.ndarray, row: Mapping) -> bytes:
    """The frame around a detection, its outline drawn."""
    size_hw = (frame.shape[0], frame.shape[1])
    crop, (x, y) = _crop_around(frame, row["bbox_xywh"], _MARGIN)
    scale = _HEIGHT_PX / crop.shape[0]
    picture = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    for ring in outlines(row["mask_rle"], size_hw, 0.5):
        points = (np.reshape(ring, (-1, 1, 2)) - (x, y)) * scale - 0.5
        cv2.polylines(picture, [np.rint(points * 8).astype(np.int32)], True, _ORANGE, 2, cv2.LINE_AA, shift=3)
    return jpeg(picture, _QUALITY)


def _crop_around(picture: np.ndarray, box_xywh: Iterable[float], margin: float) -> tuple[np.ndarray, tuple[int, int]]:
    """The picture around a box, and its top left pixel."""
    x, y, w, h = box_xywh
    room = max(margin * max(w, h), _LEAST_PX)
    x0, y0 = max(int(x - room), 0), max(int(y - room), 0)
    x1, y1 = min(int(np.ceil(x + w + room)), picture.shape[1]), min(int(np.ceil(y + h + room)), picture.shape[0])
    return picture[y0:y1, x0:x1], (x0, y0)


def _small(picture: np.ndarray) -> bytes:
    return jpeg(shrunk(picture, min(1.0, _HEIGHT_PX / picture.shape[0])), _QUALITY)
