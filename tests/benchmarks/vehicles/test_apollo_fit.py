"""What the benchmark on real clicks rests on: their frames and ours agree, and a basis given a size has it."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from benchmarks.vehicles.apollo_cars import CAMERA, FOLDER, read_cars, rotation
from benchmarks.vehicles.apollo_fit import sized
from models.shape_basis import load_bases

CAR = load_bases()["car"]


def test_a_sized_basis_has_the_size_and_varies_less():
    dims = CAR.dims_mean + [0.3, -0.02, 0.05]
    given = sized(CAR, dims, sigma_m=0.005)
    np.testing.assert_allclose(given.dims_mean, dims, atol=0.01)
    assert np.linalg.norm(given.dims_components, axis=0).max() < 0.006
    assert np.linalg.norm(given.components) < np.linalg.norm(CAR.components)


def test_a_size_hardly_known_changes_nothing():
    given = sized(CAR, CAR.dims_mean + 1.0, sigma_m=1e6)
    np.testing.assert_allclose(given.mean, CAR.mean, atol=1e-6)
    np.testing.assert_allclose(given.components, CAR.components, atol=1e-6)


def test_rotations_turn_about_x_then_y_then_z():
    np.testing.assert_allclose(rotation([0, 0, np.pi / 2]) @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(rotation([np.pi / 2, 0, np.pi / 2]) @ [0, 1, 0], [0, 0, 1], atol=1e-12)


@pytest.mark.skipif(not FOLDER.is_dir(), reason="ApolloCar3D is not beside the repository")
def test_of_all_axes_ours_bring_keypoints_nearest_the_clicks():
    cars = read_cars(60)

    def off(turn: np.ndarray) -> float:
        pixels = CAMERA.project(CAR.mean @ (cars.R @ turn).mT + cars.t[:, None])
        return float(np.nanmedian(np.where(cars.scores > 0, np.linalg.norm(pixels - cars.xy, axis=-1), np.nan)))

    turns = [turn for turn in Rotation.create_group("O").as_matrix() if not np.allclose(turn, np.eye(3))]
    assert len(turns) == 23 and off(np.eye(3)) < 0.5 * min(off(turn) for turn in turns)
    assert (cars.R[:, 1, 2] < -0.9).all()  # the vehicle's up is the image's
