"""A calibration that was found rather than written: the canonical form in a YAML of its own, with its uncertainty."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import yaml
from pydantic import Field, ValidationError

from calibration.camera import Camera, GroundPlane
from calibration.control_points import NAMES
from data_manifest.calibration.form import Form, Resolve, SizeHw
from data_manifest.calibration.intrinsics import Lens
from data_manifest.strict import Matrix3, Row4, Size, Strict
from readers.yaml_file import read_yaml


class Found(Strict):
    """What the file holds; covariance (4, 4) of focal_px, tilt_deg, roll_deg and height_m."""

    made_from: str
    K: Matrix3
    distortion: Lens
    ground_plane: Row4
    image_size_wh: Size
    covariance: Annotated[tuple[Row4, ...], Field(min_length=len(NAMES), max_length=len(NAMES))]


class FoundCalibration(Form):
    """The file that CalibrateFromPoints and CalibrateFromTraffic write."""

    files: ClassVar[tuple[str, ...]] = ("calibration_file",)
    calibration_file: Path

    def size_hw(self, resolve: Resolve) -> SizeHw | None:
        found = read_found(resolve(self.calibration_file))
        return found.image_size_wh[1], found.image_size_wh[0]

    def build(self, size_hw: SizeHw, resolve: Resolve) -> tuple[Camera, GroundPlane]:
        found, plane = read_found(resolve(self.calibration_file)), np.zeros(4)
        plane[:] = found.ground_plane
        camera = Camera(np.array(found.K), found.image_size_wh[::-1], np.array(found.distortion))
        return camera, GroundPlane(plane[:3], plane[3])


def read_found(path: Path) -> Found:
    """Raises ValueError, one line with the file's name, for what is no such file."""
    try:
        return Found.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise ValueError(f"{path}: {where}: {first['msg']}; make it anew, or write the calibration out") from None


def text_of(camera: Camera, plane: GroundPlane, covariance: np.ndarray, made_from: str) -> str:
    """The YAML of a calibration."""
    found = Found(
        made_from=made_from, K=camera.K.tolist(), distortion=tuple(camera.distortion.tolist()),
        ground_plane=(*plane.n.tolist(), plane.d), image_size_wh=camera.size_hw[::-1],
        covariance=tuple(map(tuple, covariance.tolist())),
    )  # fmt: skip
    return yaml.safe_dump(found.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=110)
