"""What a camera's manifest may say: the fields of data_manifest/cameras/*.yaml, each with its unit.

Lengths in metres, angles in degrees, pixels as (x, y) with integers at pixel centres, times as local wall clock.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from calibration.camera import GroundPlane
from calibration.sources import from_plane, from_world
from data_manifest.fields import (
    Lens,
    Matrix3,
    Name,
    Number,
    Polygon,
    Positive,
    Size,
    Strict,
    Vector3,
    clock,
    distinct_names,
)
from data_manifest.sources import Source


class PlaneCalibration(Strict):
    """K and the ground plane n . X + d = 0 in the camera frame (x right, y down, z forward), n up."""

    K: Matrix3
    ground_plane: tuple[Number, Number, Number, Number]
    image_size_wh: Size | None = None
    distortion: Lens = ()

    @model_validator(mode="after")
    def _possible(self) -> PlaneCalibration:
        from_plane(np.array(self.K), np.array(self.ground_plane), (16, 16), padded_lens(self.distortion))
        return self


class WorldCalibration(Strict):
    """K and the pose X_cam = R X_world + t of a world in metres with z up and the ground at z = 0."""

    K: Matrix3
    R: Matrix3
    t: Vector3
    image_size_wh: Size | None = None
    distortion: Lens = ()

    @model_validator(mode="after")
    def _possible(self) -> WorldCalibration:
        lens = padded_lens(self.distortion)
        from_world(np.array(self.K), np.array(self.R), np.array(self.t), (16, 16), lens)
        return self


class TiltCalibration(Strict):
    """Focal length, degrees the camera is tilted below the horizon, its own roll, and its height."""

    focal_px: Positive
    tilt_deg: Annotated[Number, Field(gt=-45, le=90)]
    roll_deg: Annotated[Number, Field(ge=-90, le=90)] = 0.0
    height_m: Positive
    principal_point: tuple[Number, Number] | None = None
    image_size_wh: Size | None = None
    distortion: Lens = ()

    @model_validator(mode="after")
    def _possible(self) -> TiltCalibration:
        GroundPlane.from_tilt(self.tilt_deg, self.roll_deg, self.height_m)
        return self


class TsaiCalibration(Strict):
    """Tsai's numbers in an XML file as PETS 2009 has them; lengths in millimetres, the lens included."""

    tsai_xml: Path
    units: Literal["mm"] = "mm"


def _calibration_kind(value: Any) -> str | None:
    if isinstance(value, BaseModel):
        return type(value).__name__.removesuffix("Calibration").lower()
    keys = set(value) if isinstance(value, dict) else set()
    kinds = (("tsai_xml", "tsai"), ("ground_plane", "plane"), ("R", "world"), ("t", "world"), ("focal_px", "tilt"))
    tilt = {"tilt_deg", "height_m"} & keys
    return next((kind for key, kind in kinds if key in keys), "tilt" if tilt else None)


Calibration = Annotated[
    Annotated[PlaneCalibration, Tag("plane")]
    | Annotated[WorldCalibration, Tag("world")]
    | Annotated[TiltCalibration, Tag("tilt")]
    | Annotated[TsaiCalibration, Tag("tsai")],
    Discriminator(_calibration_kind),
]


def padded_lens(distortion: tuple[float, ...]) -> np.ndarray:
    """(5,) OpenCV's k1 k2 p1 p2 k3 with the ones not given as zero."""
    return np.array([*distortion, *[0.0] * (5 - len(distortion))])


class Bucket(Strict):
    """A stretch of the local day with its own background; it may run over midnight."""

    name: Name
    start: dt.time
    end: dt.time

    _quoted = field_validator("start", "end", mode="before")(clock)


Buckets = Annotated[
    Annotated[Literal["hour"], Tag("hourly")] | Annotated[tuple[Bucket, ...], Field(min_length=1), Tag("named")],
    Discriminator(lambda value: "named" if isinstance(value, list | tuple) else "hourly"),
]


class DetectorChoice(BaseModel):
    """The detector's name, and any of its settings that this camera needs otherwise than luigi.cfg has them.

    Which names and settings there are, pipeline/detection knows: whoever detects with it checks them.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    backend: Name

    @property
    def options(self) -> dict[str, Any]:
        """The backend's settings given here."""
        return dict(self.model_extra or {})


class Manifest(Strict):
    """One camera."""

    description: str = ""
    source: Source
    calibration: Calibration
    buckets: Buckets = "hour"
    classes: Annotated[tuple[Literal["person", "vehicle"], ...], Field(min_length=1)] = ("person", "vehicle")
    detector: DetectorChoice | None = None
    # By task and key, as luigi.cfg has them; which there are, the tasks know and check.
    settings: dict[str, dict[str, bool | int | float | str]] = Field(default_factory=dict)
    roi: tuple[Polygon, ...] = ()
    ignore: tuple[Polygon, ...] = ()

    @field_validator("buckets")
    @classmethod
    def _distinct(cls, buckets: Any) -> Any:
        return buckets if buckets == "hour" else distinct_names(buckets)

    @model_validator(mode="after")
    def _buckets_once(self) -> Manifest:
        if self.source.kind == "simulated" and self.buckets != "hour":
            raise ValueError("a simulated source names its buckets in source.buckets; remove the other list")
        return self
