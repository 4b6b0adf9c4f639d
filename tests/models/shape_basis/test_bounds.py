"""Bounds of a basis' coefficients: they hold every vehicle it was built from, are kept in its file, and flag others."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from vehicle_street import CAMERA, PLANE

from models.shape_basis import WIDE_GROUPS, load_bases, save_bases
from models.shape_basis.build import build_basis
from models.shape_basis.envelope import envelope_triangles
from models.shape_basis.fleet import fleet_models
from pipeline.reconstruction.vehicles.fit import VehiclesSeen, fit_vehicles
from pipeline.simulate.vehicles.wide.fleet import make_wide_vehicle

BARE = partial(make_wide_vehicle, bare=True)


@pytest.fixture(scope="module")
def models():
    return list(fleet_models("wide_car", WIDE_GROUPS["wide_car"], range(4), BARE))


@pytest.fixture(scope="module")
def basis(models):
    return build_basis("wide_car", models, envelope_triangles(), bounded=True)


def seen(points: np.ndarray) -> VehiclesSeen:
    """One vehicle of keypoints (12, 3), 25 m away."""
    R, t = PLANE.pose(np.array([1.0, 25.0]), 0.5)
    return VehiclesSeen(CAMERA.project(points @ R.T + t)[None], np.ones((1, 12)), np.zeros(1, int))


def test_bounds_hold_every_model_and_are_kept(basis, models, tmp_path) -> None:
    needed = np.abs([basis.solve(m.keypoints, sigma_m=0.03) for m in models])
    assert (needed <= basis.bounds).all() and (basis.bounds < 12).all()
    save_bases(tmp_path / "bases.npz", {"wide_car": basis})
    np.testing.assert_allclose(load_bases(tmp_path / "bases.npz")["wide_car"].bounds, basis.bounds, rtol=1e-6)
    assert all(np.isinf(shipped.bounds).all() for shipped in load_bases().values())


def test_no_model_that_it_was_built_from_is_refused(basis, models) -> None:
    for model in models[::4]:
        fits = fit_vehicles(seen(model.keypoints), CAMERA, PLANE, {"wide_car": basis})
        assert fits.ok.all() and np.linalg.norm(fits.xy_m[0] - [1.0, 25.0]) < 0.3, model.name


@pytest.mark.parametrize("body", ["double_decker", "articulated_bus", "tractor"])
def test_what_no_bound_allows_is_refused_and_not_bent(basis, body) -> None:
    """Among cars."""
    fits = fit_vehicles(seen(BARE(body, 5).keypoints), CAMERA, PLANE, {"wide_car": basis})
    assert fits.refusal[0] in ("unknown_shape", "residual")


def test_bounds_of_another_number_are_refused(basis, tmp_path) -> None:
    with pytest.raises(ValueError, match=r"expected bounds \(8,\), got \(3,\)"):
        replace(basis, bounds=np.ones(3))
