"""Cameras as other programs write them: OpenCV's YAML, XML and JSON, ROS's camera_info, KITTI's projections and planes.

Files are read as data: nothing in them is run, and what they hold beside a camera is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from readers.csv_file import read_lines
from readers.json_file import read_json
from readers.xml_file import read_xml
from readers.yaml_file import read_yaml

# Spellings of one thing, without case, underscores and blanks.
_NAMES = {
    "K": ("cameramatrix", "k", "intrinsicmatrix", "intrinsics", "mtx"),
    "distortion": ("distortioncoefficients", "distcoeffs", "distcoef", "dist", "distortion", "d"),
    "model": ("distortionmodel", "fisheyemodel", "fisheye"),
    "width": ("imagewidth", "width"),
    "height": ("imageheight", "height"),
    "size": ("imagesize", "size"),
    "R": ("r", "rotation", "rvec", "rotationmatrix", "rotationvector"),
    "t": ("t", "translation", "tvec", "translationvector"),
}
_FISHEYE = ("fisheye", "equidistant", "kannalabrandt4", "1", "true")


@dataclass(frozen=True)
class CameraFile:
    """What a file tells: K (3, 3), its lens's terms, whether they are a fisheye's, size (height, width), R (3, 3) and t
    (3,); None where it tells nothing of them."""

    K: np.ndarray
    distortion: np.ndarray
    fisheye: bool
    size_hw: tuple[int, int] | None
    R: np.ndarray | None
    t: np.ndarray | None


def read_camera_file(path: Path) -> CameraFile:
    """A camera as OpenCV's FileStorage, ROS's camera_info or plain YAML and JSON hold it.

    Raises ValueError, one line with the file's name, where there is no camera matrix or a field is not what it says.
    """
    values = {re.sub(r"[\s_-]", "", str(key)).lower(): value for key, value in _content(path).items()}
    found = {}
    for name, spellings in _NAMES.items():
        found[name] = next((values[s] for s in spellings if values.get(s) is not None), None)
    if found["K"] is None:
        held = ", ".join(list(values)[:8]) or "nothing"
        raise ValueError(f"{path}: no camera matrix: expected camera_matrix or K, it holds {held}")
    lens = np.zeros(0) if found["distortion"] is None else _numbers(path, "distortion", found["distortion"]).ravel()
    K = _numbers(path, "camera_matrix", found["K"])
    if K.size != 9:
        raise ValueError(f"{path}: camera_matrix: expected 3 x 3 numbers, got {K.size}")
    fisheye = str(found["model"]).strip().lower().replace("_", "") in _FISHEYE
    R, t = (None if found[k] is None else _numbers(path, k, found[k]).ravel() for k in ("R", "t"))
    return CameraFile(K.reshape(3, 3), lens, fisheye, _size(path, found), _rotation(path, R), t)


def _content(path: Path) -> Mapping[str, Any]:
    with path.open("rb") as file:
        begins = file.read(100).removeprefix(b"\xef\xbb\xbf").lstrip()
    if begins.startswith(b"<"):
        content: Any = {e.tag: _xml_value(e) for e in read_xml(path)}
    else:
        content = read_json(path) if path.suffix.lower() == ".json" else read_yaml(path, opencv=True)
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected names with values, such as camera_matrix, got {type(content).__name__}")
    return content


def _xml_value(element: Any) -> Any:
    """A scalar's text, or an OpenCV matrix's numbers."""
    data = element.find("data")
    if data is None:
        return (element.text or "").strip()
    return (data.text or "").split()


def _numbers(path: Path, name: str, value: Any) -> np.ndarray:
    if isinstance(value, dict):
        value = value.get("data")
    if isinstance(value, str):
        value = value.split()
    try:
        numbers = np.array(value, dtype=float)
    except (TypeError, ValueError, OverflowError):
        numbers = np.array([np.nan])
    if not numbers.size or not np.isfinite(numbers).all():
        raise ValueError(f"{path}: {name}: expected numbers, got {str(value)[:60]}")
    return numbers


def _size(path: Path, found: Mapping[str, Any]) -> tuple[int, int] | None:
    sides = found["size"] if found["size"] is not None else [found["width"], found["height"]]
    if isinstance(sides, dict):
        sides = sides.get("data") or [sides.get("width"), sides.get("height")]
    if not isinstance(sides, list | tuple) or len(sides) != 2 or sides[0] is None or sides[1] is None:
        return None
    width, height = _numbers(path, "image size", list(sides))
    return round(float(height)), round(float(width))


def _rotation(path: Path, R: np.ndarray | None) -> np.ndarray | None:
    """(3, 3) of nine numbers, or of a rotation vector's three."""
    if R is None:
        return None
    if R.size not in (3, 9):
        raise ValueError(f"{path}: R: expected 3 x 3 numbers or a rotation vector of 3, got {R.size}")
    return cv2.Rodrigues(R.reshape(3, 1))[0] if R.size == 3 else R.reshape(3, 3)


def read_kitti(path: Path, name: str) -> np.ndarray:
    """(3, 4) of the line `<name>: 12 numbers` of a calibration file of KITTI, or of those that follow it (Rope3D)."""
    lines = {}
    for line in read_lines(path, "replace"):
        key, colon, rest = line.partition(":")
        if colon:
            lines[key.strip()] = rest
    if name not in lines:
        raise ValueError(f"{path}: no line {name!r}: it holds {', '.join(lines) or 'none'}; choose with kitti_camera")
    numbers = _numbers(path, name, lines[name])
    if numbers.size != 12:
        raise ValueError(f"{path}: {name}: expected 12 numbers, got {numbers.size}")
    return numbers.reshape(3, 4)


def read_plane(path: Path) -> np.ndarray:
    """(4,) of a ground plane's file: its last line of four numbers (KITTI's planes, Rope3D's denorm)."""
    for line in reversed(read_lines(path, "replace")):
        words = line.split()
        if len(words) == 4:
            return _numbers(path, "plane", words)
    raise ValueError(f"{path}: expected a line of four numbers a b c d")


def split_projection(P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """K (3, 3) and the shift (3,) metres of P (3, 4) = K [I | shift], by which its camera frame's points lie off the
    frame in which the plane stands. Raises ValueError where P turns, too."""
    K = P[:, :3] / P[2, 2] if P[2, 2] else P[:, :3]
    if np.abs(K[[1, 2, 2], [0, 0, 1]]).max() > 1e-6 * np.abs(K).max() or not P[2, 2]:
        raise ValueError(
            "projection: expected K and a shift, as KITTI's P2 has them, got one that turns, too: give its K, R and t"
        )
    return K, np.linalg.solve(K, P[:, 3] / P[2, 2])
