import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.camera import Camera, GroundPlane, edge_to_pixel, pixel_to_edge

CAMERA = Camera(
    [[1000, 0, 639.5], [0, 1000, 359.5], [0, 0, 1]],
    (720, 1280),
    np.array([-0.25, 0.08, 0.001, -0.002, -0.01]),
)
tilts = st.floats(2, 80)
rolls = st.floats(-20, 20)
heights = st.floats(2, 50)


@given(st.floats(0, 1279), st.floats(0, 719))
def test_projecting_a_pixels_ray_gives_the_pixel_back(x, y):
    assert CAMERA.project(CAMERA.rays(np.array([x, y])) * 7) == pytest.approx([x, y], abs=1e-5)


@given(tilts, rolls, heights)
def test_ground_points_lie_on_the_plane_and_project_back(tilt, roll, height):
    plane = GroundPlane.from_tilt(tilt, roll, height)
    pixels = np.stack(np.meshgrid([100.0, 640, 1200], [400.0, 700]), -1)
    points = plane.intersect(CAMERA, pixels)
    hit = ~np.isnan(points[..., 0])
    assert plane.to_world(points)[hit][:, 2] == pytest.approx(0, abs=1e-6 * np.nanmax(np.abs(points), initial=1))
    assert CAMERA.project(points)[hit] == pytest.approx(pixels[hit], abs=1e-4)


@given(tilts, rolls, heights)
def test_world_and_camera_frames_invert_each_other(tilt, roll, height):
    plane = GroundPlane.from_tilt(tilt, roll, height)
    R = plane.R_cam_world
    assert R.T @ R == pytest.approx(np.eye(3), abs=1e-9)
    assert np.linalg.det(R) == pytest.approx(1)
    points = np.array([[1.0, 20, 0], [-3, 5, 2]])
    assert plane.to_world(plane.to_camera(points)) == pytest.approx(points, abs=1e-9)
    assert plane.to_world(np.zeros(3)) == pytest.approx([0, 0, height], abs=1e-9)


@given(tilts, rolls, heights, st.floats(-3.1, 3.1))
def test_pose_puts_the_object_on_the_ground_with_its_yaw(tilt, roll, height, yaw):
    plane = GroundPlane.from_tilt(tilt, roll, height)
    R, t = plane.pose(np.array([2.0, 15.0]), yaw)
    assert plane.to_world(t) == pytest.approx([2, 15, 0], abs=1e-9)
    assert plane.yaw(R) == pytest.approx(yaw)
    assert R[:, 2] == pytest.approx(plane.n)


def test_a_camera_tilted_down_sees_the_horizon_above_the_middle_and_rolls_clockwise():
    plane = GroundPlane.from_tilt(20, 0, 8)
    straight = Camera([[1000, 0, 639.5], [0, 1000, 359.5], [0, 0, 1]], (720, 1280))
    centre = plane.intersect(straight, np.array([639.5, 359.5]))
    assert centre == pytest.approx([0, 0, 8 / np.sin(np.radians(20))])
    assert np.isnan(plane.intersect(straight, np.array([639.5, -10.0]))).all()
    assert GroundPlane.from_tilt(20, 5, 8).n[0] < 0  # rolled clockwise: the world's up leans to the left


# k1 k2 p1 p2 k3, k4 k5 k6, s1 s2 s3 s4, tx ty: lenses as calibrations of wide cameras give them.
RICH = [-0.3, 0.1, 0.001, -0.002, -0.01, 0.05, 0.02, -0.003, 0.001, -0.0004, 0.0008, 0.0002, 0.01, -0.02]
FISHEYE = [0.05, -0.012, 0.004, -0.0007]


@pytest.mark.parametrize("terms", [RICH[:5], RICH[:8], RICH[:12], RICH, FISHEYE], ids=len)
@given(x=st.floats(0, 1279), y=st.floats(0, 719))
def test_every_lens_is_undone(terms, x, y):
    camera = Camera([[700, 0, 650.0], [0, 710, 350.5], [0, 0, 1]], (720, 1280), np.array(terms))
    assert camera.fisheye == (len(terms) == 4)
    assert camera.project(camera.rays(np.array([x, y])) * 7) == pytest.approx([x, y], abs=1e-4)


def test_a_fisheye_is_equidistant_and_sees_no_ground_to_its_side():
    camera = Camera([[300, 0, 639.5], [0, 300, 359.5], [0, 0, 1]], (720, 1280), np.zeros(4))
    angle = np.radians(40)
    at = camera.project(np.array([np.sin(angle), 0, np.cos(angle)]))
    assert at == pytest.approx([639.5 + 300 * angle, 359.5])
    beside = np.array([639.5 + 300 * np.radians(95), 359.5])
    assert np.isnan(camera.rays(beside)[:2]).all()
    assert np.isnan(GroundPlane.from_tilt(30, 0, 6).intersect(camera, beside)).all()


@pytest.mark.parametrize(
    ("terms", "within_px"), [(RICH, 4.0), (RICH[:8], 0.1), (FISHEYE, 3.0), (RICH[:5], 1e-6)], ids=str
)
def test_five_terms_follow_another_lens_over_the_picture(terms, within_px):
    camera = Camera([[900, 0, 650.0], [0, 900, 350.5], [0, 0, 1]], (720, 1280), np.array(terms))
    five = Camera(camera.K, camera.size_hw, camera.five_terms)
    pixels = np.stack(np.meshgrid(np.arange(0, 1280, 40.0), np.arange(0, 720, 40.0)), -1)
    assert np.abs(five.project(camera.rays(pixels)) - pixels).max() < within_px


@pytest.mark.parametrize("count", [1, 3, 6, 7, 9, 13, 15])
def test_a_lens_of_other_terms_is_refused(count):
    with pytest.raises(ValueError, match="expected 5, 8, 12 or 14 numbers from k1 k2 p1 p2 k3 on, or the 4 of a fish"):
        Camera(CAMERA.K, (720, 1280), np.zeros(count))


def test_points_behind_the_camera_are_nan_and_planes_above_it_are_refused():
    assert np.isnan(CAMERA.project(np.array([0.0, 0, -1]))).all()
    with pytest.raises(ValueError, match="the camera must be above it"):
        GroundPlane(np.array([0.0, -1, 0]), -3)


def test_edges_and_centres_differ_by_half_a_pixel():
    assert pixel_to_edge(np.zeros(2)) == pytest.approx([0.5, 0.5])
    assert edge_to_pixel(pixel_to_edge(np.array([3.0, 4]))) == pytest.approx([3, 4])
