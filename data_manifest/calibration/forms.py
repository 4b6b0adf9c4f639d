"""The forms that a manifest's `calibration` may have; each builds the one form that the project works with.

Lengths in metres, angles in degrees, pixels as (x, y) with integers at pixel centres.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, Discriminator, Field, Tag, model_validator

from calibration.camera import Camera, GroundPlane
from calibration.forms import files
from calibration.forms.homography import from_homography, inverted
from calibration.forms.poses import METRES_PER_UNIT, camera_of_focal, from_plane, from_tilt, from_world
from calibration.forms.tsai import from_tsai, read_tsai
from calibration.forms.vanishing_points import from_vanishing_points
from calibration.plausibility import of_matrix
from data_manifest.calibration.form import Axes, Form, Posed, Resolve, SizeHw, Units
from data_manifest.calibration.found import FoundCalibration
from data_manifest.calibration.intrinsics import Intrinsics, refuse
from data_manifest.strict import FilePath, Matrix3, Number, Point, Positive, Row4, Size, Strict, Vector3


class PlaneCalibration(Intrinsics):
    """The ground plane n . X + d = 0 in the camera frame (x right, y down, z forward), n up; or a file that holds one,
    as KITTI's planes and Rope3D's denorm do."""

    files = (*Intrinsics.files, "plane_file")
    original = ("K", "ground_plane", "image_size_wh", "distortion")
    ground_plane: Row4 | None = None
    plane_file: FilePath | None = None
    axes: Axes = "opencv"
    units: Units = "m"

    @model_validator(mode="after")
    def _one_plane(self) -> PlaneCalibration:
        if (self.ground_plane is None) == (self.plane_file is None):
            got = "neither" if self.ground_plane is None else "both"
            raise ValueError(f"ground_plane or plane_file: expected one of them, got {got}")
        if self.ground_plane is not None:
            from_plane(camera_of_focal(1, (1, 1)), np.array(self.ground_plane))
        return self

    def build(self, size_hw: SizeHw, resolve: Resolve) -> tuple[Camera, GroundPlane]:
        plane = (
            np.array(self.ground_plane) if self.ground_plane else files.read_plane(resolve(self.plane_file or Path()))
        )
        plane[3] = plane[3] * METRES_PER_UNIT[self.units] - plane[:3] @ self.shift(resolve)
        return from_plane(self.camera(size_hw, resolve), plane, self.axes)

    def variants(self) -> Iterator[tuple[str, Form]]:
        if self.ground_plane:
            a, b, c, d = self.ground_plane
            yield (
                "a plane whose normal points down (turn the signs of its first three numbers)",
                self._with((-a, -b, -c, d)),
            )
        yield (
            "a plane in OpenGL's camera axes (axes: opengl)",
            self.model_copy(update={"axes": "opencv" if self.axes == "opengl" else "opengl"}),
        )
        yield "millimetres (units: mm)", self.model_copy(update={"units": "mm"})

    def _with(self, plane: tuple[float, ...]) -> PlaneCalibration:
        return self.model_copy(update={"ground_plane": plane})


class WorldCalibration(Posed, Intrinsics):
    """The pose X_cam = R X_world + t of a world in metres with z up and the ground at z = 0, or as its keys say."""

    original = ("K", "R", "t", "image_size_wh", "distortion")
    R: Matrix3
    t: Vector3

    @model_validator(mode="after")
    def _possible(self) -> WorldCalibration:
        try:
            self.build((16, 16), lambda path: path)
        except OSError:
            pass  # files are looked at when the manifest is loaded
        except ValueError as error:
            if "ground plane" not in str(error):  # of where it stands, the loader says more
                raise
        return self

    def build(self, size_hw: SizeHw, resolve: Resolve) -> tuple[Camera, GroundPlane]:
        return from_world(self.camera(size_hw, resolve), np.array(self.R), np.array(self.t), self.convention)


class OpencvCalibration(Posed):
    """A file of OpenCV's that holds the pose, too: R or a rotation vector, and t."""

    files = ("opencv_file",)
    opencv_file: FilePath
    image_size_wh: Size | None = None
    lens: Literal["opencv", "fisheye"] = "opencv"

    def _camera(self) -> Intrinsics:
        return Intrinsics(opencv_file=self.opencv_file, image_size_wh=self.image_size_wh, lens=self.lens)

    def size_hw(self, resolve: Resolve) -> SizeHw | None:
        return self._camera().size_hw(resolve)

    def build(self, size_hw: SizeHw, resolve: Resolve) -> tuple[Camera, GroundPlane]:
        found = files.read_camera_file(resolve(self.opencv_file))
        if found.R is None or found.t is None or found.t.size != 3:
            raise ValueError(
                f"{resolve(self.opencv_file)}: no pose R and t in it; write ground_plane, R and t, or tilt_deg, "
                "roll_deg and height_m beside opencv_file"
            )
        return from_world(self._camera().camera(size_hw, resolve), found.R, found.t, self.convention)


class TiltCalibration(Intrinsics):
    """Degrees the camera is tilted below the horizon, its own roll, and its height."""

    original = ("focal_px", "tilt_deg", "roll_deg", "height_m", "principal_point", "image_size_wh", "distortion")
    tilt_deg: Annotated[Number, Field(gt=-45, le=90)]
    roll_deg: Annotated[Number, Field(ge=-90, le=90)] = 0.0
    height_m: Positive

    def build(self, size_hw: SizeHw, resolve: Resolve) -> tuple[Camera, GroundPlane]:
        return from_tilt(self.camera(size_hw, resolve), self.tilt_deg, self.roll_deg, self.height_m)

    def variants(self) -> Iterator[tuple[str, Form]]:
        yield (
            f"a tilt counted upwards (tilt_deg: {-self.tilt_deg:g})",
            self.model_copy(update={"tilt_deg": -self.tilt_deg}),
        )
        yield (
            f"millimetres (height_m: {self.height_m / 1000:g})",
            self.model_copy(update={"height_m": self.height_m / 1000}),
        )


class TsaiCalibration(Form):
    """Tsai's numbers in an XML file as PETS 2009 has them; lengths in millimetres, the lens included."""

    files = ("tsai_xml",)
    original = ("tsai_xml", "units")
    tsai_xml: FilePath
    units: Literal["mm"] = "mm"

    def size_hw(self, resolve: Resolve) -> SizeHw | None:
        return read_tsai(resolve(self.tsai_xml)).size_hw

    def build(self, size_hw: SizeHw, resolve: Resolve) -> tuple[Camera, GroundPlane]:
        return from_tsai(read_tsai(resolve(self.tsai_xml)))


class HomographyCalibration(Form):
    """The map between pixels and the ground's own coordinates; `scale_m`: metres of one of their units.

    The focal length follows from it where pixels are square, or K or focal_px gives it.
    """

    homography: Matrix3
    maps: Literal["pixels_to_ground", "ground_to_pixels"]
    scale_m: Positive = 1.0
    K: Matrix3 | None = None
    focal_px: Positive | None = None
    principal_point: Point | None = None
    image_size_wh: Size | None = None

    def size_hw(self, resolve: Resolve) -> SizeHw | None:
        return (self.image_size_wh[1], self.image_size_wh[0]) if self.image_size_wh else None

    def build(self, size_hw: SizeHw, resolve: Resolve) -> tuple[Camera, GroundPlane]:
        size, camera, H = self.size_hw(resolve) or size_hw, None, np.array(self.homography)
        if self.K is not None:
            refuse(of_matrix(np.array(self.K)))
            camera = Camera(np.array(self.K), size)
        elif self.focal_px is not None:
            camera = camera_of_focal(self.focal_px, size, None, self.principal_point)
        if self.maps == "ground_to_pixels":
            H = inverted(H)
        return from_homography(np.diag([self.scale_m, self.scale_m, 1]) @ H, size, camera, self.principal_point)

    def variants(self) -> Iterator[tuple[str, Form]]:
        other = "ground_to_pixels" if self.maps == "pixels_to_ground" else "pixels_to_ground"
        yield f"a homography the other way round (maps: {other})", self.model_copy(update={"maps": other})


class Distance(Strict):
    """Two pixels on the road and how far apart they are."""

    start_px: Point
    end_px: Point
    metres: Positive


class VanishingCalibration(Form):
    """Vanishing points of two perpendicular directions of the road, and a distance on it or the camera's height."""

    vanishing_points: tuple[Point, Point]
    distance: Distance | None = None
    height_m: Positive | None = None
    principal_point: Point | None = None
    image_size_wh: Size | None = None

    @model_validator(mode="after")
    def _one_length(self) -> VanishingCalibration:
        if (self.distance is None) == (self.height_m is None):
            got = "neither" if self.distance is None else "both"
            raise ValueError(f"distance or height_m: expected one of them, got {got}")
        return self

    def size_hw(self, resolve: Resolve) -> SizeHw | None:
        return (self.image_size_wh[1], self.image_size_wh[0]) if self.image_size_wh else None

    def build(self, size_hw: SizeHw, resolve: Resolve) -> tuple[Camera, GroundPlane]:
        size, one = self.size_hw(resolve) or size_hw, self.distance
        return from_vanishing_points(
            np.array(self.vanishing_points), size, height_m=self.height_m, principal_point=self.principal_point,
            ends_px=np.array([one.start_px, one.end_px]) if one else None, distance_m=one.metres if one else None,
        )  # fmt: skip


# The key by which a form is known; where several stand there, the first of these.
_KINDS: dict[str, type[Form]] = {
    "calibration_file": FoundCalibration,
    "tsai_xml": TsaiCalibration, "homography": HomographyCalibration, "vanishing_points": VanishingCalibration,
    "ground_plane": PlaneCalibration, "plane_file": PlaneCalibration, "R": WorldCalibration, "t": WorldCalibration,
    "tilt_deg": TiltCalibration, "height_m": TiltCalibration, "focal_px": TiltCalibration,
    "opencv_file": OpencvCalibration,
}  # fmt: skip
FORMS: tuple[type[Form], ...] = tuple(dict.fromkeys(_KINDS.values()))
EXPECTED = (
    "expected ground_plane, R and t, or tilt_deg, roll_deg and height_m, each with K, focal_px, opencv_file or "
    "kitti_file; or tsai_xml, homography, or vanishing_points"
)


def tag_of(form: type[Form]) -> str:
    """The name of a form among the others."""
    return form.__name__.removesuffix("Calibration").lower()


def _calibration_kind(value: Any) -> str | None:
    if isinstance(value, BaseModel):
        return tag_of(type(value)) if isinstance(value, Form) else None
    keys = set(value) if isinstance(value, dict) else set()
    return next((tag_of(form) for key, form in _KINDS.items() if key in keys), None)


Calibration = Annotated[
    Annotated[PlaneCalibration, Tag("plane")]
    | Annotated[WorldCalibration, Tag("world")]
    | Annotated[TiltCalibration, Tag("tilt")]
    | Annotated[OpencvCalibration, Tag("opencv")]
    | Annotated[TsaiCalibration, Tag("tsai")]
    | Annotated[HomographyCalibration, Tag("homography")]
    | Annotated[VanishingCalibration, Tag("vanishing")]
    | Annotated[FoundCalibration, Tag("found")],
    Discriminator(_calibration_kind),
]
