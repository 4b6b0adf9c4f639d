import json

import numpy as np
import pytest
from footage import REAL
from hypothesis import assume, given
from hypothesis import strategies as st
from standing import SIZE, assert_same, square_stands

from calibration.forms.vanishing_points import from_vanishing_points

BRNO = REAL / "brnocompspeed"


def vanishing(camera, plane, yaw):
    """(2, 2) of two perpendicular directions of the ground."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    directions = np.array([[cos, sin, 0], [-sin, cos, 0]]) @ plane.R_cam_world.T
    pixels = directions @ camera.K.T
    return pixels[:, :2] / pixels[:, 2:]


@given(square_stands(), st.floats(0.1, 1.4))
def test_two_vanishing_points_and_a_length_are_a_camera(stand, yaw):
    points, ends = vanishing(*stand, yaw), np.array([[500.0, 700], [800, 715]])
    ground = stand[1].intersect(stand[0], ends)
    assume(np.isfinite(ground).all())
    apart = float(np.linalg.norm(ground[1] - ground[0]))
    assert_same(from_vanishing_points(points, SIZE, ends_px=ends, distance_m=apart), stand, rel=1e-5)
    assert_same(from_vanishing_points(points[::-1], SIZE, height_m=stand[1].d), stand, rel=1e-5)


@pytest.mark.parametrize(
    ("points", "ends", "message"),
    [
        ([[700, -50], [2000, -60]], [[1, 700], [9, 700]], "cannot belong to perpendicular directions"),
        ([[-500, -50], [2000, -60]], [[1, -300], [9, 700]], "two pixels on the ground, below the vanishing line"),
        ([[-500, -50], [2000, -60]], [[9, 700], [9, 700]], "two pixels on the ground"),
    ],
)
def test_what_cannot_be_is_one_line(points, ends, message):
    with pytest.raises(ValueError, match=message) as error:
        from_vanishing_points(np.array(points), SIZE, ends_px=np.array(ends), distance_m=7)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(not BRNO.exists(), reason="BrnoCompSpeed is not here")
@pytest.mark.parametrize("session", ["session1_left", "session4_center"])
def test_one_measured_distance_of_a_motorway_gives_the_others(session):
    best = json.loads((BRNO / session / "optimal_calibration_only.json").read_text())
    measured = json.loads((BRNO / session / "truth.json").read_text())["distanceMeasurement"]
    ends = np.array([[m["p1"][:2], m["p2"][:2]] for m in measured])
    metres = np.array([m["distance"] for m in measured])
    camera, plane = from_vanishing_points(
        np.array([best["vp1"], best["vp2"]]), (1080, 1920), ends_px=ends[0], distance_m=metres[0],
        principal_point=tuple(best["pp"]),
    )  # fmt: skip
    ground = plane.intersect(camera, ends)
    assert np.linalg.norm(ground[:, 1] - ground[:, 0], axis=1) == pytest.approx(metres, rel=0.06)
