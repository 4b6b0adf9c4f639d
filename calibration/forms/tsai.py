"""Tsai's camera model, as the PETS 2009 cameras have it in XML files, and the same camera with OpenCV's lens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from calibration.camera import Camera, GroundPlane
from readers.xml_file import read_xml

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# Farthest that the converted lens may move a pixel from where Tsai's puts it.
_LENS_TOLERANCE_PX = 0.05


@dataclass(frozen=True)
class Tsai:
    """Tsai's camera. Sensor coordinates in mm; an undistorted point is its distorted one times 1 + kappa1 r^2.

    pixel x = sx * X / dpx + cx, pixel y = Y / dpy + cy; X_cam = R X_world + t with t in mm, R = Rz Ry Rx.
    """

    width: float
    height: float
    dpx: float
    dpy: float
    focal: float
    kappa1: float
    cx: float
    cy: float
    sx: float
    tx: float
    ty: float
    tz: float
    rx: float
    ry: float
    rz: float

    @property
    def size_hw(self) -> tuple[int, int]:
        """(height, width) in pixels of the images that were calibrated."""
        return round(self.height), round(self.width)

    @property
    def K(self) -> np.ndarray:
        """(3, 3) in pixels."""
        fx, fy = self.focal * self.sx / self.dpx, self.focal / self.dpy
        return np.array([[fx, 0, self.cx], [0, fy, self.cy], [0, 0, 1]])

    @property
    def R(self) -> np.ndarray:
        """(3, 3) rotation of world directions into the camera frame."""
        (sx, sy, sz), (cx, cy, cz) = (f([self.rx, self.ry, self.rz]) for f in (np.sin, np.cos))
        Rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
        Ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        Rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        return Rz @ Ry @ Rx


_TSAI_FIELDS = {
    "Geometry": ("width", "height", "dpx", "dpy"),
    "Intrinsic": ("focal", "kappa1", "cx", "cy", "sx"),
    "Extrinsic": ("tx", "ty", "tz", "rx", "ry", "rz"),
}
_POSITIVE, _LARGEST = ("width", "height", "dpx", "dpy", "focal", "sx"), 1e5


def read_tsai(path: Path) -> Tsai:
    """Tsai's numbers from an XML file as PETS 2009 gives them: Camera / Geometry, Intrinsic, Extrinsic."""
    root = read_xml(path)
    values = {name: _number(path, root, tag, name) for tag, names in _TSAI_FIELDS.items() for name in names}
    return Tsai(**values)


def _number(path: Path, root: Element, tag: str, name: str) -> float:
    element = root.find(tag)
    text = None if element is None else element.get(name)
    try:
        number = float(text or "")
    except ValueError:
        number = np.nan
    if not np.isfinite(number) or (name in _POSITIVE and not 0 < number <= _LARGEST):
        kind = "positive number" if name in _POSITIVE else "number"
        raise ValueError(f'{path}: expected a {kind} in {tag} {name}="...", got {text!r}')
    return number


def from_tsai(tsai: Tsai) -> tuple[Camera, GroundPlane]:
    """Tsai's camera with its lens as OpenCV's k1, k2, k3, true to 0.05 px in the whole image."""
    camera = Camera(tsai.K, tsai.size_hw, _opencv_lens(tsai))
    t = np.array([tsai.tx, tsai.ty, tsai.tz]) / 1000
    up = tsai.R[:, 2]
    return camera, GroundPlane(up, float(-up @ t))


def _opencv_lens(tsai: Tsai) -> np.ndarray:
    """(5,) k1 k2 p1 p2 k3 of r_d / r_u = 1 + k1 r_u^2 + k2 r_u^4 + k3 r_u^6, radii in units of the focal length."""
    height, width = tsai.size_hw
    corners = np.array([[x, y] for x in (0, width) for y in (0, height)]) - [tsai.cx, tsai.cy]
    reach = np.hypot(*(corners / np.diag(tsai.K)[:2]).T).max()
    r_d = np.linspace(0, reach, 400)[1:]
    r_u = r_d * (1 + tsai.kappa1 * (tsai.focal * r_d) ** 2)
    if np.any(np.diff(r_u) <= 0):
        raise ValueError(f"Tsai kappa1 {tsai.kappa1}: the lens folds the image over before its corners")
    # Both sides times r_u: what is minimised is the distance in the image.
    powers = np.stack([r_u**3, r_u**5, r_u**7], axis=1)
    k, *_ = np.linalg.lstsq(powers, r_d - r_u, rcond=None)
    off_px = np.abs(powers @ k - (r_d - r_u)).max() * tsai.K[0, 0]
    if off_px > _LENS_TOLERANCE_PX:
        raise ValueError(f"Tsai kappa1 {tsai.kappa1}: OpenCV's lens misses it by {off_px:.2f} px")
    return np.array([k[0], k[1], 0, 0, k[2]])
