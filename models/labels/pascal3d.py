"""Cars of PASCAL3D+ annotation files: `<class>_<source>/<picture>.mat`, a `record` with objects and their anchors.

Twelve anchors of a car stand for the project's twelve keypoints: for the corners of the roof those of the windows'
upper edges, for the back lights the corners of the trunk. Where a car's labels allow it they are moved from there to
where ours lie (`definitions`). MATLAB counts pixels from 1. Reading never unpickles anything.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from models.labels.definitions import to_ours
from models.labels.views import (
    NAMES,
    OCCLUDED,
    SELF_OCCLUDED,
    TRUNCATED,
    UNKNOWN,
    VISIBLE,
    LabelledVehicle,
    checked_box,
    checked_pictures,
)
from readers.mat_file import check_mat

ANCHORS = (
    "right_front_wheel", "left_front_wheel", "right_back_wheel", "left_back_wheel",
    "right_front_light", "left_front_light", "right_back_trunk", "left_back_trunk",
    "upper_right_windshield", "upper_left_windshield", "upper_right_rearwindow", "upper_left_rearwindow",
)  # fmt: skip
OF_STATUS = {1: VISIBLE, 2: SELF_OCCLUDED, 3: OCCLUDED, 4: TRUNCATED, 5: UNKNOWN}


def read_pascal3d(
    annotations: Path, images: Path, category: str = "car", *, moved: bool = True
) -> list[LabelledVehicle]:
    """Vehicles of every .mat in a folder, or of one file; `flag` is the anchor's status, 0 where it has none.

    Not `moved`, they are where the file has them.

    Pictures are looked for in `images` by the record's file name. An anchor without a location is unlabelled. Raises
    ValueError in one line that names the file and what was expected.
    """
    paths = sorted(annotations.glob("*.mat")) if annotations.is_dir() else [annotations]
    if not paths:
        raise ValueError(f"{annotations}: expected PASCAL3D+ annotations *.mat, found none")
    vehicles = checked_pictures(annotations, [v for path in paths for v in _record_vehicles(path, images, category)])
    return [replace(v, xy=to_ours("pascal3d", v.xy)) for v in vehicles] if moved else vehicles


def _record_vehicles(path: Path, images: Path, category: str) -> list[LabelledVehicle]:
    record = read_record(path)
    picture = images / Path(str(record.filename)).name
    vehicles = []
    for number, thing in enumerate(np.atleast_1d(record.objects)):
        if str(getattr(thing, "class", "")) == category:
            vehicles.append(_vehicle(f"{path}: object {number + 1}", thing, picture))
    return vehicles


def read_record(path: Path) -> Any:
    """A file's record, with its `filename` and `objects`. Raises ValueError, which names the file, for another."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    broken = (OSError, ValueError, TypeError, LookupError, NotImplementedError, EOFError, MatReadError, zlib.error)
    check_mat(path)
    try:
        record = loadmat(path, squeeze_me=True, struct_as_record=False, variable_names=["record"])["record"]
    except broken as error:
        raise ValueError(f"{path}: not a PASCAL3D+ annotation ({type(error).__name__}: {error})") from None
    missing = [name for name in ("filename", "objects") if not hasattr(record, name)]
    if missing:
        raise ValueError(f"{path}: not a PASCAL3D+ annotation: record has no {', '.join(missing)}")
    return record


def _vehicle(where: str, thing: Any, picture: Path) -> LabelledVehicle:
    box = box_of(where, thing)
    xy, flag = np.full((len(NAMES), 2), np.nan), np.zeros(len(NAMES), np.int64)
    for index, name in enumerate(ANCHORS):
        anchor = getattr(getattr(thing, "anchors", None), name, None)
        if anchor is None:
            raise ValueError(f"{where}: no anchor {name}; expected a car's {', '.join(ANCHORS)}")
        xy[index], flag[index] = anchor_of(f"{where}: {name}", anchor)
    state = np.array([OF_STATUS.get(value, UNKNOWN) for value in flag.tolist()])
    return LabelledVehicle(picture, box, xy, state, frame=picture.stem, flag=flag)


def box_of(where: str, thing: Any) -> np.ndarray:
    """An object's box xywh of edges. Raises ValueError, which begins with `where`, for none."""
    corners = np.asarray(getattr(thing, "bbox", []), float).ravel()
    if corners.shape != (4,):
        raise ValueError(f"{where}: expected bbox x1 y1 x2 y2, got {corners.tolist()}")
    # From 1, both corners inside: the left edge of pixel 1 is 0, the right edge of pixel x is x.
    return checked_box(where, corners[0] - 1, corners[1] - 1, corners[2], corners[3])


def anchor_of(where: str, anchor: Any) -> tuple[np.ndarray, int]:
    """Pixel centre (2,), NaN where there is none, and status."""
    location = np.asarray(getattr(anchor, "location", []), float).ravel()
    status = np.asarray(getattr(anchor, "status", []), float).ravel()
    if len(location) not in (0, 2) or len(status) > 1:
        raise ValueError(f"{where}: expected a location x y or none and a status, got {location.tolist()}, "
                         f"{status.tolist()}")  # fmt: skip
    return location - 1 if len(location) else np.full(2, np.nan), int(status[0]) if len(status) else 0
