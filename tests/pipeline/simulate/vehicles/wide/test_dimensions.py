"""The table of published dimensions: plausible row by row; samples stay near it and reach beyond it."""

from collections import Counter

import numpy as np
import pytest

from pipeline.simulate.vehicles.wide.dimensions import BEYOND, models, models_of, sample_dimensions

# Wheelbase over length, width over height of what drives on roads.
_CARS = ("hatchback", "sedan", "wagon", "suv", "coupe", "mpv")
_SOURCES = {"Transport Canada", "maker", "AASHTO", "96/53/EC"}


def test_there_are_models_of_every_class() -> None:
    """At least 300, none twice."""
    rows = models()
    assert len(rows) >= 300
    assert max(Counter((row.maker, row.model) for row in rows).values()) == 1
    assert {row.source for row in rows} == _SOURCES
    assert {"microcar", "limousine", "van", "camper", "double_decker", "articulated_bus", "tractor"} <= {
        row.body for row in rows
    }


def test_overhangs_and_wheelbase_make_up_the_length() -> None:
    """To the 2 % that the table promises, and axle gaps the wheelbase."""
    known = [r for r in models() if r.front_overhang_m and r.rear_overhang_m]
    assert len(known) >= 40
    for row in known:
        assert row.wheelbase_m is not None and row.front_overhang_m and row.rear_overhang_m
        total = row.front_overhang_m + row.wheelbase_m + row.rear_overhang_m
        assert total == pytest.approx(row.length_m, rel=0.003), row
    for row in models():
        if row.axle_gaps_m:
            assert sum(row.axle_gaps_m) == pytest.approx(row.wheelbase_m, abs=0.02)


@pytest.mark.parametrize("row", models(), ids=lambda row: f"{row.maker}-{row.model}")
def test_a_row_is_plausible(row) -> None:
    """Ratios lie where vehicles' do: a slip of a digit or of a column falls out."""
    assert 2.2 < row.length_m < 18.8 and 1.2 < row.width_m < 2.61 and 1.1 < row.height_m < 4.45
    if row.wheelbase_m is not None:
        assert (0.41 if row.body in ("bus", "coach", "camper") else 0.53) < row.wheelbase_m / row.length_m < 0.86
    for track in (row.track_front_m, row.track_rear_m):
        assert track is None or 0.76 < track / row.width_m < 0.945
    if row.track_front_m and row.track_rear_m:
        assert 0.92 < row.track_rear_m / row.track_front_m < 1.09
    if row.body in _CARS:
        assert 2.0 < row.length_m / row.width_m < 3.1 and 0.57 < row.height_m / row.width_m < 1.09


@pytest.mark.parametrize("body", sorted({row.body for row in models()} | {"box_van", "tanker"}))
def test_samples_reach_beyond_the_table_by_a_tenth(body: str) -> None:
    """No farther than that beyond, in any dimension; and of the bodies with many models some do lie beyond."""
    rng = np.random.default_rng(3)
    rows = models_of(body)
    samples = [sample_dimensions(body, rng) for _ in range(400)]
    outside = 0
    for name in ("width", "height"):
        published = np.log([getattr(row, f"{name}_m") for row in rows])
        reach = BEYOND * np.ptp(published)
        values = np.log([getattr(s, name) for s in samples])
        assert published.min() - reach - 1e-9 <= values.min() and values.max() <= published.max() + reach + 1e-9
        outside += int((values < published.min()).sum() + (values > published.max()).sum())
    assert outside > 0 or len({(row.width_m, row.height_m) for row in rows}) < 3
    for sample in samples:
        assert 0 < sample.front_overhang < sample.length - sample.wheelbase
