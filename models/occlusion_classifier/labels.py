"""Human labels of occlusion: the CSV that `make label` writes, and CVAT-for-images XML.

The CSV has a row `detection_id,label` for each labelled detection of one camera; labels are those of crops.LABELS. In
CVAT's file a box, polygon or mask says it in an attribute `occlusion`, or by its own label's name, or, where neither
is one of LABELS, by CVAT's occluded flag.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from defusedxml import ElementTree
from pycocotools import mask as coco

from models.occlusion_classifier.crops import CROPS, LABELS, crop_of, row
from pipeline import masks
from pipeline.frames import FrameReader, decode_image

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

HEADER = ["detection_id", "label"]
ATTRIBUTE = "occlusion"
_SHAPES = ("box", "polygon", "mask")


def read_labelled(path: Path, images: Path | None = None) -> pa.Table:
    """CROPS of a label file; images: the camera's folder of a CSV, the pictures' of an XML, else the file's own."""
    return crops_of_cvat(path, images or path.parent) if path.suffix == ".xml" else crops_of_csv(path, images)


def read_csv(path: Path) -> dict[int, str]:
    """Label by detection_id, in the file's order.

    Raises ValueError that names file and row for an unknown label and for anything that is not `detection_id,label`.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such label file")
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    if not rows or rows[0] != HEADER:
        raise ValueError(f"{path}:1: expected the header {','.join(HEADER)}, got {','.join(rows[0]) if rows else ''!r}")
    found: dict[int, str] = {}
    for number, cells in enumerate(rows[1:], start=2):
        where = f"{path}:{number}"
        if len(cells) != 2 or not cells[0].isdecimal():
            raise ValueError(f"{where}: expected detection_id,label, got {','.join(cells)!r}")
        if cells[1] not in LABELS:
            raise ValueError(f"{where}: unknown label {cells[1]!r}; expected {', '.join(LABELS)}")
        if int(cells[0]) in found:
            raise ValueError(f"{where}: detection {cells[0]} is labelled twice")
        found[int(cells[0])] = cells[1]
    return found


def crops_of_csv(path: Path, camera_dir: Path | None = None) -> pa.Table:
    """CROPS of the labelled detections of a camera that ran up to TrackObjects; its folder is the file's by default.

    Raises ValueError where a labelled detection is none of the camera's.
    """
    labels, folder = read_csv(path), camera_dir or path.parent
    tracks_path = folder / "tracks.parquet"
    if not tracks_path.is_file():
        raise FileNotFoundError(f"{tracks_path}: no such file; name the labelled camera's folder with --images")
    columns = ["detection_id", "frame_id", "track_id", "mask_rle"]
    tracks = pq.read_table(tracks_path, columns=columns).to_pandas().set_index("detection_id")
    unknown = [i for i in labels if i not in tracks.index]
    if unknown:
        raise ValueError(f"{path}: detection {unknown[0]} is none of {folder}; was it detected anew after labelling?")
    index = pq.read_table(folder / "frames" / "index.parquet")
    by_frame = tracks.loc[list(labels)].reset_index().groupby("frame_id")
    rows = []
    for frame_id, image in FrameReader(index, folder).read(sorted(int(i) for i in by_frame.groups)):
        for one in by_frame.get_group(frame_id).to_dict("records"):
            mask, (x, y, _, _) = masks.decode(one["mask_rle"], image.shape[:2])
            group = one["track_id"] if one["track_id"] >= 0 else -1 - one["detection_id"]
            rows.append(row(group, LABELS[labels[one["detection_id"]]], crop_of(image, mask, (x, y))))
    return pa.Table.from_pylist(rows, schema=CROPS)


def crops_of_cvat(path: Path, images: Path) -> pa.Table:
    """CROPS of a CVAT-for-images 1.1 file whose pictures lie below `images`.

    Raises ValueError that names the file, the picture and the shape for what cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such label file")
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"{path}: not XML: {error}") from None
    rows: list[dict] = []
    for group, picture in enumerate(root.iter("image")):
        file = _inside(path, images, picture.get("name", ""))
        shapes = list(_shapes(path, picture))
        if shapes:
            image = decode_image(file.read_bytes(), str(file))
            for where, shape in shapes:
                mask, xy = _mask(where, shape, (image.shape[0], image.shape[1]))
                rows.append(row(group, LABELS[_label(where, shape)], crop_of(image, mask, xy)))
    if not rows:
        raise ValueError(f"{path}: no box, polygon or mask in any <image>; expected CVAT for images 1.1")
    return pa.Table.from_pylist(rows, schema=CROPS)


def _inside(path: Path, images: Path, name: str) -> Path:
    """The picture's file, which a label file of strangers may not choose outside the pictures' folder."""
    file = (images / name).resolve()
    if not file.is_relative_to(images.resolve()) or not file.is_file():
        raise ValueError(f"{path}: image {name!r}: no such picture below {images}; name their folder with --images")
    return file


def _shapes(path: Path, picture: Element) -> Iterator[tuple[str, Element]]:
    for number, shape in enumerate((s for s in picture if s.tag in _SHAPES), start=1):
        yield f"{path}: image {picture.get('name')!r}, shape {number}", shape


def _label(where: str, shape: Element) -> str:
    said = [a.text or "" for a in shape.iter("attribute") if a.get("name") == ATTRIBUTE]
    if said and said[0] not in LABELS:
        raise ValueError(f"{where}: unknown {ATTRIBUTE} {said[0]!r}; expected {', '.join(LABELS)}")
    if said or shape.get("label") in LABELS:
        return said[0] if said else str(shape.get("label"))
    return "occluded" if shape.get("occluded") == "1" else "unoccluded"


def _mask(where: str, shape: Element, size_hw: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    """The shape's mask (h, w) bool, what of it is inside the frame, and its top-left pixel."""
    full = np.zeros(size_hw, np.uint8)
    try:
        if shape.tag == "box":
            x0, y0, x1, y1 = (round(float(shape.attrib[key])) for key in ("xtl", "ytl", "xbr", "ybr"))
            full[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = 1
        elif shape.tag == "polygon":
            x, y = zip(*(map(float, point.split(",")) for point in shape.attrib["points"].split(";")), strict=True)
            corners = np.column_stack([x, y]).reshape(-1).tolist()
            full = np.asarray(coco.decode(coco.merge(coco.frPyObjects([corners], *size_hw))), np.uint8)
        else:
            _paint_runs(full, shape)
    except (KeyError, ValueError, OverflowError):
        raise ValueError(f"{where}: the {shape.tag} has no readable place: {dict(shape.attrib)}") from None
    if not full.any():
        raise ValueError(f"{where}: the {shape.tag} has no pixel inside the picture")
    left, top, w, h = cv2.boundingRect(full)
    return full[top : top + h, left : left + w].astype(bool), (left, top)


def _paint_runs(full: np.ndarray, shape: Element) -> None:
    """CVAT's mask: runs of zeros and ones in turn, row by row, in a rectangle."""
    left, top, width, height = (int(shape.attrib[key]) for key in ("left", "top", "width", "height"))
    runs = [int(run) for run in shape.attrib["rle"].split(",")]
    if sum(runs) != width * height or min(left, top, *runs) < 0:
        raise ValueError("its runs do not fill its rectangle")
    pixels = np.repeat(np.arange(len(runs)) % 2, runs).reshape(height, width)
    full[top : top + height, left : left + width] = pixels
