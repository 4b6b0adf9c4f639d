"""Human labels of vehicle keypoints: DeepLabCut's CSV and COCO's JSON, each keypoint with its state.

Keypoints are pixel centres, boxes COCO edges. DeepLabCut's body parts are named as NAMES, or with the names that a
mapping gives; COCO's category lists them in its `keypoints`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calibration.camera import pixel_to_edge
from models.labels.coco import records
from pipeline.core.account import Account
from pipeline.core.skeletons import VEHICLE_12
from readers.csv_file import read_rows
from readers.json_file import read_json
from readers.texts import check_text

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
    account = Account(str(path), "vehicles")
    crops = []
    for number, row in enumerate(rows, start=1):
        if not row or row[0] in header:
            continue
        if len(row) < len(header["coords"]):
            raise ValueError(f"{path}:{number}: expected {len(header['coords'])} cells, got {len(row)}")
        picture = _picture(path, row, columns, images)
        for fields in columns.values():
            crop = _from_cells(f"{path}:{number}", picture, row, fields)
            account.read += 1
            if crop is None:
                account.leave_out("with fewer than two labelled points")
            else:
                crops.append(crop)
    account.tell()
    return crops


def _csv_rows(path: Path) -> list[list[str]]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such label file")
    return read_rows(path)


Fields = dict[tuple[str, str], int]  # column of (body part, x | y | state)


def _columns(path: Path, header: Mapping[str, list[str]]) -> dict[str, Fields]:
    """Columns of every individual; "" where the file has one vehicle a picture."""
    parts, coords = header["bodyparts"], header["coords"]
    who = header.get("individuals", [""] * len(parts))
    if not len(parts) == len(coords) == len(who):
        raise ValueError(f"{path}: expected header rows of one length, got {len(parts)}, {len(coords)} and {len(who)}")
    columns: dict[str, Fields] = {}
    for index, (part, coord) in enumerate(zip(parts, coords, strict=True)):
        if coord in ("x", "y", "state"):
            if part not in NAMES:
                raise ValueError(f"{path}: unknown body part {part!r}; expected {', '.join(NAMES)}")
            columns.setdefault(who[index], {})[part, coord] = index
    if not columns:
        raise ValueError(f"{path}: expected columns x and y of body parts, got none")
    for fields in columns.values():
        missing = [part for part in NAMES if (part, "x") not in fields or (part, "y") not in fields]
        if missing:
            raise ValueError(f"{path}: no columns for body part {', '.join(missing)}; expected x and y of all twelve")
    return columns


def _picture(path: Path, row: list[str], columns: Mapping[str, Fields], images: Path | None) -> Path:
    """The row's picture; newer files split its path over three columns."""
    first = min(index for fields in columns.values() for index in fields.values())
    return picture_below(images or path.parent, str(Path(*[part for part in row[:first] if part])), str(path))


def picture_below(folder: Path, name: str, where: str) -> Path:
    """A picture by its name in a label file. Raises ValueError for one that leaves its folder."""
    check_text(name, where)
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{where}: picture {name!r}: leaves its folder {folder}")
    return folder / name


def _from_cells(where: str, picture: Path, row: list[str], fields: Fields) -> LabelledCrop | None:
    xy, state = np.full((len(NAMES), 2), np.nan), np.full(len(NAMES), UNKNOWN)
    for index, part in enumerate(NAMES):
        cells = [row[fields[part, axis]].strip() for axis in ("x", "y")]
        if not all(cells) or "nan" in (cell.lower() for cell in cells):
            continue
        try:
            xy[index] = [float(cell) for cell in cells]
            if not np.isfinite(xy[index]).all():
                raise ValueError
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
    content = coco_content(path)
    pictures = {
        key_of(image, "id", f"{path}: image {n}"): str(field_of(image, "file_name", f"{path}: image {n}"))
        for n, image in enumerate(content["images"])
    }
    order = {
        key_of(c, "id", f"{path}: category {n}"): _order(path, c)
        for n, c in enumerate(content["categories"])
        if c.get("keypoints")
    }
    hidden = _SELF_OCCLUDED if v1_self_occluded else _OCCLUDED
    states = {0: UNKNOWN, 1: hidden, 2: _VISIBLE, 3: _SELF_OCCLUDED}
    account = Account(str(path), "annotations", len(content["annotations"]))
    crops = []
    for number, annotation in enumerate(content["annotations"]):
        where = f"{path}: annotation {annotation.get('id', f'number {number}')}"
        category = key_of(annotation, "category_id", where)
        if annotation.get("iscrowd") or category not in order:
            account.leave_out("crowds" if annotation.get("iscrowd") else "of categories without keypoints")
            continue
        picture = pictures.get(key_of(annotation, "image_id", where))
        if picture is None:
            raise ValueError(f"{where}: no image {annotation['image_id']} in the file")
        xy, state = _keypoints(where, annotation.get("keypoints", []), order[category], states)
        box = numbers_of(where, "bbox", field_of(annotation, "bbox", where))
        if box.shape != (4,):
            raise ValueError(f"{where}: bbox: expected x, y, w, h, got {box.tolist()}")
        crops.append(LabelledCrop(picture_below(images, picture, where), box, xy, state))
    account.tell()
    return crops


def _keypoints(where: str, values: Any, order: list[str], states: Mapping[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """xy (12, 2) and state (12,) of COCO's list of x, y, v, in the category's order."""
    numbers = numbers_of(where, "keypoints", values)
    if numbers.size != 3 * len(order):
        raise ValueError(f"{where}: expected 3 numbers for each of the category's keypoints, got {numbers.size}")
    # Columns as NAMES has them.
    x, y, v = numbers.reshape(-1, 3)[[order.index(name) for name in NAMES]].T
    if not np.isin(v, list(states)).all():
        raise ValueError(f"{where}: expected v of 0, 1, 2 or 3, got {sorted(set(v) - set(states))}")
    xy = np.where(v[:, None] > 0, np.stack([x, y], axis=1), np.nan)
    return xy, np.array([states[int(value)] for value in v])


def numbers_of(where: str, name: str, values: Any) -> np.ndarray:
    """Finite float64 numbers, or ValueError that begins with `where`."""
    try:
        found = np.array(values, float)
        if not np.isfinite(found).all():
            raise ValueError
        return found
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{where}: {name}: expected numbers, got {str(values)[:60]!r}") from None


def coco_content(path: Path) -> dict[str, Any]:
    """`images`, `annotations` and `categories` of a COCO file, each a list of objects.

    Raises FileNotFoundError, and ValueError that names the file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such label file")
    content = read_json(path)
    parts = ("images", "annotations", "categories")
    missing = [name for name in parts if name not in content] if isinstance(content, dict) else ["object"]
    if missing:
        raise ValueError(f"{path}: not a COCO file: no {', '.join(missing)}")
    return {name: records(content[name], f"{path}: {name}") for name in ("images", "annotations", "categories")}


def key_of(row: Mapping[str, Any], name: str, where: str) -> int | str:
    """A field that others refer to. Raises ValueError, which begins with `where`, where it is missing or no key."""
    value = field_of(row, name, where)
    if not isinstance(value, int | str):
        raise ValueError(f"{where}: {name}: expected a number or a name, got {str(value)[:60]!r}")
    return value


def field_of(row: Mapping[str, Any], name: str, where: str) -> Any:
    """A field. Raises ValueError, which begins with `where`, where it is missing."""
    if name not in row:
        raise ValueError(f"{where}: {name}: missing")
    return row[name]


def _order(path: Path, category: Mapping[str, Any]) -> list[str]:
    names = category["keypoints"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{path}: category {str(category.get('name'))[:60]!r}: keypoints: expected a list of names")
    missing = [name for name in NAMES if name not in names]
    if missing:
        raise ValueError(
            f"{path}: category {category.get('name')!r} lacks keypoint {', '.join(missing)}; "
            f"expected {', '.join(NAMES)}"
        )
    return names
