import numpy as np
import pytest

from calibration.camera import Camera, GroundPlane, edge_to_pixel
from calibration.ground import pixels_per_metre, size_m

CAMERA = Camera(np.array([[300.0, 0, 159.5], [0, 300.0, 119.5], [0, 0, 1]]), (240, 320))
PLANE = GroundPlane.from_tilt(25.0, 0.0, 7.0)


def test_a_metre_is_as_many_pixels_as_it_projects_to():
    foot = np.array([[159.5, 200.0], [80.0, 120.0]])
    ground = PLANE.intersect(CAMERA, foot)
    across, up = pixels_per_metre(CAMERA, PLANE, foot).T
    np.testing.assert_allclose(across, 300.0 / ground[:, 2], rtol=1e-6)
    np.testing.assert_allclose(up, np.linalg.norm(CAMERA.project(ground + PLANE.n) - foot, axis=1), rtol=1e-6)


def test_a_pole_of_a_known_height_measures_so():
    ground = PLANE.to_camera(np.array([2.0, 12.0, 0.0]))
    foot, top = CAMERA.project(ground), CAMERA.project(ground + 1.75 * PLANE.n)
    box = (foot[0] + 0.5 - 5, top[1] + 0.5, 10.0, foot[1] - top[1])
    # The pole leans a little in the picture; a board that fills its box does not.
    assert size_m(CAMERA, PLANE, box)[1] == pytest.approx(1.75, abs=0.04)
    assert np.allclose(edge_to_pixel(np.array([box[0] + 5, box[1] + box[3]])), foot)
