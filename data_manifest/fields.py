"""Kinds of values that a camera's manifest holds: numbers with bounds, sizes, names, times, and how each is checked."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat

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


def clock(value: Any) -> Any:
    """A local time as it was written. Raises ValueError for one without quotes."""
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
Pattern = Annotated[str, AfterValidator(_pattern)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9_-]+$", max_length=64)]
Polygon = Annotated[tuple[tuple[Number, Number], ...], Field(min_length=3)]


def distinct_names(buckets: tuple[Any, ...]) -> tuple[Any, ...]:
    """The time buckets as they are. Raises ValueError where two have one name."""
    names = [bucket.name for bucket in buckets]
    if len(set(names)) < len(names):
        raise ValueError(f"expected distinct bucket names, got {', '.join(names)}")
    return buckets
