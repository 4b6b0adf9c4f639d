"""Types of a manifest's values: unknown keys are errors, numbers are finite, values never change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat

from readers.limits import limit
from readers.texts import expanded


class Strict(BaseModel):
    """Unknown keys are errors; values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _path(path: Path) -> Path:
    expanded(path, "the path")
    return path


def _size(size: tuple[int, int]) -> tuple[int, int]:
    if size[0] * size[1] > 1e6 * limit("picture_megapixels"):
        raise ValueError(f"expected at most {limit('picture_megapixels'):g} megapixels (picture_megapixels)")
    return size


def _area(polygon: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    hull = cv2.convexHull(np.array(polygon, np.float32))
    if cv2.contourArea(hull) < 1:
        raise ValueError("expected a region with an area, its corners lie on a line")
    return polygon


Number = FiniteFloat
Positive = Annotated[FiniteFloat, Field(gt=0)]
NonNegative = Annotated[FiniteFloat, Field(ge=0)]
Rate = Annotated[FiniteFloat, Field(gt=0, le=1000)]  # frames a second
Pixel = Annotated[FiniteFloat, Field(ge=-32_000, le=32_000)]  # beyond, OpenCV's whole numbers wrap
FilePath = Annotated[Path, AfterValidator(_path)]
Point = tuple[Number, Number]
Vector3 = tuple[Number, Number, Number]
Matrix3 = tuple[Vector3, Vector3, Vector3]
Row4 = tuple[Number, Number, Number, Number]
Side = Annotated[int, Field(ge=16, le=16384)]
Size = Annotated[tuple[Side, Side], AfterValidator(_size)]
Polygon = Annotated[tuple[tuple[Pixel, Pixel], ...], Field(min_length=3), AfterValidator(_area)]
