import numpy as np
import pytest

from calibration.camera import Camera, GroundPlane
from calibration.draw import POLE_M, draw_calibration

K = np.array([[1000, 0, 639.5], [0, 1000, 359.5], [0, 0, 1]])
GREEN = np.array([90, 230, 90])
BLUE = np.array([255, 160, 60])


def drawn(camera, plane):
    return draw_calibration(np.full((*camera.size_hw, 3), 60, np.uint8), camera, plane)


def pixels_of(image, colour):
    return np.argwhere(np.all(image == colour, axis=-1))[:, ::-1]


@pytest.mark.parametrize("lens", [[0, 0, 0, 0, 0], [-0.3, 0.09, 0, 0, 0]])
def test_the_horizon_is_where_level_rays_go(lens):
    camera, plane = Camera(K, (720, 1280), np.array(lens)), GroundPlane.from_tilt(15, 3, 7)
    blue = pixels_of(drawn(camera, plane), BLUE)
    on_line = blue[blue[:, 0] > 150]  # its name stands at the left
    assert len(on_line) > 500
    slope = camera.rays(on_line.astype(float)) @ plane.n
    assert np.abs(slope).max() < 4 / 1000  # within four pixels


def test_poles_stand_on_the_ground_as_tall_as_people():
    camera, plane = Camera(K, (720, 1280)), GroundPlane.from_tilt(20, 0, 8)
    green = pixels_of(drawn(camera, plane), GREEN)
    assert len(green) > 200
    near = green[green[:, 1] > 400]
    foot = near[near[:, 1].argmax()].astype(float)
    x, y, _ = plane.to_world(plane.intersect(camera, foot))
    foot_px, top_px = camera.project(plane.to_camera(np.array([[x, y, 0], [x, y, POLE_M]])))
    column = near[np.abs(near[:, 0] - foot[0]) < 25]
    assert column[:, 1].min() == pytest.approx(top_px[1], abs=12)
    assert foot_px == pytest.approx(foot, abs=1)


@pytest.mark.parametrize("tilt", [-30, -10, 0, 5, 45, 89])
@pytest.mark.parametrize("height", [0.5, 3, 60])
def test_any_calibration_can_be_drawn(tilt, height):
    camera, plane = Camera(K, (720, 1280)), GroundPlane.from_tilt(tilt, 0, height)
    before = np.full((720, 1280, 3), 60, np.uint8)
    image = draw_calibration(before, camera, plane)
    assert image.shape == before.shape
    assert (before == 60).all()
    assert (image != 60).any()
