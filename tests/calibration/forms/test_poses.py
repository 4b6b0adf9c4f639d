"""Whatever way a pose is said in, the camera above its ground is the same."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standing import SIZE, assert_same, stands, world_pose

from calibration.camera import GroundPlane
from calibration.forms.poses import (
    AXES,
    METRES_PER_UNIT,
    POSES,
    UP,
    Convention,
    camera_of_focal,
    from_plane,
    from_tilt,
    from_world,
)  # fmt: skip

CAMERA = camera_of_focal(1000, SIZE)
OPENGL = np.diag([1.0, -1.0, -1.0])


def said(R, t, convention):
    """R and t of a world with z up as another convention would write them."""
    up = UP[convention.up]
    other = next(e for e in np.eye(3) if abs(e @ up) < 0.5)
    R, t = R @ np.stack([other, np.cross(up, other), up]), t / convention.metres_per_unit
    if convention.axes == "opengl":
        R, t = OPENGL @ R, OPENGL @ t
    return (R.T, -R.T @ t) if convention.pose == "camera_to_world" else (R, t)


@pytest.mark.parametrize("way", list(product(POSES, AXES, UP, METRES_PER_UNIT.values())), ids=str)
@settings(max_examples=15)
@given(stand=stands(), yaw=st.floats(-3, 3), east=st.floats(-500, 500), north=st.floats(-500, 500))
def test_every_convention_says_the_same_camera(way, stand, yaw, east, north):
    convention = Convention(*way)
    R, t = said(*world_pose(stand[1], yaw, east, north), convention)
    assert_same(from_world(stand[0], R, t, convention), stand)


@given(stands())
def test_a_plane_is_read_back_whatever_its_sign_and_axes(stand):
    camera, plane = stand
    numbers = np.r_[plane.n, plane.d]
    assert_same(from_plane(camera, numbers), stand)
    assert_same(from_plane(camera, -numbers), stand)
    assert_same(from_plane(camera, np.r_[OPENGL @ plane.n, plane.d], "opengl"), stand)


def test_what_can_be_measured_on_site_is_a_camera():
    camera, plane = from_tilt(camera_of_focal(1000, SIZE, None, (600, 300)), 20, 3, 8.5)
    assert camera.K.tolist() == [[1000, 0, 600], [0, 1000, 300], [0, 0, 1]]
    assert plane.n == pytest.approx(GroundPlane.from_tilt(20, 3, 8.5).n) and plane.d == 8.5
    assert camera_of_focal(1000, SIZE).K[:2, 2].tolist() == [639.5, 359.5]


@pytest.mark.parametrize(
    ("R", "message"),
    [
        (np.eye(3) * 2, "orthonormal rows; theirs are off by 3"),
        (np.diag([1, 1, -1]), "its determinant is -1: a left-handed .* world"),
        (np.zeros((3, 3)), "orthonormal rows"),
    ],
)
def test_a_pose_that_is_no_rotation_is_refused(R, message):
    with pytest.raises(ValueError, match=message):
        from_world(CAMERA, R, np.zeros(3))


def test_a_camera_below_its_ground_is_refused():
    with pytest.raises(ValueError, match="camera must be above it"):
        from_world(CAMERA, np.diag([1.0, -1, -1]), np.array([0, 0, -5.0]))
