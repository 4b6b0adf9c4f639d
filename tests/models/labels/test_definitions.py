"""Labels in another data set's definition, moved to ours."""

import numpy as np
import pytest

from models.labels.definitions import DEFINITIONS, to_ours
from models.shape_basis import load_bases
from pipeline.core.skeletons import VEHICLE_12


def pictured(points: np.ndarray, yaw: float, distance: float) -> np.ndarray:
    """Pixels (12, 2) of points (12, 3) of a car so far away, seen from 6 m up, turned by yaw."""
    c, s = np.cos(yaw), np.sin(yaw)
    world = points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    camera = np.stack([world[:, 1], 6.0 - world[:, 2], distance + world[:, 0]], axis=1)
    return 1000 * camera[:, :2] / camera[:, 2:]


@pytest.mark.parametrize("yaw", np.radians([10, 75, 130, 200, 300]))
@pytest.mark.parametrize("name", DEFINITIONS)
def test_labels_of_theirs_come_to_lie_on_ours(name: str, yaw: float) -> None:
    """Of a car of another shape than the typical one, in perspective: to 5 cm, from up to 15."""
    basis, definition = load_bases()["car"], DEFINITIONS[name]
    ours = basis.keypoints(np.array([1.5, -1.0, 0.8, 0, 0, 0, 0, 0]))
    px_per_m = 1000 / 25.0
    target, given = pictured(ours, yaw, 25.0), pictured(ours - definition.offset, yaw, 25.0)
    left = np.linalg.norm(to_ours(name, given) - target, axis=1) / px_per_m
    assert left.max() < 0.05
    if definition.offset.any():
        before = np.linalg.norm(given - target, axis=1) / px_per_m
        assert before.max() > 0.08 and left.max() < 0.4 * before.max()


def test_missing_labels_stay_missing_and_the_others_move_alike() -> None:
    car = load_bases()["car"].mean - DEFINITIONS["pascal3d"].offset
    xy = pictured(car, 0.6, 20.0)
    whole = to_ours("pascal3d", xy)
    xy[[2, 5, 9]] = np.nan
    some = to_ours("pascal3d", xy)
    np.testing.assert_array_equal(np.isnan(some[:, 0]), np.isnan(xy[:, 0]))
    np.testing.assert_allclose(some[np.isfinite(xy)], whole[np.isfinite(xy)], atol=1.5)


def test_labels_that_do_not_tell_how_the_car_lies_stay() -> None:
    rng = np.random.default_rng(2)
    few = np.full((12, 2), np.nan)
    few[:4] = rng.uniform(0, 100, (4, 2))
    flat = pictured(load_bases()["car"].mean, 0.6, 20.0)
    flat[[0, 2, 4, 6, 8, 10]] = np.nan  # one side
    for xy in (few, flat, rng.uniform(0, 100, (12, 2)), np.arange(12)[:, None] * [10.0, 5.0]):
        np.testing.assert_array_equal(to_ours("pascal3d", xy), xy)


def test_the_two_sides_are_mirror_images() -> None:
    for definition in DEFINITIONS.values():
        offset = definition.offset
        assert offset.shape == (len(VEHICLE_12), 3) and len(definition.sigma_m) == len(VEHICLE_12) // 2
        np.testing.assert_array_equal(offset[0::2] * [1, -1, 1], offset[1::2])
