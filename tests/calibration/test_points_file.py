import numpy as np
import pytest

from calibration.geodesy import to_metres
from calibration.points_file import read_points


def written(folder, text):
    path = folder / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_metres_are_read_in_any_order_and_other_columns_left_alone(tmp_path):
    points = read_points(
        written(tmp_path, "﻿name,y_m,x_m,pixel_y,pixel_x,note,ground\nA,2,1,20,10,x,\nB,4,3,40,30,,no\n")
    )
    assert points.pixels.tolist() == [[10, 20], [30, 40]]
    assert points.metres.tolist() == [[1, 2, 0], [3, 4, 0]]
    assert points.on_ground.tolist() == [True, False] and points.names == ("A", "B") and points.origin_deg is None


def test_latitude_and_longitude_become_metres_about_their_middle(tmp_path):
    points = read_points(written(tmp_path, "pixel_x,pixel_y,lat_deg,lon_deg\n1,2, 52.0,13.0\n3,4, 52.001,13.001\n"))
    east, north, up = points.metres[1] - points.metres[0]
    # A thousandth of a degree at 52 degrees north: 111.27 m of a meridian, 68.68 m of a parallel.
    assert (east, north) == pytest.approx((68.68, 111.27), abs=0.01) and abs(up) < 0.01
    assert points.names == ("1", "2")


def test_up_is_up_and_north_is_north_everywhere_on_earth():
    for origin in ([0.0, 0.0], [51.5, -0.1], [-33.9, 151.2], [64.1, -21.9]):
        above = to_metres(np.array(origin), np.array(100.0), np.array(origin))
        assert above == pytest.approx([0, 0, 100], abs=1e-6)
        assert to_metres(np.array(origin) + [1e-4, 0], np.array(0.0), np.array(origin))[1] == pytest.approx(
            11.1, abs=0.1
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected columns pixel_x, pixel_y and east_m.* got an empty file"),
        ("pixel_x,pixel_y\n1,2\n", "expected columns .* got pixel_x, pixel_y"),
        ("pixel_x,pixel_y,x_m,y_m\n1,2,3,4\n1,two,3,4\n", "line 3: pixel_y: expected a number, got 'two'"),
        ("pixel_x,pixel_y,x_m,y_m\n1,2,3\n", "line 2: y_m: expected a number, got None"),
        ("pixel_x,pixel_y,lat,lon\n1,2,113,52\n", "lat: expected latitudes from -90 to 90, got 113"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as error:
        read_points(written(tmp_path, text))
    assert "mine.csv" in str(error.value) and "\n" not in str(error.value)
