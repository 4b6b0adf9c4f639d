"""Points of a known camera give it back; what they do not tell is said, and what is mismatched is left out."""

import numpy as np
import pytest
from footage import REAL
from standing import SIZE

from calibration.camera import Camera, GroundPlane
from calibration.control_points import calibrate_from_points, named
from calibration.points_file import read_points

ROADS = REAL / "traffic_cam_calib"
CAMERA = Camera(np.array([[1100.0, 0, 639.5], [0, 1100, 359.5], [0, 0, 1]]), SIZE)
PLANE = GroundPlane.from_tilt(18, 2, 8.0)
TRUTH = named(CAMERA, PLANE)


def seen(count, seed=0, noise_px=0.0, tops=0, camera=CAMERA, origin=(300.0, -40.0, 0.0)):
    """Pixels (N, 2) and metres (N, 3) of points on the road, the last `tops` of them up to 4 m above it."""
    rng = np.random.default_rng(seed)
    pixels = rng.uniform([80, 150], [1200, 700], (count, 2))
    world = PLANE.to_world(PLANE.intersect(camera, pixels))
    world[count - tops :, 2] = rng.uniform(1, 4, tops)
    pixels = camera.project(PLANE.to_camera(world)) + rng.normal(0, noise_px, (count, 2))
    return pixels, world + origin, np.arange(count) < count - tops


@pytest.mark.parametrize(("count", "tops"), [(4, 0), (6, 0), (6, 3), (12, 4)])
def test_exact_points_give_the_camera_back(count, tops):
    pixels, metres, road = seen(count, tops=tops)
    fit = calibrate_from_points(pixels, metres, SIZE, on_ground=road)
    assert named(fit.camera, fit.plane) == pytest.approx(TRUTH, rel=1e-4)
    assert fit.rms_px < 0.01 and fit.used.all()
    assert fit.camera.project(metres @ fit.R.T + fit.t) == pytest.approx(pixels, abs=0.01)


def test_a_known_focal_length_needs_three_points():
    pixels, metres, _ = seen(3)
    fit = calibrate_from_points(pixels, metres, SIZE, focal_px=1100.0)
    assert fit.camera.K[0, 0] == 1100 and fit.rms_px < 0.01
    with pytest.raises(ValueError, match="expected at least 4 control points, got 3"):
        calibrate_from_points(pixels, metres, SIZE)


def test_mismatched_points_are_left_out():
    pixels, metres, _ = seen(12, noise_px=0.5)
    pixels[[2, 7]] += [[60, -40], [-90, 20]]
    fit = calibrate_from_points(pixels, metres, SIZE)
    assert np.flatnonzero(~fit.used).tolist() == [2, 7]
    assert named(fit.camera, fit.plane) == pytest.approx(TRUTH, rel=0.05)


def test_a_distortion_term_is_fitted_where_the_points_carry_it():
    bent = Camera(CAMERA.K, SIZE, np.array([-0.25, 0, 0, 0, 0]))
    pixels, metres, _ = seen(14, noise_px=0.5, camera=bent)
    assert calibrate_from_points(pixels, metres, SIZE).camera.distortion[0] == pytest.approx(-0.25, abs=0.05)
    assert not calibrate_from_points(pixels, metres, SIZE, distortion=False).camera.distortion.any()
    assert not calibrate_from_points(*seen(14, noise_px=0.5)[:2], SIZE).camera.distortion.any()


def test_errors_are_within_what_the_covariance_says():
    within = []
    for seed in range(8):
        fit = calibrate_from_points(*seen(10, seed, noise_px=1.5)[:2], SIZE, distortion=False)
        within.append(np.abs(np.array(named(fit.camera, fit.plane)) - TRUTH) < 2.5 * np.sqrt(np.diag(fit.covariance)))
        assert np.nanmedian(fit.left_out_px) > np.median(fit.residual_px)
    assert np.mean(within) > 0.85


def test_a_road_that_slopes_is_the_plane_through_its_points():
    pixels, metres, _ = seen(10)
    slope = np.array([[1, 0, 0], [0, np.cos(0.05), -np.sin(0.05)], [0, np.sin(0.05), np.cos(0.05)]])
    fit = calibrate_from_points(pixels, metres @ slope.T, SIZE)
    assert named(fit.camera, fit.plane) == pytest.approx(TRUTH, rel=1e-3)


def test_points_on_a_line_and_points_below_are_refused():
    line = np.stack([np.arange(5.0), 2 * np.arange(5.0), np.zeros(5)], 1)
    with pytest.raises(ValueError, match="metres lie on one line: add some beside it"):
        calibrate_from_points(seen(5)[0], line, SIZE)


@pytest.mark.skipif(not ROADS.exists(), reason="the control points are not here")
@pytest.mark.parametrize(
    ("name", "rms_px"), [("auburn/auburn_camera_street_1", 2.5), ("biloxi/biloxi_cam", 6.5)]
)  # fmt: skip
def test_real_points_fit_as_well_as_what_was_published(name, rms_px):
    points = read_points(ROADS / f"{name}.csv")
    fit = calibrate_from_points(points.pixels, points.metres, SIZE)
    assert fit.rms_px < rms_px and 5 < fit.plane.d < 20
