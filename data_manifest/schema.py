"""What a camera's manifest may say: the fields of data_manifest/cameras/*.yaml, each with its unit.

Lengths in metres, angles in degrees, pixels as (x, y) with integers at pixel centres, times as local wall clock.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    field_validator,
    model_serializer,
    model_validator,
)

from data_manifest.calibration import Calibration
from data_manifest.strict import FilePath, NonNegative, Number, Polygon, Rate, Size, Strict
from data_manifest.times import DATED, NameTimes, of_our_time, utc_of
from readers.limits import limit


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


def _wall_clock(clock: dt.time) -> dt.time:
    if clock.tzinfo:
        raise ValueError("expected a local wall-clock time without an offset; the zone is source.time_zone")
    return clock


def _day(date: dt.date) -> dt.date:
    of_our_time(dt.datetime.combine(date, dt.time()))
    return date


Clock = Annotated[dt.time, AfterValidator(_wall_clock)]
TimeZone = Annotated[str, AfterValidator(_zone)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9_-]+$", max_length=64)]


class SimulatedBucket(Strict):
    """A lighting of the simulated day: the local time at which it starts, the sky's cover and the road's wetness from 0
    to 1."""

    name: Name
    start: Clock
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
    date: Annotated[dt.date, AfterValidator(_day)]
    time_zone: TimeZone = "Europe/London"
    size_wh: Size = (1280, 720)
    buckets: Annotated[tuple[SimulatedBucket, ...], Field(min_length=1)]
    bursts_per_bucket: Annotated[int, Field(ge=1, le=1_000_000)]
    burst_s: Annotated[Number, Field(gt=0, le=86_400)]
    fps: Rate = 5.0
    latitude_deg: Annotated[Number, Field(ge=-66, le=66)] = 51.5
    vehicles_per_minute: Annotated[Number, Field(ge=0, le=1000)]
    people_per_minute: Annotated[Number, Field(ge=0, le=1000)]
    fleet: Literal["plain", "wide"] = "wide"
    vehicle_mix: dict[str, NonNegative] = Field(default_factory=dict)
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

    @model_validator(mode="after")
    def _bounded(self) -> SimulatedSource:
        frames = len(self.buckets) * self.bursts_per_bucket * self.burst_s * self.fps
        if frames > 1e6 * limit("frames_millions"):
            raise ValueError(
                f"bursts_per_bucket, burst_s and fps: expected at most {limit('frames_millions'):g} million frames "
                f"(frames_millions), got {frames:.3g}"
            )
        return self


def _frame_or_time(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str):
        for kind in (dt.time, dt.datetime):
            with contextlib.suppress(ValueError):
                value = kind.fromisoformat(value)
                break
    if isinstance(value, dt.datetime | dt.time) and not value.tzinfo:
        return of_our_time(value) if isinstance(value, dt.datetime) else value
    raise ValueError('expected a frame\'s number from 0, or a local time in quotes such as "07:10:00"')


# A frame's number in the recording, or a local time; a clock's alone is of the day on which the recording starts.
FrameOrTime = Annotated[Any, BeforeValidator(_frame_or_time)]


class Recording(Strict):
    """What videos and images have in common: when it was made, of which every n-th frame is used."""

    time_zone: TimeZone
    start: dt.datetime | None = None
    time_pattern: Annotated[str, AfterValidator(_pattern)] | None = None
    fps: Annotated[Number, Field(gt=0, le=100_000)] | None = None
    every: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1

    @field_validator("start")
    @classmethod
    def _local(cls, start: dt.datetime | None) -> dt.datetime | None:
        if start is not None and start.tzinfo:
            raise ValueError("expected local wall-clock time without an offset; the zone is time_zone")
        return start if start is None else of_our_time(start)

    @model_validator(mode="after")
    def _possible_start(self) -> Recording:
        if self.start is not None:
            utc_of(self.start, ZoneInfo(self.time_zone))
        return self


class VideoSource(Recording):
    """A video, or the segments of one: a folder, or a glob such as `footage/*.mp4`.

    One of `start` and `time_pattern` says when it starts; with `start`, segments follow each other without a pause.
    `fps`: the rate at which the scene was filmed, where the file's own times are wrong. Only the frames from `first` to
    `last`, both included, are used.
    """

    kind: Literal["video"]
    path: FilePath
    first: FrameOrTime = None
    last: FrameOrTime = None

    @model_validator(mode="after")
    def _in_order(self) -> VideoSource:
        if self.first is not None and type(self.first) is type(self.last) and self.last < self.first:
            raise ValueError(f"last: expected one after first, {self.first}, got {self.last}")
        return self

    @model_validator(mode="after")
    def _anchored(self) -> VideoSource:
        if (self.start is None) == (self.time_pattern is None):
            got = "none of them" if self.start is None else "both"
            raise ValueError(f"start, or time_pattern where the names tell: expected one of them, got {got}")
        if self.time_pattern and not NameTimes(self.time_pattern).has_date:
            raise ValueError(f"time_pattern: expected one with a date, such as {DATED!r}, got {self.time_pattern!r}")
        return self


class ImagesSource(Recording):
    """A folder of images with their times in their names, or numbered, with the rate `fps` from `start` on.

    A pattern without a date takes that of `start`; `fps` with `%q` is the number of frames in a second.
    """

    kind: Literal["images"]
    folder: FilePath
    glob: Annotated[str, Field(min_length=1)] = "*.jpg"

    @model_validator(mode="after")
    def _timed(self) -> ImagesSource:
        if not self.time_pattern:
            if self.start is None or self.fps is None:
                raise ValueError("time_pattern, or fps and start of numbered images: missing")
            return self
        names = NameTimes(self.time_pattern)
        if self.start is not None and names.has_date:
            raise ValueError("start: the names tell the date by time_pattern; remove one of the two")
        if self.fps is not None and not names.numbered:
            raise ValueError("fps: the names tell the times by time_pattern; remove one of the two")
        return self

    @field_validator("glob")
    @classmethod
    def _below(cls, glob: str) -> str:
        if glob.startswith("/") or ".." in Path(glob).parts:
            raise ValueError("expected a pattern below source.folder")
        try:
            list(Path("/nonexistent").glob(glob))
        except (ValueError, IndexError, NotImplementedError, RecursionError):
            raise ValueError("expected a pattern of names, such as *.jpg") from None
        return glob


Source = Annotated[SimulatedSource | VideoSource | ImagesSource, Discriminator("kind")]


class Bucket(Strict):
    """A stretch of the local day with its own background; it may run over midnight."""

    name: Name
    start: Clock
    end: Clock

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
    # Frames and backgrounds need none, nor does what finds one.
    calibration: Calibration | None = None
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
