"""Visible keypoints of cars in KITTI's pictures, as KITTI-3D's evaluation gives them: one text line a vehicle.

No file of KITTI-3D says its columns, so ours are named in the first line, which a user writes above the numbers:

    image left top right bottom right_front_wheel left_front_wheel ...

Each keypoint's name stands for three numbers, x y v, pixel centres from 0 and v = 1 visible or 0 not labelled. The
twelve names may come in any order and among others, which are left out. Columns are parted by blanks or commas.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.labels.views import NAMES, UNKNOWN, VISIBLE, LabelledVehicle, checked_box, checked_pictures
from readers.csv_file import read_lines

_FIRST = ("image", "left", "top", "right", "bottom")


def read_kitti3d(path: Path, images: Path) -> list[LabelledVehicle]:
    """Vehicles of a file whose pictures lie below `images`; `flag` is v.

    Raises ValueError in one line that names the file, the line and what was expected.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such label file")
    lines = read_lines(path)
    names = _names(path, lines[0] if lines else "")
    vehicles = [
        _kitti_vehicle(f"{path}:{number}", line, names, images)
        for number, line in enumerate(lines[1:], 2)
        if line.strip()
    ]
    return checked_pictures(path, vehicles)


def _split_line(line: str) -> list[str]:
    return line.replace(",", " ").split()


def _names(path: Path, line: str) -> list[str]:
    cells = _split_line(line.lstrip("#"))
    names = cells[len(_FIRST) :]
    missing = [name for name in NAMES if name not in names]
    if tuple(cells[: len(_FIRST)]) != _FIRST or missing:
        raise ValueError(f"{path}:1: expected a header {' '.join(_FIRST)} and the keypoints' names, "
                         f"{', '.join(missing) or 'image to bottom'} missing")  # fmt: skip
    return names


def _kitti_vehicle(where: str, line: str, names: list[str], images: Path) -> LabelledVehicle:
    cells = _split_line(line)
    try:
        numbers = np.array(cells[1:], float)
    except ValueError:
        raise ValueError(f"{where}: expected an image and numbers, got {line.strip()[:60]!r}") from None
    if len(numbers) != 4 + 3 * len(names):
        raise ValueError(f"{where}: expected {4 + 3 * len(names)} numbers after the image, got {len(numbers)}")
    values = numbers[4:].reshape(-1, 3)[[names.index(name) for name in NAMES]]
    if not np.isin(values[:, 2], (0, 1)).all():
        raise ValueError(f"{where}: expected v of 0 or 1, got {sorted(set(values[:, 2].tolist()))}")
    seen = values[:, 2] == 1
    xy = np.where(seen[:, None], values[:, :2], np.nan)
    box = checked_box(where, *numbers[:4].tolist())
    state = np.where(seen, VISIBLE, UNKNOWN)
    return LabelledVehicle(images / cells[0], box, xy, state, frame=Path(cells[0]).stem, flag=seen.astype(np.int64))
