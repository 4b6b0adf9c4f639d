"""The part of a form that says the camera: K, a focal length or a file, and the lens."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from calibration.camera import LENS_TERMS, Camera
from calibration.forms import files
from calibration.forms.poses import camera_of_focal
from calibration.plausibility import Finding, of_matrix, of_terms
from data_manifest.calibration.form import Form, Resolve, SizeHw
from data_manifest.strict import FilePath, Matrix3, Number, Point, Positive, Row4, Size

Lens = Annotated[tuple[Number, ...], Field(max_length=LENS_TERMS[-1])]


class Intrinsics(Form):
    """One of K, focal_px (with principal_point), opencv_file, kitti_file and projection; and the lens."""

    files: ClassVar[tuple[str, ...]] = ("opencv_file", "kitti_file")
    K: Matrix3 | None = None
    focal_px: Positive | None = None
    principal_point: Point | None = None
    opencv_file: FilePath | None = None
    kitti_file: FilePath | None = None
    kitti_camera: str = "P2"
    projection: tuple[Row4, Row4, Row4] | None = None
    image_size_wh: Size | None = None
    distortion: Lens = ()
    lens: Literal["opencv", "fisheye"] = "opencv"

    @model_validator(mode="after")
    def _one_camera(self) -> Intrinsics:
        ways = [
            way
            for way in ("K", "focal_px", "opencv_file", "kitti_file", "projection")
            if getattr(self, way) is not None
        ]
        if len(ways) != 1:
            said = " and ".join(ways) or "none of them"
            raise ValueError(f"K, focal_px, opencv_file, kitti_file or projection: expected one of them, got {said}")
        if self.principal_point is not None and self.focal_px is None:
            raise ValueError("principal_point: it belongs to focal_px; K and files hold their own, got both")
        if self.opencv_file is not None and self.distortion:
            raise ValueError("distortion: it belongs to K or focal_px; opencv_file holds its own, got both")
        self.terms(self.distortion, self.lens == "fisheye")
        if self.K is not None:
            refuse(of_matrix(np.array(self.K)))
        return self

    @staticmethod
    def terms(distortion: tuple[float, ...] | np.ndarray, fisheye: bool) -> np.ndarray:
        """The lens's terms as Camera takes them. Raises ValueError for a number of them that no lens has."""
        given = np.array(distortion, float)
        if fisheye:
            if len(given) != 4:
                raise ValueError(f"distortion: a fisheye lens has four terms k1 k2 k3 k4, got {len(given)}")
            return given
        refuse(of_terms(given))
        if len(given) > 5 and len(given) not in LENS_TERMS:
            raise ValueError(f"distortion: expected at most 5 terms, or 8, 12 or 14, got {len(given)}")
        return given if len(given) > 5 else np.array([*given, *[0.0] * (5 - len(given))])

    def size_hw(self, resolve: Resolve) -> SizeHw | None:
        """image_size_wh, else what opencv_file says."""
        if self.image_size_wh:
            return self.image_size_wh[1], self.image_size_wh[0]
        return files.read_camera_file(resolve(self.opencv_file)).size_hw if self.opencv_file is not None else None

    def camera(self, size_hw: SizeHw, resolve: Resolve) -> Camera:
        """The camera, of pictures of its own size where it says one, else of size_hw."""
        size = self.size_hw(resolve) or size_hw
        lens = self.terms(self.distortion, self.lens == "fisheye")
        if self.focal_px is not None:
            return camera_of_focal(self.focal_px, size, lens, self.principal_point)
        if self.opencv_file is not None:
            found = files.read_camera_file(resolve(self.opencv_file))
            refuse(of_matrix(found.K))
            return Camera(found.K, size, self.terms(found.distortion, found.fisheye or self.lens == "fisheye"))
        K = np.array(self.K) if self.K is not None else files.split_projection(self._projection(resolve))[0]
        refuse(of_matrix(K))
        return Camera(K, size, lens)

    def _projection(self, resolve: Resolve) -> np.ndarray:
        if self.projection is not None:
            return np.array(self.projection)
        assert self.kitti_file is not None
        return files.read_kitti(resolve(self.kitti_file), self.kitti_camera)

    def shift(self, resolve: Resolve) -> np.ndarray:
        """(3,) metres: where a projection's frame of reference lies in the camera frame; 0 of other forms."""
        if self.projection is None and self.kitti_file is None:
            return np.zeros(3)
        return files.split_projection(self._projection(resolve))[1]


def refuse(found: list[Finding]) -> None:
    """Raises ValueError with the first of what was found, if anything was."""
    if found:
        raise ValueError(found[0].text)
