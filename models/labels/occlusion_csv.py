"""The CSV of human labels that `make label` writes.

It has a row `frame_id,x,y,w,h,label` for each labelled box, pixels and COCO's edges, of one camera; labels are those of
models.labels.occlusion.LABELS. It names places, not detections, so that it outlives the detector it was made with.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from models.labels.occlusion import CROPS, LABELS, crop_of, cropped, filled, row
from pipeline.core import masks
from pipeline.core.account import Account
from pipeline.core.boxes import box_iou
from pipeline.core.frames import FrameReader
from pipeline.core.storage import read_table
from readers.csv_file import read_rows

Place = tuple[int, float, float, float, float]  # frame_id and box xywh
HEADER = ["frame_id", "x", "y", "w", "h", "label"]
SAME_IOU = 0.6


def place_of(frame_id: int, box_xywh: Sequence[float]) -> Place:
    """The key of a labelled box: hundredths of a pixel do not count as a difference."""
    x, y, w, h = (round(float(value), 2) for value in box_xywh)
    return int(frame_id), x, y, w, h


def read_csv(path: Path) -> dict[Place, str]:
    """Label by place, in the file's order; of a box that is labelled again the last label, which is told.

    Raises ValueError that names file and row for an unknown label and for anything that is not five numbers and one.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such label file")
    rows = read_rows(path)
    if not rows or rows[0] != HEADER:
        raise ValueError(f"{path}:1: expected the header {','.join(HEADER)}, got {','.join(rows[0]) if rows else ''!r}")
    found: dict[Place, str] = {}
    account = Account(str(path), "labels")
    for number, cells in enumerate(rows[1:], start=2):
        where, said = f"{path}:{number}", ",".join(cells)
        try:
            frame, *box = (float(cell) for cell in cells[:5])
            place = place_of(int(frame), box)
        except (ValueError, OverflowError):
            raise ValueError(f"{where}: expected {','.join(HEADER)} with five numbers, got {said!r}") from None
        if len(cells) != len(HEADER) or not np.isfinite(place).all() or min(place[3:]) <= 0 or frame != place[0]:
            raise ValueError(f"{where}: expected {','.join(HEADER)} with a box that has a size, got {said!r}")
        if cells[5] not in LABELS:
            raise ValueError(f"{where}: unknown label {cells[5]!r}; expected {', '.join(LABELS)}")
        if place in found and found.pop(place) != cells[5]:
            account.notes.append(f"row {number} labels a box again, as {cells[5]}: the last word stands")
        found[place] = cells[5]
    if account.notes:
        account.read = len(rows) - 1
        account.tell()
    return found


def csv_of(labels: Mapping[Place, str]) -> bytes:
    """What `read_csv` reads back."""
    text = io.StringIO()
    rows = ([place[0], *(f"{value:g}" for value in place[1:]), label] for place, label in labels.items())
    csv.writer(text, lineterminator="\n").writerows([HEADER, *rows])
    return text.getvalue().encode()


def crops_of_csv(path: Path, camera_dir: Path | None = None) -> pa.Table:
    """CROPS of the labelled boxes of a camera that ran up to TrackObjects; its folder is the file's by default.

    A box that overlaps a detection by SAME_IOU has its mask; one that overlaps none is its own. Raises ValueError for a
    box outside the camera's frames.
    """
    labels, folder = read_csv(path), camera_dir or path.parent
    tracks_path = folder / "tracks.parquet"
    if not tracks_path.is_file():
        raise FileNotFoundError(f"{tracks_path}: no such file; name the labelled camera's folder with --images")
    tracks = read_table(tracks_path, columns=["frame_id", "track_id", "bbox_xywh", "mask_rle"]).to_pandas()
    there = {frame: rows.to_dict("records") for frame, rows in tracks.groupby("frame_id")}
    by_frame: dict[int, list[Place]] = {}
    for place in labels:
        by_frame.setdefault(place[0], []).append(place)
    rows = []
    index = read_table(folder / "frames" / "index.parquet")
    for frame_id, image in FrameReader(index, folder).read(_known(path, by_frame, index)):
        for place in by_frame[frame_id]:
            mask, xy, group = _at(f"{path}: frame {frame_id}", place, there.get(frame_id, []), image.shape[:2])
            rows.append(row(group, LABELS[labels[place]], crop_of(image, mask, xy)))
    return pa.Table.from_pylist(rows, schema=CROPS)


def _known(path: Path, by_frame: Mapping[int, object], index: pa.Table) -> list[int]:
    """The labelled frames in order, which must be the camera's."""
    unknown = sorted(set(by_frame) - set(index["frame_id"].to_pylist()))
    if unknown:
        raise ValueError(f"{path}: frame {unknown[0]} is none of the camera's; name the right folder with --images")
    return sorted(by_frame)


def _at(
    where: str, place: Place, there: list[dict], size_hw: tuple[int, int]
) -> tuple[np.ndarray, tuple[int, int], int]:
    """Mask, its place and the group of the detection at a labelled box, or of the box itself."""
    boxes = np.array([one["bbox_xywh"] for one in there], float).reshape(-1, 4)
    iou = box_iou(np.array(place[1:])[None].repeat(len(boxes), axis=0), boxes)
    if len(iou) and iou.max() >= SAME_IOU:
        best = there[int(iou.argmax())]
        mask, (x, y, _, _) = masks.decode(best["mask_rle"], size_hw)
        return mask, (x, y), best["track_id"] if best["track_id"] >= 0 else -1 - place[0]
    full = filled(size_hw, place[1], place[2], place[1] + place[3], place[2] + place[4])
    return *cropped(where, "box", full), -1 - place[0]
