"""Human labels of vehicle keypoints: DeepLabCut's CSV and COCO's JSON, each keypoint with its state.

Keypoints are pixel centres, boxes COCO edges. DeepLabCut's body parts are named as NAMES, or with the names that a
mapping gives; COCO's category lists them in its `keypoints`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calibration.camera import pixel_to_edge
from pipeline.core.skeletons import VEHICLE_12

NAMES = tuple(name.replace(" ", "_").removesuffix("_corner") for name in VEHICLE_12.names)
UNKNOWN = -1
_VISIBLE, _SELF_OCCLUDED, _OCCLUDED = 0, 1, 2


@dataclass(frozen=True)
class LabelledCrop:
    """One labelled vehicle: its picture, box_xywh (4,), xy (12, 2) px, NaN where not labelled, and state (12,),
    index of KEYPOINT_STATES or -1 where unknown."""

    image: Path
    box_xywh: np.ndarray
    xy: np.ndarray
    state: np.ndarray


def read_deeplabcut(path: Path, images: Path | None = None) -> list[LabelledCrop]:
    """Labels of a DeepLabCut `CollectedData_*.csv`: header rows scorer, [individuals], bodyparts, coords.

    An empty cell is an unlabelled point. A third column `state` beside x and y, after DeepLabCut's own two, may name
    visible, self_occluded or occluded; without it a labelled point's state is unknown. Each box is that of the
    vehicle's points, grown by a tenth. Pictures are looked for below `images`, else beside the file.

    Raises ValueError that names the file, the row and what was expected.
    """
    rows = _csv_rows(path)
    header = {row[0]: row for row in rows if row and row[0] in ("scorer", "individuals", "bodyparts", "coords")}
    for name in ("bodyparts", "coords"):
        if name not in header:
            raise ValueError(f"{path}: expected a DeepLabCut header row {name!r} among the first four, got none")
    columns = _columns(path, header)
    crops = []
    for number, row in enumerate(rows, start=1):
        if not row or row[0] in header:
            continue
        picture = _picture(path, row, columns, images)
        for fields in columns.values():
            crop = _from_cells(f"{path}:{number}", picture, row, fields)
            if crop is not None:
                crops.append(crop)
    return crops


def _csv_rows(path: Path) -> list[list[str]]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such label file")
    with path.open(newline="") as file:
        return list(csv.reader(file))


Fields = dict[tuple[str, str], int]  # column of (body part, x | y | state)


def _columns(path: Path, header: Mapping[str, list[str]]) -> dict[str, Fields]:
    """Columns of every individual; "" where the file has one vehicle a picture."""
    parts, coords = header["bodyparts"], header["coords"]
    who = header.get("individuals", [""] * len(parts))
    columns: dict[str, Fields] = {}
    for index, (part, coord) in enumerate(zip(parts, coords, strict=True)):
        if coord in ("x", "y", "state"):
            if part not in NAMES:
                raise ValueError(f"{path}: unknown body part {part!r}; expected {', '.join(NAMES)}")
            columns.setdefault(who[index], {})[part, coord] = index
    for fields in columns.values():
        missing = [part for part in NAMES if (part, "x") not in fields or (part, "y") not in fields]
        if missing:
            raise ValueError(f"{path}: no columns for body part {', '.join(missing)}; expected x and y of all twelve")
    return columns


def _picture(path: Path, row: list[str], columns: Mapping[str, Fields], images: Path | None) -> Path:
    """The row's picture; newer files split its path over three columns."""
    first = min(index for fields in columns.values() for index in fields.values())
    return (images or path.parent) / Path(*[part for part in row[:first] if part])


def _from_cells(where: str, picture: Path, row: list[str], fields: Fields) -> LabelledCrop | None:
    xy, state = np.full((len(NAMES), 2), np.nan), np.full(len(NAMES), UNKNOWN)
    for index, part in enumerate(NAMES):
        cells = [row[fields[part, axis]].strip() for axis in ("x", "y")]
        if not all(cells) or "nan" in (cell.lower() for cell in cells):
            continue
        try:
            xy[index] = [float(cell) for cell in cells]
        except ValueError:
            raise ValueError(f"{where}: {part}: expected two numbers, got {cells}") from None
        if (part, "state") in fields:
            state[index] = _state(where, part, row[fields[part, "state"]].strip())
    known = ~np.isnan(xy).any(axis=1)
    return LabelledCrop(picture, _box_around(xy[known]), xy, state) if known.sum() >= 2 else None


def _state(where: str, part: str, text: str) -> int:
    states = {"": UNKNOWN, "visible": _VISIBLE, "self_occluded": _SELF_OCCLUDED, "occluded": _OCCLUDED}
    if text not in states:
        raise ValueError(f"{where}: {part}: expected visible, self_occluded or occluded, got {text!r}")
    return states[text]


def _box_around(xy: np.ndarray) -> np.ndarray:
    """Box of pixel-centre points (N, 2), grown by a tenth: bumpers and sills lie beyond lamps and wheels."""
    low, high = pixel_to_edge(xy.min(axis=0)), pixel_to_edge(xy.max(axis=0))
    size = np.maximum(high - low, 1.0)
    return np.r_[low - 0.05 * size, 1.1 * size]


def read_coco(path: Path, images: Path, *, v1_self_occluded: bool = False) -> list[LabelledCrop]:
    """Labels of a COCO keypoint file: v = 0 not labelled, 1 hidden, 2 visible, 3 hidden by the vehicle itself.

    COCO's own 1 does not say what hides the point: it is read as occluded, or as self-occluded where
    `v1_self_occluded`; 3 is this project's addition. Categories without keypoints and crowds are left out.

    Raises ValueError that names the file, the annotation and what was expected.
    """
    content = _json(path)
    pictures = {image["id"]: image["file_name"] for image in content["images"]}
    order = {c["id"]: _order(path, c) for c in content["categories"] if c.get("keypoints")}
    hidden = _SELF_OCCLUDED if v1_self_occluded else _OCCLUDED
    states = {0: UNKNOWN, 1: hidden, 2: _VISIBLE, 3: _SELF_OCCLUDED}
    crops = []
    for annotation in content["annotations"]:
        if annotation.get("iscrowd") or annotation["category_id"] not in order:
            continue
        where = f"{path}: annotation {annotation['id']}"
        if annotation["image_id"] not in pictures:
            raise ValueError(f"{where}: no image {annotation['image_id']} in the file")
        values = np.array(annotation.get("keypoints", []), float)
        if values.size != 3 * len(order[annotation["category_id"]]):
            raise ValueError(f"{where}: expected 3 numbers for each of the category's keypoints, got {values.size}")
        # Columns as NAMES has them.
        x, y, v = values.reshape(-1, 3)[[order[annotation["category_id"]].index(name) for name in NAMES]].T
        if not np.isin(v, list(states)).all():
            raise ValueError(f"{where}: expected v of 0, 1, 2 or 3, got {sorted(set(v) - set(states))}")
        xy = np.where(v[:, None] > 0, np.stack([x, y], axis=1), np.nan)
        crops.append(
            LabelledCrop(
                images / pictures[annotation["image_id"]],
                np.array(annotation["bbox"], float),
                xy,
                np.array([states[int(value)] for value in v]),
            )
        )
    return crops


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such label file")
    try:
        content = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON: {error}") from None
    missing = [name for name in ("images", "annotations", "categories") if name not in content]
    if missing:
        raise ValueError(f"{path}: not a COCO file: no {', '.join(missing)}")
    return content


def _order(path: Path, category: Mapping[str, Any]) -> list[str]:
    names = list(category["keypoints"])
    missing = [name for name in NAMES if name not in names]
    if missing:
        raise ValueError(
            f"{path}: category {category.get('name')!r} lacks keypoint {', '.join(missing)}; "
            f"expected {', '.join(NAMES)}"
        )
    return names
