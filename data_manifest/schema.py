"""What a camera's manifest may say: the fields of data_manifest/cameras/*.yaml, each with its unit.

Lengths in metres, angles in degrees, pixels as (x, y) with integers at pixel centres, times as local wall clock.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    FiniteFloat,
    SerializerFunctionWrapHandler,
    Tag,
    field_validator,
    model_serializer,
    model_validator,
)

from calibration.camera import GroundPlane
from calibration.sources import from_plane, from_world
from data_manifest.times import NameTimes


class Strict(BaseModel):
    """Unknown keys are errors; values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("expected an IANA time zone such as Europe/Berlin or UTC") from None
    return name


def _pattern(text: str) -> str:
    NameTimes(text)
    return text


def _clock(value: Any) -> Any:
    # YAML 1.1 reads an unquoted 08:30 as base-60 minutes, and 08:30:00 as seconds.
    if isinstance(value, int):
        raise ValueError('write times in quotes, such as "08:30"')
    return value


Number = FiniteFloat
Positive = Annotated[FiniteFloat, Field(gt=0)]
NonNegative = Annotated[FiniteFloat, Field(ge=0)]
Vector3 = tuple[Number, Number, Number]
Matrix3 = tuple[Vector3, Vector3, Vector3]
Size = tuple[Annotated[int, Field(ge=16, le=16384)], Annotated[int, Field(ge=16, le=16384)]]
Lens = Annotated[tuple[Number, ...], Field(max_length=5)]
TimeZone = Annotated[str, AfterValidator(_zone)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9_-]+$", max_length=64)]
Polygon = Annotated[tuple[tuple[Number, Number], ...], Field(min_length=3)]


class SimulatedBucket(Strict):
    """A lighting of the simulated day: the local time at which it starts, the sky's cover and the road's wetness from 0
    to 1."""

    name: Name
    start: dt.time
    cloud: Annotated[Number, Field(ge=0, le=1)] = 0.2
    wet: Annotated[Number, Field(ge=0, le=1)] = 0.0

    @model_serializer(mode="wrap")
    def _without_rain(self, to_dict: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A dry street is the same whether or not it is said: what was rendered before stays.
        values = to_dict(self)
        return values if self.wet else {key: value for key, value in values.items() if key != "wet"}

    _quoted = field_validator("start", mode="before")(_clock)


class SimulatedSource(Strict):
    """A street that the project renders itself (pipeline/simulate). `fleet`: nine plain bodies, or vehicles of every
    class and look; `vehicle_mix`: how often each of its bodies drives by, the fleet's own where it is empty."""

    kind: Literal["simulated"]
    layout: Literal["crossroads", "far_crossroads", "junction"]
    seed: Annotated[int, Field(ge=0)]
    date: dt.date
    time_zone: TimeZone = "Europe/London"
    size_wh: Size = (1280, 720)
    buckets: Annotated[tuple[SimulatedBucket, ...], Field(min_length=1)]
    bursts_per_bucket: Annotated[int, Field(ge=1)]
    burst_s: Positive
    fps: Positive = 5.0
    latitude_deg: Annotated[Number, Field(ge=-66, le=66)] = 51.5
    vehicles_per_minute: NonNegative
    people_per_minute: NonNegative
    fleet: Literal["plain", "wide"] = "wide"
    vehicle_mix: dict[str, NonNegative] = {}
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 92

    @model_serializer(mode="wrap")
    def _without_the_plain_fleet(self, to_dict: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # The plain fleet was there before it had a name: what was rendered with it stays.
        values = to_dict(self)
        return {key: value for key, value in values.items() if (key, value) != ("fleet", "plain")}

    @field_validator("buckets")
    @classmethod
    def _distinct(cls, buckets: tuple[SimulatedBucket, ...]) -> tuple[SimulatedBucket, ...]:
        return _distinct_names(buckets)


class VideoSource(Strict):
    """One video file. `fps`: the rate at which the scene was filmed, where the file's own times are wrong."""

    kind: Literal["video"]
    path: Path
    start: dt.datetime
    time_zone: TimeZone
    fps: Positive | None = None
    every: Annotated[int, Field(ge=1)] = 1

    @field_validator("start")
    @classmethod
    def _local(cls, start: dt.datetime) -> dt.datetime:
        if start.tzinfo:
            raise ValueError("expected local wall-clock time without an offset; the zone is time_zone")
        return start


class ImagesSource(Strict):
    """A folder of images with their times in their names."""

    kind: Literal["images"]
    folder: Path
    glob: Annotated[str, Field(min_length=1)] = "*.jpg"
    time_pattern: Annotated[str, AfterValidator(_pattern)]
    time_zone: TimeZone
    every: Annotated[int, Field(ge=1)] = 1

    @field_validator("glob")
    @classmethod
    def _below(cls, glob: str) -> str:
        if glob.startswith("/") or ".." in Path(glob).parts:
            raise ValueError("expected a pattern below source.folder")
        return glob


Source = Annotated[SimulatedSource | VideoSource | ImagesSource, Discriminator("kind")]


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

    _quoted = field_validator("start", "end", mode="before")(_clock)


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
    settings: dict[str, dict[str, bool | int | float | str]] = {}
    roi: tuple[Polygon, ...] = ()
    ignore: tuple[Polygon, ...] = ()

    @field_validator("buckets")
    @classmethod
    def _distinct(cls, buckets: Any) -> Any:
        return buckets if buckets == "hour" else _distinct_names(buckets)

    @model_validator(mode="after")
    def _buckets_once(self) -> Manifest:
        if self.source.kind == "simulated" and self.buckets != "hour":
            raise ValueError("a simulated source names its buckets in source.buckets; remove the other list")
        return self


def _distinct_names(buckets: tuple[Any, ...]) -> tuple[Any, ...]:
    names = [bucket.name for bucket in buckets]
    if len(set(names)) < len(names):
        raise ValueError(f"expected distinct bucket names, got {', '.join(names)}")
    return buckets
