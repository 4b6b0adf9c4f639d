"""One person of known joints, and what is reported of it when moved, turned and scaled."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.spatial.transform import Rotation

from benchmarks.people.people_truth import at_ease, errors, summary
from calibration.camera import GroundPlane
from pipeline.core.tables import RECONSTRUCTED
from pipeline.reconstruction.shape_priors import PERSON

DISTANCE_M = 20.0
T = np.array([0.0, 0.0, DISTANCE_M])
POINTS = PERSON.keypoints * PERSON.size_m * [1, 1, -1] + T  # shoulders to ankles, upright before the camera
PIXELS = POINTS[:, :2] * 50
STATES = ["visible"] * 10 + ["self_occluded"] * 5 + ["occluded"] * 2


def truth(states=STATES):
    row = {"t": T, "keypoints_3d": POINTS.ravel(), "keypoints_2d": PIXELS.ravel(), "keypoint_state": states}
    return pd.DataFrame([row | {"bbox_amodal_xywh": [0, 0, 40, 100]}], index=[7])


def placed(points=POINTS, pixels=PIXELS, t=T, ok=True, theta=None):
    row = {"cutout_id": 7, "t": t.tolist(), "fit_ok": ok, "smpl_theta": theta}
    row |= {"keypoints_3d": points.ravel().tolist(), "keypoints_2d": pixels.ravel().tolist()}
    return pa.Table.from_pylist([dict.fromkeys(RECONSTRUCTED.names) | row], schema=RECONSTRUCTED)


def reported(table, states=STATES):
    return summary(errors(table, truth(states)), 1)


def test_who_is_where_the_truth_is_has_no_error():
    found = reported(placed(theta=[0.0] * 72))
    assert found["people"] == found["fitted"] == found["pck_2d"] == found["pck_3d"] == 1
    assert found["position_error"] == 0 and found["mpjpe_mm"] < 0.01 and found["pa_mpjpe_mm"] < 0.01


def test_a_place_is_off_by_its_fraction_of_the_distance_and_moves_no_joint_from_the_hips():
    found = reported(placed(points=POINTS + [0.6, 0, 0], t=T + [0.6, 0, 0]))
    assert found["position_error"] == pytest.approx(0.03) and found["mpjpe_mm"] < 0.01 and found["fitted"] == 0


def test_joints_off_by_a_known_length_are_off_by_their_fraction_of_it():
    points = POINTS.copy()
    points[[9, 10]] += [0, 0, 0.2]  # both wrists, 2 of 12 limb joints
    found = reported(placed(points=points))
    assert found["mpjpe_mm"] == pytest.approx(1000 * 0.2 * 2 / 12, rel=1e-4)
    assert found["pa_mpjpe_mm"] > 1
    assert found["pck_3d"] == pytest.approx(10 / 12)


def test_procrustes_takes_out_turns_scales_and_places_and_no_mirror_image():
    R = Rotation.from_euler("xyz", [20, 70, -10], degrees=True).as_matrix()
    turned = 1.3 * (POINTS - T) @ R.T + T + 0.4
    found = reported(placed(points=turned))
    assert found["mpjpe_mm"] > 100 and found["pa_mpjpe_mm"] < 0.01
    assert reported(placed(points=POINTS[[0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]]))["mpjpe_mm"] > 100
    deep = POINTS + np.outer(np.linspace(-0.3, 0.3, 17), [0, 0, 1])
    mirrored = deep * [-1, 1, 1]
    assert summary(errors(placed(points=mirrored), truth().assign(keypoints_3d=[deep.ravel()])), 1)["pa_mpjpe_mm"] > 10


def test_pixels_count_where_the_person_alone_shows_or_hides_them_within_a_tenth_of_its_longer_side():
    pixels = PIXELS.copy()
    pixels[0] += [9.9, 0]
    pixels[1] += [10.1, 0]
    pixels[14] += [0, 30]
    pixels[16] += [0, 30]  # behind something else: not counted
    assert reported(placed(pixels=pixels))["pck_2d"] == pytest.approx(13 / 15)


def test_who_is_not_placed_is_not_measured():
    found = reported(placed(ok=False))
    assert found["people"] == 0 and found["fitted"] == 0 and np.isnan(found["mpjpe_mm"])


def test_the_mean_pose_faces_where_the_outline_does_and_stands_upright():
    plane = GroundPlane.from_tilt(20, 0, 6.0)
    yaw = 0.8
    R, _ = plane.pose(np.array([1.0, 12.0]), yaw)
    outlined = pa.Table.from_pylist([dict.fromkeys(RECONSTRUCTED.names) | {"R": R.ravel().tolist()}], RECONSTRUCTED)
    root = Rotation.from_rotvec(at_ease(outlined).theta[0, 0]).as_matrix()
    np.testing.assert_allclose(root[:, 1], plane.n, atol=1e-6)
    np.testing.assert_allclose(root[:, 2], R[:, 0], atol=1e-6)
