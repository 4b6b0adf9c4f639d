import numpy as np
from crossing import CAMERA, PLANE
from hypothesis import given
from hypothesis import strategies as st

from calibration.traffic.outlines import CAR, PERSON, Boxes, boxes_of, placed


@given(st.floats(-8, 8), st.floats(12, 45), st.floats(-3.1, 3.1), st.sampled_from([PERSON, CAR]))
def test_what_fills_a_box_stands_where_it_stood(x, y, yaw, kind):
    lwh = np.array([[4.4, 1.8, 1.5]]) if kind == CAR else np.full((1, 3), 1.72)
    centre, kinds, yaws = np.array([[x, y]]), np.array([kind]), np.array([yaw])
    box = boxes_of(CAMERA, PLANE, kinds, centre, yaws, lwh)
    found, side = placed(CAMERA, PLANE, Boxes(box, kinds), yaws, lwh)
    assert np.allclose(found, centre, atol=0.02) and np.allclose(side, box[:, 2:], rtol=2e-3)


def test_a_car_is_longest_from_its_side_and_a_person_as_tall_as_its_pole():
    here = np.array([[0.0, 20.0], [0.0, 20.0]])
    kinds = np.array([CAR, CAR])
    across, along = boxes_of(CAMERA, PLANE, kinds, here, np.array([0, np.pi / 2]), np.tile([4.4, 1.8, 1.5], (2, 1)))
    assert across[2] > 2 * along[2]
    person = boxes_of(CAMERA, PLANE, np.array([PERSON]), here[:1], np.zeros(1), np.full((1, 3), 1.72))[0]
    pole = CAMERA.project(PLANE.to_camera(np.array([[0, 20, 0], [0, 20, 1.72]])))
    assert abs(person[3] / (pole[0, 1] - pole[1, 1]) - 1) < 0.08
