from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.simulate.world.illumination import drift, illumination_at, sun_direction

EQUINOX, SUMMER, WINTER = datetime(2025, 3, 21, 13), datetime(2025, 6, 21, 13), datetime(2025, 12, 21, 13)


def degrees_high(direction):
    return float(np.degrees(np.arcsin(direction[2])))


@pytest.mark.parametrize("latitude", [-35.0, 0.0, 51.5])
@pytest.mark.parametrize(("moment", "declination"), [(EQUINOX, 0.0), (SUMMER, 23.44), (WINTER, -23.44)])
def test_the_noon_sun_stands_as_high_as_latitude_and_season_say(latitude, moment, declination):
    assert degrees_high(sun_direction(moment, latitude, 0.0)) == pytest.approx(
        90 - abs(latitude - declination), abs=0.6
    )


def test_where_y_is_north_the_sun_rises_in_x_and_culminates_behind():
    morning, noon, evening = (sun_direction(EQUINOX + timedelta(hours=h), 51.5, 0.0) for h in (-6, 0, 6))
    assert morning == pytest.approx([1, 0, 0], abs=0.02)
    assert noon[:2] == pytest.approx([0, -np.sin(np.radians(51.5))], abs=0.02)
    assert evening == pytest.approx([-1, 0, 0], abs=0.02)


def test_turning_the_view_to_the_east_puts_the_noon_sun_on_its_right():
    x, y, _ = sun_direction(EQUINOX, 51.5, 90.0)
    assert x > 0.7
    assert y == pytest.approx(0, abs=0.02)


@given(st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31)), st.floats(-66, 66), st.floats(-180, 180))
def test_the_suns_direction_is_a_unit_vector_whose_height_no_view_changes(moment, latitude, north):
    turned = sun_direction(moment, latitude, north)
    assert np.linalg.norm(turned) == pytest.approx(1, abs=1e-9)
    assert turned[2] == pytest.approx(sun_direction(moment, latitude, 0.0)[2], abs=1e-9)


def test_after_sunset_there_is_no_sun_and_the_lamps_are_lit():
    day, night = (illumination_at(EQUINOX + timedelta(hours=h), 51.5, 0.0, 0.1) for h in (0, 7))
    assert day.sun.min() > 0
    assert not day.lamps
    assert not night.sun.any()
    assert night.lamps
    assert 0 < night.sky.max() < day.sky.min()
    assert night.noise > day.noise
    assert night.exposure > day.exposure


def test_a_low_sun_is_redder_than_a_high_one():
    low, high = (illumination_at(SUMMER + timedelta(hours=h), 51.5, 0.0, 0.0).sun for h in (6.5, 0))
    assert low[0] / low[2] > 1.3 * high[0] / high[2]


def test_cloud_takes_from_the_sun_and_gives_to_the_sky():
    illuminations = [illumination_at(SUMMER, 51.5, 0.0, cloud) for cloud in (0.0, 0.5, 1.0)]
    suns, skies = (
        [illumination.sun.sum() for illumination in illuminations],
        [illumination.sky.sum() for illumination in illuminations],
    )
    assert suns == sorted(suns, reverse=True)
    assert skies == sorted(skies)
    assert suns[2] < 0.1 * suns[0]


def test_ambient_light_is_the_skys_from_above_and_the_grounds_from_below():
    illumination = replace(
        illumination_at(SUMMER, 51.5, 0.0, 0.3), sky=np.array([0.2, 0.3, 0.4]), bounce=np.array([0.1, 0.1, 0.0])
    )
    up, side, down = illumination.ambient(np.array([[0, 0, 1.0], [1, 0, 0], [0, 0, -1]]))
    assert up == pytest.approx([0.2, 0.3, 0.4])
    assert side == pytest.approx([0.15, 0.2, 0.2])
    assert down == pytest.approx([0.1, 0.1, 0.0])


@pytest.mark.parametrize("seed", range(4))
def test_passing_cloud_is_slow_and_slight_but_there(seed):
    factors = np.array([drift(0.3, second, seed) for second in np.arange(0, 120, 0.2)])
    assert abs(factors - 1).max() < 0.15
    assert abs(np.diff(factors)).max() < 0.02
    assert np.ptp(factors) > 0.02
    assert drift(0.3, 5.0, seed) != drift(0.3, 5.0, seed + 1)
