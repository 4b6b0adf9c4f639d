"""The page of control points over a real socket: what it records, and whom it refuses."""

import json

import pytest
from page_visitor import Visitor

from calibration.points_file import read_points
from pipeline.self_calibration.click_page import ClickSession

POINT = {
    "pixel_x": 10.5,
    "pixel_y": 20,
    "east_m": "3.25",
    "north_m": -4,
    "height_m": "",
    "name": "kerb",
    "ground": "no",
}


@pytest.fixture
def visitor(tmp_path):
    out = tmp_path / "points.csv"
    one = Visitor(ClickSession("<gate>", b"camera", out, b"map", 0.12), out)
    yield one
    one.leave()


def test_a_clicked_point_is_in_the_csv_at_once_as_the_solver_reads_it(visitor):
    code, state = visitor.say("/add", POINT)
    assert code == 200 and len(json.loads(state)["points"]) == 1
    visitor.say("/add", POINT | {"pixel_x": 99, "ground": "yes"})
    points = read_points(visitor.out)
    assert points.pixels.tolist() == [[10.5, 20], [99, 20]] and points.metres[0].tolist() == [3.25, -4, 0]
    assert points.on_ground.tolist() == [False, True] and points.names == ("kerb", "kerb")
    assert len(json.loads(visitor.say("/remove", {"number": 0})[1])["points"]) == 1
    assert read_points(visitor.out).pixels.tolist() == [[99, 20]]


def test_a_new_session_goes_on_with_the_points_that_are_there(visitor, tmp_path):
    visitor.say("/add", POINT)
    assert len(ClickSession("gate", b"", visitor.out).rows) == 1
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="a control point: expected pixel_x, pixel_y and east_m"):
        ClickSession("gate", b"", tmp_path / "other.csv")


def test_the_page_shows_both_pictures_and_its_title_is_text(visitor):
    assert visitor.ask("GET", "/picture") == (200, b"camera") and visitor.ask("GET", "/map") == (200, b"map")
    page = visitor.ask("GET", "/")[1].decode()
    assert "&lt;gate&gt;" in page and "<gate>" not in page
    assert visitor.ask("GET", "/../points.csv")[0] == 404


@pytest.mark.parametrize(
    ("path", "said", "code"),
    [
        ("/add", {"pixel_x": 1}, 400),
        ("/add", POINT | {"east_m": "nan"}, 400),
        ("/add", [], 400),
        ("/add", POINT | {"name": "x" * 2000}, 413),
        ("/remove", {"number": 7}, 400),
        ("/remove", {"number": True}, 400),
        ("/erase", {}, 400),
    ],
)
def test_what_is_no_point_is_refused_and_nothing_is_written(visitor, path, said, code):
    assert visitor.say(path, said)[0] == code
    assert not visitor.out.exists()


def test_metres_and_degrees_do_not_mix(visitor):
    visitor.say("/add", POINT)
    degrees = {"pixel_x": 1, "pixel_y": 2, "lat_deg": 52, "lon_deg": 13}
    assert visitor.say("/add", degrees)[0] == 400
    assert len(visitor.session.rows) == 1


@pytest.mark.parametrize("header", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
def test_other_sites_are_refused(visitor, header):
    assert visitor.ask("GET", "/state", **header)[0] == 403
    assert visitor.say("/add", POINT, **header)[0] == 403
    assert visitor.ask("POST", "/add", json.dumps(POINT), **{"Content-Type": "text/plain"})[0] == 415
    assert not visitor.out.exists()
