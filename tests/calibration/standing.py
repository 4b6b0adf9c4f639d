"""Cameras as streets have them, for laws that hold of all of them."""

import numpy as np
from hypothesis import strategies as st

from calibration.camera import Camera, GroundPlane

SIZE = (720, 1280)
focals = st.floats(400, 4000)
tilts = st.floats(3, 70)
rolls = st.floats(-15, 15)
heights = st.floats(2, 40)


@st.composite
def stands(draw):
    """A camera without lens distortion and where it stands."""
    focal = draw(focals)
    K = np.array([[focal, 0, draw(st.floats(560, 720))], [0, focal * draw(st.floats(0.95, 1.05)), 359.5], [0, 0, 1]])
    return Camera(K, SIZE), GroundPlane.from_tilt(draw(tilts), draw(rolls), draw(heights))


@st.composite
def square_stands(draw):
    """The same with square pixels and the principal point in the middle."""
    focal = draw(focals)
    K = np.array([[focal, 0, 639.5], [0, focal, 359.5], [0, 0, 1]])
    return Camera(K, SIZE), GroundPlane.from_tilt(draw(tilts), draw(rolls), draw(heights))


def world_pose(plane, yaw_rad=0.0, east_m=0.0, north_m=0.0):
    """R, t of X_cam = R X_world + t with z up: the plane's own world, turned and with its origin elsewhere."""
    cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return plane.R_cam_world @ turn, plane.to_camera(np.array([east_m, north_m, 0.0]))


def assert_same(found, expected, rel=1e-6):
    """The same camera above the same ground."""
    np.testing.assert_allclose(found[0].K, expected[0].K, rtol=rel, atol=rel * 1000)
    np.testing.assert_allclose(found[1].n, expected[1].n, atol=rel)
    np.testing.assert_allclose(found[1].d, expected[1].d, rtol=rel)
    assert found[0].size_hw == expected[0].size_hw
