import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standing import SIZE, assert_same, square_stands, stands, world_pose

from calibration.forms.homography import from_homography


def ground_to_pixels(camera, plane, yaw, east, north):
    """K [r1 r2 t] of a ground frame anywhere."""
    R, t = world_pose(plane, yaw, east, north)
    return camera.K @ np.column_stack([R[:, 0], R[:, 1], t])


@given(
    square_stands(),
    st.floats(-3, 3),
    st.floats(-100, 100),
    st.floats(-100, 100),
    st.sampled_from([-3, -1e-9, 1e-9, 1, 1e9]),
)
def test_focal_length_and_ground_follow_from_a_homography_of_any_scale(stand, yaw, east, north, scale):
    H = np.linalg.inv(ground_to_pixels(*stand, yaw, east, north))
    assert_same(from_homography(scale * H / np.linalg.norm(H), SIZE), stand, rel=1e-4)


@given(stands(), st.floats(-3, 3))
def test_a_known_camera_needs_no_square_pixels(stand, yaw):
    H = np.linalg.inv(ground_to_pixels(*stand, yaw, 3, 20))
    assert_same(from_homography(H, SIZE, stand[0]), stand, rel=1e-4)


@given(square_stands(), st.floats(-3, 3))
def test_a_map_with_its_axis_down_is_the_same_ground(stand, yaw):
    H = np.diag([1, -1, 1]) @ np.linalg.inv(ground_to_pixels(*stand, yaw, 3, 20))
    assert_same(from_homography(H, SIZE), stand, rel=1e-4)


@pytest.mark.parametrize(
    ("H", "message"),
    [
        (np.ones((3, 3)), "can be inverted"),
        (np.diag([0.1, 0.1, 1]), "the camera looks straight down; give focal_px or K"),
        (
            np.linalg.inv([[1, 1, 640], [0.1, -0.05, 360], [1e-3, 1e-3, 1]]),
            "no camera with square pixels sees the ground so",
        ),
    ],
)
def test_what_no_camera_sees_is_refused(H, message):
    with pytest.raises(ValueError, match=message):
        from_homography(np.array(H), SIZE)
