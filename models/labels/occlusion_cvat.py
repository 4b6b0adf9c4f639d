"""Human labels in CVAT-for-images 1.1 XML.

A box, polygon or mask says it in an attribute `occlusion`, or by its own label's name, or, where neither is one of
models.labels.occlusion.LABELS, by CVAT's occluded flag.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from defusedxml import ElementTree
from pycocotools import mask as coco

from models.labels.occlusion import CROPS, LABELS, crop_of, cropped, filled, row
from pipeline.core.frames import decode_image

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

ATTRIBUTE = "occlusion"
_SHAPES = ("box", "polygon", "mask")


def crops_of_cvat(path: Path, images: Path) -> pa.Table:
    """CROPS of a CVAT-for-images 1.1 file whose pictures lie below `images`; those of one picture are a group.

    Raises ValueError that names the file, the picture and the shape for what cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such label file")
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"{path}: not XML: {error}") from None
    rows: list[dict] = []
    groups: dict[Path, int] = {}  # a file may have a picture several times: by a job each
    for picture in root.iter("image"):
        file = _picture_file(path, images, picture.get("name", ""))
        group = groups.setdefault(file, len(groups))
        shapes = list(_shape_elements(path, picture))
        if shapes:
            image = decode_image(file.read_bytes(), str(file))
            for where, shape in shapes:
                mask, xy = _shape_mask(where, shape, (image.shape[0], image.shape[1]))
                rows.append(row(group, LABELS[_label(where, shape)], crop_of(image, mask, xy)))
    if not rows:
        raise ValueError(f"{path}: no box, polygon or mask in any <image>; expected CVAT for images 1.1")
    return pa.Table.from_pylist(rows, schema=CROPS)


def _picture_file(path: Path, images: Path, name: str) -> Path:
    """The picture's file, which a label file of strangers may not choose outside the pictures' folder."""
    file = (images / name).resolve()
    if not file.is_relative_to(images.resolve()) or not file.is_file():
        raise ValueError(f"{path}: image {name!r}: no such picture below {images}; name their folder with --images")
    return file


def _shape_elements(path: Path, picture: Element) -> Iterator[tuple[str, Element]]:
    for number, shape in enumerate((s for s in picture if s.tag in _SHAPES), start=1):
        yield f"{path}: image {picture.get('name')!r}, shape {number}", shape


def _label(where: str, shape: Element) -> str:
    said = [a.text or "" for a in shape.iter("attribute") if a.get("name") == ATTRIBUTE]
    if said and said[0] not in LABELS:
        raise ValueError(f"{where}: unknown {ATTRIBUTE} {said[0]!r}; expected {', '.join(LABELS)}")
    if said or shape.get("label") in LABELS:
        return said[0] if said else str(shape.get("label"))
    return "occluded" if shape.get("occluded") == "1" else "unoccluded"


def _shape_mask(where: str, shape: Element, size_hw: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    """The shape's mask (h, w) bool, what of it is inside the frame, and its top-left pixel."""
    full = np.zeros(size_hw, np.uint8)
    try:
        if shape.tag == "box":
            full = filled(size_hw, *(float(shape.attrib[key]) for key in ("xtl", "ytl", "xbr", "ybr")))
        elif shape.tag == "polygon":
            x, y = zip(*(map(float, point.split(",")) for point in shape.attrib["points"].split(";")), strict=True)
            corners = np.column_stack([x, y]).reshape(-1).tolist()
            full = np.asarray(coco.decode(coco.merge(coco.frPyObjects([corners], *size_hw))), np.uint8)
        else:
            _paint_runs(full, shape)
    except (KeyError, ValueError, OverflowError):
        raise ValueError(f"{where}: the {shape.tag} has no readable place: {dict(shape.attrib)}") from None
    return cropped(where, shape.tag, full)


def _paint_runs(full: np.ndarray, shape: Element) -> None:
    """CVAT's mask: runs of zeros and ones in turn, row by row, in a rectangle."""
    left, top, width, height = (int(shape.attrib[key]) for key in ("left", "top", "width", "height"))
    runs = [int(run) for run in shape.attrib["rle"].split(",")]
    if sum(runs) != width * height or min(left, top, *runs) < 0:
        raise ValueError("its runs do not fill its rectangle")
    pixels = np.repeat(np.arange(len(runs)) % 2, runs).reshape(height, width)
    full[top : top + height, left : left + width] = pixels
