"""CarFusion's labels: its raw text files, and the COCO file that its converter writes, split by intersection.

Raw: `<root>/<sequence>/gt/<video>_<frame>.txt`, a line `x,y,keypoint 1..14,object,flag` for each point, beside
`<sequence>/images_jpg/<video>_<frame>.jpg`; a sequence is an intersection's name and a number, as `car_craig1`. One
object keeps its number in all videos of a sequence. Points 9 (exhaust) and 14 (centre) are left out; of the others
`definitions` says how far they lie from ours.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from models.labels.coco import records
from models.labels.definitions import to_ours
from models.labels.views import (
    OCCLUDED,
    SELF_OCCLUDED,
    UNKNOWN,
    VISIBLE,
    LabelledVehicle,
    checked_pictures,
)
from readers.csv_file import read_lines
from readers.json_file import read_json

SPLITS: dict[str, tuple[str, ...]] = {"train": ("butler", "craig", "fifth", "morewood"), "test": ("penn",)}
POINTS = 14
OURS = np.array([0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12])  # of its points, in the order of NAMES
# Flag 3 is nowhere explained; the converter calls it visible, where it stands it is the vehicle's far side.
_OF_FLAG = {0: UNKNOWN, 1: VISIBLE, 2: OCCLUDED, 3: SELF_OCCLUDED}
_OF_V = {0: UNKNOWN, 1: OCCLUDED, 2: VISIBLE}
_SIZE_WH = (1920, 1080)
_BEFORE, _GROWN = 0.1, 1.25  # of the points' box, as the converter has it, so that both readers' boxes agree


def read_raw(root: Path, split: str | None = None) -> list[LabelledVehicle]:
    """Vehicles of every sequence below root, or of a split's, by sequence, frame and object; `flag` is the file's own.

    Points outside 1920 x 1080 count as unlabelled, vehicles with fewer than two points are left out. Raises
    ValueError in one line that names the file: no sequence, a line that is not a label, a frame without a picture.
    """
    wanted = _intersections(split)
    folders = sorted(p.parent for p in root.glob("*/gt") if p.is_dir())
    if not folders:
        raise ValueError(f"{root}: expected CarFusion's sequences, SEQUENCE/gt/VIDEO_FRAME.txt, found none")
    vehicles: list[LabelledVehicle] = []
    for folder in folders:
        if _intersection(folder.name, folder) in wanted:
            for path in sorted((folder / "gt").glob("*.txt"), key=_name_key):
                vehicles += _frame_vehicles(folder, path)
    if not vehicles:
        raise ValueError(f"{root}: no labelled vehicle of {', '.join(wanted)}; expected them in SEQUENCE/gt/*.txt")
    return checked_pictures(root, vehicles)


def read_converted(path: Path, root: Path, split: str | None = None) -> list[LabelledVehicle]:
    """Vehicles of a converted COCO file whose pictures lie below root; `flag` is COCO's v, object_id unknown.

    The converter drops which object is which. Raises ValueError in one line as `read_raw`, and for another number of
    keypoints than fourteen.
    """
    content, wanted = _coco_entries(path), _intersections(split)
    names = {image.get("id"): str(image.get("file_name", "")) for image in content["images"]}
    if "" in names.values():
        raise ValueError(f"{path}: an image has no file_name")
    vehicles = []
    for annotation in content["annotations"]:
        where = f"{path}: annotation {annotation.get('id')}"
        if annotation.get("image_id") not in names:
            raise ValueError(f"{where}: no image {annotation.get('image_id')} in the file")
        name = names[annotation["image_id"]]
        if _intersection(Path(name).parts[0], path) in wanted:
            vehicles.append(_of_annotation(where, annotation, name, root))
    return checked_pictures(path, vehicles)


def _intersections(split: str | None) -> tuple[str, ...]:
    if split is None:
        return tuple(name for names in SPLITS.values() for name in names)
    if split not in SPLITS:
        raise ValueError(f"split: expected {' or '.join(SPLITS)}, got {split!r}")
    return SPLITS[split]


def _intersection(sequence: str, where: Path) -> str:
    match = re.fullmatch(r"(?:car_)?([a-z]+)\d*", sequence.lower())
    if match is None or match[1] not in _intersections(None):
        raise ValueError(f"{where}: sequence {sequence!r} is of no intersection of CarFusion; expected "
                         f"{', '.join(_intersections(None))} and a number")  # fmt: skip
    return match[1]


def _name_key(path: Path) -> tuple[int, int]:
    """Video and frame of VIDEO_FRAME.txt."""
    match = re.fullmatch(r"(\d+)_(\d+)", path.stem)
    if match is None:
        raise ValueError(f"{path}: expected a name VIDEO_FRAME.txt of two numbers")
    return int(match[1]), int(match[2])


def _frame_vehicles(folder: Path, path: Path) -> list[LabelledVehicle]:
    points: dict[int, np.ndarray] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            x, y, point, of, flag = _fields(f"{path}:{number}", line)
            points.setdefault(of, np.full((POINTS, 3), (np.nan, np.nan, 0)))[point - 1] = x, y, flag
    video, frame = path.stem.split("_")
    source: dict[str, Any] = {"image": folder / "images_jpg" / f"{path.stem}.jpg", "sequence": folder.name}
    source |= {"camera": video, "frame": frame, "intersection": _intersection(folder.name, folder)}
    found = ((of, values, _points_box(values)) for of, values in sorted(points.items()))
    return [
        _carfusion_vehicle(values, box, _OF_FLAG, object_id=of, **source)
        for of, values, box in found
        if box is not None
    ]


def _fields(where: str, line: str) -> tuple[float, float, int, int, int]:
    cells = line.split(",")
    try:
        x, y = float(cells[0]), float(cells[1])
        point, of, flag = (int(float(cell)) for cell in cells[2:5])
        right = len(cells) == 5 and 1 <= point <= POINTS and flag in (1, 2, 3) and np.isfinite([x, y]).all()
    except (ValueError, IndexError, OverflowError):
        right = False
    if not right:
        raise ValueError(f"{where}: expected x,y,keypoint 1..{POINTS},object,flag 1..3, got {line.strip()[:60]!r}")
    return x, y, point, of, flag


def _points_box(values: np.ndarray) -> np.ndarray | None:
    """The box of the points inside the frame (14, 3), grown; None with fewer than two."""
    inside = (values[:, :2] > 0).all(axis=1) & (values[:, :2] <= _SIZE_WH).all(axis=1)
    values[~inside] = np.nan, np.nan, 0
    if inside.sum() < 2:
        return None
    low, size = values[inside, :2].min(axis=0), np.maximum(np.ptp(values[inside, :2], axis=0), 1.0)
    corner = np.maximum(low - _BEFORE * size, 0)
    return np.r_[corner, np.minimum(corner + _GROWN * size, _SIZE_WH) - corner]


def _of_annotation(where: str, annotation: dict, name: str, root: Path) -> LabelledVehicle:
    values, box = (_finite(annotation.get(key, []), f"{where}: {key}") for key in ("keypoints", "bbox"))
    if values.size != 3 * POINTS or not np.isin(values[2::3], list(_OF_V)).all():
        raise ValueError(f"{where}: expected {POINTS} keypoints x y v with v of 0, 1 or 2, got {values.tolist()}")
    if box.shape != (4,) or not (box[2:] > 0).all():
        raise ValueError(f"{where}: expected a box x y w h with an inside, got {box.tolist()}")
    camera, _, frame = Path(name).stem.partition("_")
    sequence = Path(name).parts[0]
    source = {"sequence": sequence, "camera": camera, "frame": frame, "intersection": _intersection(sequence, root)}
    return _carfusion_vehicle(values.reshape(-1, 3), box, _OF_V, image=root / name, **source)


def _finite(values: Any, where: str) -> np.ndarray:
    """A list of numbers (N,)."""
    try:
        found = np.array(values, float)
    except (TypeError, ValueError, OverflowError):
        found = np.full(1, np.nan)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise ValueError(f"{where}: expected a list of numbers, got {str(values)[:60]!r}")
    return found


def _carfusion_vehicle(values: np.ndarray, box: np.ndarray, states: dict[int, int], **source: Any) -> LabelledVehicle:
    flag = values[OURS, 2].astype(np.int64)
    xy = to_ours("carfusion", np.where(flag[:, None] > 0, values[OURS, :2], np.nan))
    state = np.array([states[value] for value in flag.tolist()])
    return LabelledVehicle(box_xywh=box, xy=xy, state=state, flag=flag, **source)


def _coco_entries(path: Path) -> dict[str, list[dict]]:
    try:
        content = read_json(path)
    except OSError as error:
        raise ValueError(f"{path}: not a readable JSON file ({error.strerror})") from None
    missing = [k for k in ("images", "annotations") if not isinstance(content, dict) or k not in content]
    if missing:
        raise ValueError(f"{path}: expected CarFusion's converted COCO file, {', '.join(missing)} missing")
    return {name: records(content[name], f"{path}: {name}") for name in ("images", "annotations")}
