"""The 79 CAD meshes of ApolloCar3D as unseen cars; nothing that ships is fitted to them."""

import numpy as np
import pytest

from benchmarks.vehicles.apollo_cars import FOLDER, meshes
from benchmarks.vehicles.apollo_shapes import CAR, clicked, fitted, grounded, residuals

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="ApolloCar3D is not beside the repository")


def test_the_skin_of_all_79_lies_near_the_basis():
    length, median, rms, length_error = np.array(list(residuals().values())).T
    assert len(length) == 79
    assert np.median(median) < 0.045
    assert np.median(rms) < 0.075
    assert np.median(rms / length) < 0.017
    assert np.quantile(rms, 0.9) < 0.12
    assert np.median(np.abs(length_error)) < 0.04


def test_the_keypoints_that_people_clicked_lie_near_the_basis():
    """Up to what the two sets of keypoints mean: a lamp's mean corner lies behind its face, a screen's corner inside
    the pillar. That is one offset a keypoint, the median over all cars of what the fit to the skin leaves."""
    complete = {name: points for name, points in clicked().items() if np.isfinite(points).all()}
    assert len(complete) >= 25
    keypoints = np.stack(list(complete.values()))
    lengths = np.array([np.ptp(meshes()[name][0][:, 0]) for name in complete])
    skins = [fitted(vertices + grounded(vertices), triangles)[0] for vertices, triangles in map(meshes().get, complete)]
    meaning = np.median(keypoints - CAR.keypoints(np.stack(skins)), axis=0)
    for offset, bound_m, bound_fraction in ((meaning, 0.075, 0.017), (np.zeros_like(meaning), 0.15, 0.031)):
        shapes = np.stack([CAR.solve(points - offset, sigma_m=0.03) for points in keypoints])
        off = np.median(np.linalg.norm(CAR.keypoints(shapes) + offset - keypoints, axis=2), axis=1)
        assert np.median(off) < bound_m
        assert np.median(off / lengths) < bound_fraction
