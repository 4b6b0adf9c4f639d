import numpy as np
import pytest

from calibration.camera import Camera, GroundPlane
from pipeline.reconstruction.uncertainty import disputed, footprint_of, ground_covariance, ground_floor, unusually_tall

CAMERA = Camera(np.array([[1000.0, 0, 639.5], [0, 1000, 359.5], [0, 0, 1]]), (720, 1280))
PLANE = GroundPlane.from_tilt(20, 0, 8.0)


def standing_at(*xy_m):
    return np.stack([PLANE.pose(np.array(xy, float), 0.0)[1] for xy in xy_m])


def test_a_pixels_error_is_as_large_on_the_ground_as_the_rays_beside_it_say():
    t = standing_at((0.0, 25.0))
    pixel = CAMERA.project(t[0])
    covariance = ground_floor(t, CAMERA, PLANE)[0]
    rng = np.random.default_rng(0)
    ground = PLANE.to_world(PLANE.intersect(CAMERA, pixel + rng.normal(0, 0.7, (4000, 2))))[:, :2]
    np.testing.assert_allclose(np.cov(ground.T), covariance[:2, :2], rtol=0.12, atol=8e-5)


def test_along_the_ray_the_doubt_grows_with_distance_squared_over_height():
    near, far = np.sqrt(ground_floor(standing_at((0.0, 20.0), (0.0, 80.0)), CAMERA, PLANE)[:, [0, 1], [0, 1]])
    assert far[1] / near[1] == pytest.approx((80**2 + 64) / (20**2 + 64), rel=0.1)
    assert far[0] / near[0] == pytest.approx(np.hypot(80, 8) / np.hypot(20, 8), rel=0.05)
    assert far[1] == pytest.approx(0.7 * 80**2 / (1000 * 8), rel=0.1)


def test_no_fit_is_surer_than_the_floor():
    t = standing_at((3.0, 30.0))
    sure = ground_covariance("person", np.zeros((1, 3, 3)), t, CAMERA, PLANE)
    np.testing.assert_allclose(sure, ground_floor(t, CAMERA, PLANE))
    more = ground_covariance("vehicle", np.eye(3)[None], t, CAMERA, PLANE)
    assert (np.linalg.eigvalsh(more - sure) > 0).all()


def test_behind_the_camera_nothing_is_known():
    floor = ground_floor(standing_at((0.0, -30.0)), CAMERA, PLANE)
    assert np.isfinite(floor).all() and floor[0, 0, 0] > 1e4


def test_two_fits_that_are_apart_leave_doubt_between_them():
    covariance = np.tile(0.01 * np.eye(3), (3, 1, 1))
    here, there = np.zeros((3, 2)), np.array([[0.0, 1.0], [0, 0], [0, 1.0]])
    result = disputed(covariance, here, there, np.array([True, True, False]))
    assert result[0, 1, 1] > 0.4 and result[0, 0, 0] == 0.01
    np.testing.assert_allclose(result[1], covariance[1])
    assert (np.diag(result[2]) > 10 * 0.01).all()


def test_who_seems_too_tall_or_too_small_may_stand_elsewhere_along_the_ray():
    xy = np.array([[0.0, 20.0], [0, 20], [15, 20], [0, 20]])
    more = unusually_tall(xy, np.array([1.75, 2.0, 1.4, np.nan]), PLANE)
    assert not more[0].any() and not more[3].any()
    assert np.sqrt(more[1, 1, 1]) == pytest.approx(0.2 * 20 / 8) and not more[1, 0].any()
    assert np.sqrt(np.trace(more[2])) == pytest.approx(0.2 * 25 / 8)
    assert more[2, 0, 1] == pytest.approx(np.sqrt(more[2, 0, 0] * more[2, 1, 1]))


def test_a_footprint_is_the_convex_outline_seen_from_above():
    corners = np.array([[2.0, 1, 0], [-2, 1, 0], [-2, -1, 1.4], [2, -1, 0.3]])
    inside = np.random.default_rng(0).uniform([-2, -1, 0], [2, 1, 2], (200, 3))
    found = footprint_of(np.concatenate([inside, corners]))
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, corners[:, :2].tolist()))
    x, y = found.T
    assert (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() > 0  # counter-clockwise


def test_a_round_outline_keeps_its_size():
    turn = np.linspace(0, 2 * np.pi, 400)
    circle = np.stack([np.cos(turn), np.sin(turn), np.zeros(400)], axis=1)
    found = footprint_of(circle)
    assert len(found) <= 24
    assert np.linalg.norm(found, axis=1).min() > 0.99
