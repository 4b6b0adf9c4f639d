"""Published dimensions of real vehicles (dimensions.csv), and dimensions sampled from them and a little beyond.

A row is a model: length, width without mirrors, height, wheelbase from the front axle to the hindmost, axle_gaps from
axle to axle where there are more than two, tracks, overhangs; metres, empty where not known to about 2 %. Its source:
- `Transport Canada`: Canadian Vehicle Specifications, as body_configs.csv of github.com/shifter907/allcarsdb has them,
  in inches to a tenth; `model` is that file's own reference.
- `maker`: what the maker publishes, entered from memory and not checked against a data sheet. That overhangs and
  wheelbase, remembered apart, make up the length, and that ratios lie in their class's range, is tested.
- `AASHTO`: design vehicles of A Policy on Geometric Design of Highways and Streets.
- `96/53/EC`: the greatest that the directive allows.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

TABLE = Path(__file__).with_name("dimensions.csv")
BEYOND = 0.1  # how far samples reach beyond the span of two models, in fractions of it
# Bodies without rows of their own stand on the chassis of another's.
_CHASSIS = {"box_van": "van", "tanker": "lorry"}
# Wheelbase over length where it is not published.
_WHEELBASE_FRACTION = {
    "double_decker": (0.46, 0.58), "lorry": (0.52, 0.62), "tanker": (0.52, 0.62), "articulated_lorry": (0.80, 0.86),
    "coach": (0.48, 0.60),
}  # fmt: skip
# The front overhang's part of both, where it is not published: small cars stand with their wheels at the corners.
_FRONT_PART = {
    "microcar": (0.42, 0.58), "sedan": (0.38, 0.52), "coupe": (0.40, 0.54), "limousine": (0.38, 0.46),
    "pickup": (0.38, 0.48), "bus": (0.42, 0.48), "coach": (0.44, 0.50), "double_decker": (0.42, 0.52),
    "lorry": (0.34, 0.46), "tanker": (0.34, 0.46), "articulated_lorry": (0.36, 0.55), "tractor": (0.42, 0.55),
}  # fmt: skip


@dataclass(frozen=True)
class Dimensions:
    """One vehicle's outer dimensions in metres, width without mirrors; wheelbase to the hindmost axle, front_overhang
    from the front to the front axle."""

    length: float
    width: float
    height: float
    wheelbase: float
    front_overhang: float
    track_front: float
    track_rear: float


@dataclass(frozen=True)
class Model:
    """One row of the table; None where it is empty."""

    body: str
    maker: str
    model: str
    length_m: float
    width_m: float
    height_m: float
    wheelbase_m: float | None
    axle_gaps_m: tuple[float, ...]
    track_front_m: float | None
    track_rear_m: float | None
    front_overhang_m: float | None
    rear_overhang_m: float | None
    source: str


@cache
def models() -> tuple[Model, ...]:
    """All rows of the table."""
    with TABLE.open(newline="") as file:
        return tuple(_model(row) for row in csv.DictReader(file))


def _model(row: dict[str, str]) -> Model:
    text = {name: row[name] for name in ("body", "maker", "model", "source")}
    gaps = tuple(float(gap) for gap in row["axle_gaps_m"].split())
    numbers = {k: float(v) if v else None for k, v in row.items() if k.endswith("_m") and k != "axle_gaps_m"}
    return Model(**text, axle_gaps_m=gaps, **numbers)  # type: ignore[arg-type]


def models_of(body: str) -> tuple[Model, ...]:
    """The rows that a body's dimensions are sampled from."""
    return tuple(model for model in models() if model.body == _CHASSIS.get(body, body))


def sample_dimensions(body: str, rng: np.random.Generator) -> Dimensions:
    """Dimensions on the line through two models of a body, up to BEYOND of their distance outside them.

    Logarithms of wheelbase, overhangs, width, height and tracks are mixed, so that no sample is impossible.
    """
    rows = models_of(body)
    first, second = (_known(rows[int(rng.integers(len(rows)))], body, rng) for _ in range(2))
    mixed = np.exp(first + rng.uniform(-BEYOND, 1 + BEYOND) * (second - first))
    front, wheelbase, rear, width, height, track_front, track_rear = (float(value) for value in mixed)
    return Dimensions(front + wheelbase + rear, width, height, wheelbase, front, track_front, track_rear)


def _known(model: Model, body: str, rng: np.random.Generator) -> np.ndarray:
    """(7,) logarithms of front overhang, wheelbase, rear overhang, width, height, tracks; what is empty is sampled."""
    wheelbase = model.wheelbase_m or model.length_m * rng.uniform(*_WHEELBASE_FRACTION[body])
    both = model.length_m - wheelbase
    front = model.front_overhang_m or both * rng.uniform(*_FRONT_PART.get(body, (0.46, 0.58)))
    track_front = model.track_front_m or model.width_m * rng.uniform(0.83, 0.88)
    track_rear = model.track_rear_m or track_front * rng.uniform(0.98, 1.02)
    return np.log([front, wheelbase, both - front, model.width_m, model.height_m, track_front, track_rear])
