"""Exact traffic gives its camera back; what it does not tell is said, and a distance on the road tells it."""

import numpy as np
import pytest
from crossing import CAMERA, PLANE, SIZE, crossing

from calibration.camera import Camera
from calibration.control_points import named
from calibration.traffic.evidence import Distance
from calibration.traffic.fit import calibrate_from_traffic
from calibration.traffic.solver import Known
from calibration.traffic.tracks import POINT, tracks_of
from calibration.traffic.words import in_words

SMALL = {"cars": 6, "people": 4}
FEW = crossing(spread=0.03, **SMALL)
TRUTH = np.array(named(CAMERA, PLANE))


@pytest.fixture(scope="module")
def exact():
    return calibrate_from_traffic(FEW)


def test_exact_traffic_gives_the_camera_back(exact):
    fit = exact
    focal, tilt, roll, height = np.array(named(fit.camera, fit.plane)) - TRUTH
    assert abs(focal) < 0.03 * TRUTH[0] and abs(tilt) < 0.4 and abs(roll) < 0.2 and abs(height) < 0.03 * TRUTH[3]
    assert fit.undetermined == () and len(fit.vanishing_px) == 2
    away = fit.plane.to_world(fit.plane.intersect(fit.camera, np.array([[640.0, 250], [640, 600]])))
    true = PLANE.to_world(PLANE.intersect(CAMERA, np.array([[640.0, 250], [640, 600]])))
    assert away == pytest.approx(true, rel=0.04, abs=0.1)


def test_a_lens_is_found_where_it_is_asked_for():
    bent = Camera(CAMERA.K, SIZE, np.array([-0.2, 0, 0, 0, 0]))
    fit = calibrate_from_traffic(crossing(bent, **SMALL), Known(lens=True))
    assert fit.camera.distortion[0] == pytest.approx(-0.2, abs=0.08)


def test_a_lens_that_nobody_asked_for_is_not_fitted(exact):
    assert not exact.camera.distortion.any()


def test_a_known_focal_length_is_kept():
    known = calibrate_from_traffic(FEW, Known(focal_px=1000.0))
    assert known.camera.K[0, 0] == pytest.approx(1000) and known.covariance[0, 0] == 0


def straight_road(plane=PLANE):
    """Points, no sizes, of cars in two lanes of one road."""
    rows = []
    for car in range(8):
        y = np.linspace(12, 70, 20)
        world = np.column_stack([(-1) ** car * 1.8 + 0.2 * y, y, np.zeros(20)])
        pixel = CAMERA.project(plane.to_camera(world)) + 0.5
        rows.append(np.column_stack([pixel, np.zeros((20, 2)), np.full(20, car), y / 20]))
    t = np.concatenate(rows)
    return tracks_of(t[:, :4], np.full(len(t), POINT), t[:, 4].astype(int), t[:, 5], SIZE)


def test_one_straight_road_without_sizes_is_not_enough_and_a_distance_is_asked_for():
    fit = calibrate_from_traffic(straight_road())
    assert {"focal_px", "height_m"} <= set(fit.undetermined)
    assert "one straight road" in in_words(fit)[1] and "--distance x1,y1,x2,y2,metres" in in_words(fit)[1]


def test_a_distance_sets_the_scale():
    ends = CAMERA.project(PLANE.to_camera(np.array([[0.0, 15, 0], [4.0, 15, 0]])))
    fit = calibrate_from_traffic(straight_road(), Known(1100.0, (Distance(*ends, 4.0),)))
    found = np.linalg.norm(np.diff(fit.plane.intersect(fit.camera, ends), axis=0))
    assert found == pytest.approx(4.0, rel=0.01) and "height_m" not in fit.undetermined


def test_noise_widens_what_is_said_to_be_known(exact):
    loud = calibrate_from_traffic(crossing(noise=0.06, spread=0.03, **SMALL))
    assert np.all(np.diag(loud.covariance)[:2] > np.diag(exact.covariance)[:2])


def test_too_few_tracks_are_told():
    few = crossing(cars=1, people=0, turns=(0.0,))
    with pytest.raises(ValueError, match="expected at least 3 tracks of people, or of cars that move, got 1"):
        calibrate_from_traffic(few)
