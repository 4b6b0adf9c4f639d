"""Shapes in CVAT's XML: for images 1.1, and the tracks of CVAT for video 1.1, each as the file itself declares it.

Label, attributes, occluded flag, rotation and the picture's size are read as they stand; a shape without an area is
told by its kind. Coordinates are pixels with COCO's edges, in a picture of the declared size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from pycocotools import mask as coco

from models.labels.occlusion import filled
from readers.xml_file import read_xml

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

AREAS = ("box", "polygon", "mask", "ellipse")
_OTHERS = ("polyline", "points", "cuboid", "skeleton")
_CORNERS = 72  # of the polygon that stands for an ellipse


@dataclass(frozen=True)
class Shape:
    """One shape: kind, the tag's own name; place, its attributes as text; track, -1 where it is of none; where, for
    messages."""

    kind: str
    label: str
    occluded: bool
    attributes: Mapping[str, str]
    place: Mapping[str, str]
    track: int
    where: str

    def mask(self, size_hw: tuple[int, int], scale: float = 1.0) -> np.ndarray:
        """(H, W) uint8, 1 on the shape, in a picture `scale` times the declared one.

        Raises ValueError, which says where, for a place that cannot be read.
        """
        try:
            if self.kind == "mask":
                return self._runs(size_hw, scale)
            if self.kind == "box" and not self._rotation_deg:
                return filled(size_hw, *(scale * self._number(key) for key in ("xtl", "ytl", "xbr", "ybr")))
            corners = scale * self._corners()
        except (KeyError, ValueError, OverflowError, MemoryError):
            place = {key: value[:60] for key, value in self.place.items()}
            raise ValueError(f"{self.where}: the {self.kind} has no readable place: {place}") from None
        # Far-off corners only cost memory.
        corners = np.clip(corners, [-size_hw[1], -size_hw[0]], [2 * size_hw[1], 2 * size_hw[0]])
        encoded = coco.frPyObjects([corners.reshape(-1).tolist()], *size_hw)
        return np.asarray(coco.decode(coco.merge(encoded)), np.uint8)

    @property
    def _rotation_deg(self) -> float:
        return float(self.place.get("rotation") or 0)

    def _number(self, key: str) -> float:
        value = float(self.place[key])
        if not np.isfinite(value):
            raise ValueError(key)
        return value

    def _corners(self) -> np.ndarray:
        """(N, 2) of a polygon, of an ellipse's outline, or of a box that is turned, clockwise, about its centre."""
        if self.kind == "polygon":
            points = [[float(v) for v in point.split(",")] for point in self.place["points"].split(";")]
            corners = np.array(points, float)
            if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3 or not np.isfinite(corners).all():
                raise ValueError("points")
            return corners
        if self.kind == "ellipse":
            centre = np.array([self._number("cx"), self._number("cy")])
            angle = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
            corners = np.stack([self._number("rx") * np.cos(angle), self._number("ry") * np.sin(angle)], axis=1)
        else:
            left, top, right, bottom = (self._number(key) for key in ("xtl", "ytl", "xbr", "ybr"))
            centre = np.array([left + right, top + bottom]) / 2
            corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]]) - centre
        turn = np.radians(self._rotation_deg)
        return corners @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + centre

    def _runs(self, size_hw: tuple[int, int], scale: float) -> np.ndarray:
        """CVAT's mask: runs of zeros and ones in turn, row by row, in a rectangle."""
        left, top, width, height = (int(self.place[key]) for key in ("left", "top", "width", "height"))
        runs = [int(run) for run in self.place["rle"].split(",")]
        inside = max(left + width, top + height) * scale <= 4 * max(size_hw)
        if sum(runs) != width * height or min(left, top, *runs) < 0 or not inside:
            raise ValueError("its runs do not fill its rectangle")
        pixels = np.repeat(np.arange(len(runs)) % 2, runs).reshape(height, width).astype(np.uint8)
        whole = np.zeros(
            (max(round(size_hw[0] / scale), top + height), max(round(size_hw[1] / scale), left + width)), np.uint8
        )
        whole[top : top + height, left : left + width] = pixels
        if scale != 1:
            size = round(whole.shape[1] * scale), round(whole.shape[0] * scale)
            whole = (cv2.resize(whole.astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5).astype(np.uint8)
        return np.ascontiguousarray(whole[: size_hw[0], : size_hw[1]])


@dataclass(frozen=True)
class Picture:
    """A picture as the file has it: name, empty in a video, whose frame's number stands instead; its declared size; its
    shapes with an area; left_out, how many others there are by kind."""

    name: str
    frame: int
    size_hw: tuple[int, int] | None
    shapes: list[Shape] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def read_cvat(path: Path) -> list[Picture]:
    """The pictures of a file: of its <image>s in their order, then of its tracks' frames.

    Raises ValueError that names the file for what is not CVAT's XML, FileNotFoundError where there is none.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such label file")
    root = read_xml(path)
    pictures = []
    for element in root.iter("image"):
        name = element.get("name", "")
        picture = Picture(name, -1, _size(element.get("width"), element.get("height"), f"{path}: image {name!r}"))
        for number, shape in enumerate((s for s in element if s.tag in AREAS + _OTHERS), start=1):
            _add(picture, shape, shape.get("label", ""), -1, f"{path}: image {name!r}, shape {number}")
        pictures.append(picture)
    return pictures + list(_frames_of_tracks(root, path))


def _frames_of_tracks(root: Element, path: Path) -> Iterator[Picture]:
    """A track is there until it is `outside`; CVAT writes every frame between its key frames."""
    size = root.find(".//original_size")
    declared = (None, None) if size is None else (size.findtext("width"), size.findtext("height"))
    size_hw = _size(*declared, f"{path}: original_size")
    frames: dict[int, Picture] = {}
    for track in root.iter("track"):
        identity = _whole(track.get("id"), f"{path}: track id")
        for shape in (s for s in track if s.tag in AREAS + _OTHERS):
            where = f"{path}: track {identity}, frame {shape.get('frame')}"
            number = _whole(shape.get("frame"), f"{where}: frame")
            if shape.get("outside") == "1":
                continue
            picture = frames.setdefault(number, Picture("", number, size_hw))
            _add(picture, shape, track.get("label", ""), identity, where)
    yield from (frames[number] for number in sorted(frames))


def _add(picture: Picture, shape: Element, label: str, track: int, where: str) -> None:
    if shape.tag not in AREAS:
        picture.left_out.append(shape.tag)
        return
    said = {a.get("name", ""): (a.text or "").strip() for a in shape.iter("attribute")}
    occluded = shape.get("occluded") == "1"
    picture.shapes.append(Shape(shape.tag, label, occluded, said, dict(shape.attrib), track, where))


def _size(width: str | None, height: str | None, where: str) -> tuple[int, int] | None:
    if width is None or height is None:
        return None
    size = _whole(height, f"{where}: height"), _whole(width, f"{where}: width")
    if min(size) < 1:
        raise ValueError(f"{where}: expected a size above 0, got {width}x{height}")
    return size


def _whole(text: str | None, where: str) -> int:
    if text is None or not re.fullmatch(r"\s*\d{1,9}\s*", text):
        raise ValueError(f"{where}: expected a whole number, got {text!r}")
    return int(text)
