import boxes
import numpy as np
import pytest

from calibration.camera import Camera, GroundPlane
from pipeline.core import masks
from pipeline.reconstruction.shape_priors import KINDS
from pipeline.reconstruction.support_function import DIRECTIONS, HullModel, Targets, ideal, outline_of_mask

LENS = Camera(np.array([[900.0, 0, 639.5], [0, 900, 359.5], [0, 0, 1]]), (720, 1280), np.array([-0.2, 0.05, 0, 0, 0]))
CAMERA = Camera(LENS.K, LENS.size_hw)
PLANE = GroundPlane.from_tilt(18, 2, 7.0)


def seen(kind, parameters, camera):
    """Run-length mask of the hull of a kind at x, y, yaw and logarithmic size."""
    R, t = PLANE.pose(parameters[:2], parameters[2])
    mask = boxes.hull_mask(kind.points * np.exp(parameters[3:]) @ R.T + t, camera)
    ys, xs = np.nonzero(mask)
    crop = mask[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    return masks.encode(crop, (int(xs.min()), int(ys.min())), camera.size_hw)


def test_the_support_of_a_filled_square_is_its_sides():
    rle = masks.encode(np.ones((20, 30), bool), (100, 50), CAMERA.size_hw)
    # Pixels 100 to 129 reach from 99.5 to 129.5 in centre coordinates.
    sides = {(1, 0): 129.5, (-1, 0): -99.5, (0, 1): 69.5, (0, -1): -49.5}
    support = outline_of_mask(rle, CAMERA).support
    for side, reach in sides.items():
        assert support[np.argmax(DIRECTIONS @ side)] == pytest.approx(reach, abs=1e-6)


def test_solidity_is_the_fraction_of_the_hull():
    corner = np.zeros((20, 20), bool)
    corner[:, :10] = corner[10:] = True
    assert outline_of_mask(
        masks.encode(np.ones((4, 6), bool), (0, 0), CAMERA.size_hw), CAMERA
    ).solidity == pytest.approx(1)
    found = outline_of_mask(masks.encode(corner, (5, 5), CAMERA.size_hw), CAMERA)
    # A square with a quarter missing: the hull loses only a triangle, half of that quarter.
    assert found.area_px == 300 and found.solidity == pytest.approx(300 / 350)


def test_ideal_pixels_are_those_of_a_lens_without_distortion():
    points = np.array([[1.0, 0.5, 9.0], [-3.0, 1.0, 12.0]])
    np.testing.assert_allclose(ideal(LENS, LENS.project(points)), CAMERA.project(points), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("camera", [CAMERA, LENS], ids=["ideal", "lens"])
def test_a_drawn_hull_is_found_again(kind, camera):
    true = np.array([1.5, 22.0, 0.7, *np.log(kind.size_m)])
    true[3:] += np.array([0.05, 0.02, -0.05])
    expected = np.array([0, 0, 0.75, *np.log(kind.size_m)])
    spread = np.array([np.inf, np.inf, 0.1, *kind.spread])
    start = true + np.array([1.5, -2.0, 0.05, -0.05, -0.02, 0.05])
    targets = Targets(
        outline_of_mask(seen(kind, true, camera), camera).support[None], np.array([1.0]), expected[None], spread[None]
    )
    fit = HullModel(camera, PLANE, kind.points[None]).fit(targets, start[None], 20)
    assert np.linalg.norm(fit.parameters[0, :2] - true[:2]) < 0.15
    assert abs(fit.parameters[0, 2] - true[2]) < 0.03
    assert np.abs(fit.parameters[0, 3:] - true[3:]).max() < 0.06
    assert fit.distance_px[0] < 1.0


def test_what_is_farther_is_less_certain():
    kind = KINDS[0]
    sigmas = []
    for y in (15.0, 30.0, 60.0):
        true = np.array([0.5, y, 0.4, *np.log(kind.size_m)])
        spread = np.array([np.inf, np.inf, 0.07, *kind.spread])
        targets = Targets(
            outline_of_mask(seen(kind, true, CAMERA), CAMERA).support[None], np.ones(1), true[None], spread[None]
        )
        sigmas.append(HullModel(CAMERA, PLANE, kind.points[None]).fit(targets, true[None].copy(), 5).sigma[0, 1])
    assert sigmas[0] < sigmas[1] < sigmas[2]
