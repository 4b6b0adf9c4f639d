"""The vehicle fit: exact recovery, honest covariance, symmetries, and a reason for whatever cannot be fitted."""

import numpy as np
import pytest
from chance import examples
from hypothesis import given
from hypothesis import strategies as st
from vehicle_street import BASES, CAMERA, EXACT, PLANE, Street, outlines

from pipeline.reconstruction.support_function import DIRECTIONS
from pipeline.reconstruction.vehicles.fit import VehicleFitSettings, VehiclesSeen, fit_vehicles


def apart(yaw: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Radians between headings."""
    return np.abs((yaw - other + np.pi) % (2 * np.pi) - np.pi)


def test_exact_keypoints_give_exact_poses_and_shapes():
    street = Street()
    fits = street.fit()
    assert fits.ok.all() and (fits.group == street.group).all()
    assert np.linalg.norm(fits.xy_m - street.xy_m, axis=1).max() < 0.01
    assert np.degrees(apart(fits.yaw, street.yaw)).max() < 0.05
    assert np.abs(fits.keypoints_3d - street.points_cam).max() < 0.02
    dims = np.stack([BASES[g].dims_lwh_m(b) for g, b in zip(street.group, street.shape, strict=True)])
    assert np.abs(fits.dims_lwh_m - dims).max() < 0.03
    assert fits.residual_px.max() < 0.05


def test_poses_are_consistent_and_on_the_plane():
    fits = Street(noise=3.0).fit(VehicleFitSettings(noise_px=3))
    for i in np.flatnonzero(fits.ok):
        R, t = PLANE.pose(fits.xy_m[i], fits.yaw[i])
        np.testing.assert_allclose(fits.R[i], R, atol=1e-9)
        np.testing.assert_allclose(fits.t[i], t, atol=1e-9)
    tracks = Street().track
    for track in np.unique(tracks):
        assert (np.ptp(fits.shape[tracks == track], axis=0) == 0).all()
    assert np.abs(fits.shape).max() <= 3


def test_order_of_observations_does_not_matter():
    street = Street(noise=2.0)
    order = np.random.default_rng(1).permutation(len(street.track))
    fits = street.fit()
    street.pixels, street.scores, street.track = street.pixels[order], street.scores[order], street.track[order]
    shuffled = street.fit()
    np.testing.assert_allclose(shuffled.t, fits.t[order], atol=1e-5)
    np.testing.assert_allclose(shuffled.shape, fits.shape[order], atol=1e-4)
    assert (shuffled.refusal == fits.refusal[order]).all()


def test_tracks_do_not_touch_each_other():
    street = Street(noise=2.0)
    together = street.fit()
    first = np.flatnonzero(street.track == street.track[0])
    alone = fit_vehicles(
        VehiclesSeen(street.pixels[first], street.scores[first], street.track[first]), CAMERA, PLANE, BASES, EXACT
    )
    np.testing.assert_allclose(alone.t, together.t[first], atol=1e-5)


def test_noise_and_missing_points_cost_little():
    street = Street(tracks=30, noise=3.0)
    rng = np.random.default_rng(5)
    for row, pixels in zip(street.scores, street.pixels, strict=True):
        missing = rng.permutation(12)[:4]
        row[missing], pixels[missing] = 0, rng.choice([np.nan, 1e5, -40.0])
    fits = street.fit(VehicleFitSettings(noise_px=3))
    off = np.linalg.norm(fits.t - street.t, axis=1) / np.linalg.norm(street.t, axis=1)
    assert fits.ok.mean() > 0.9
    assert np.median(off[fits.ok]) < 0.03 and np.degrees(np.median(apart(fits.yaw, street.yaw)[fits.ok])) < 3


def test_one_wild_point_is_doubted():
    street = Street(tracks=12)
    street.pixels[:, 3] += 60
    fits = street.fit(VehicleFitSettings(noise_px=1, max_residual_fraction=1.0))
    off = np.linalg.norm(fits.t - street.t, axis=1) / np.linalg.norm(street.t, axis=1)
    assert np.median(off) < 0.01


def test_covariance_is_the_scatter_of_errors():
    """Shapes from the prior and noise as declared: squared errors over their variances average to one."""
    street = Street(tracks=150, frames=3, noise=1.0, groups=("car",), seed=3)
    options = VehicleFitSettings(noise_px=1, noise_fraction=0, model_noise_m=0, robust_scale=50.0)
    fits = street.fit(options)
    right = (fits.group == "car") & (apart(fits.yaw, street.yaw) < 1)
    assert right.mean() > 0.97
    off = np.column_stack([fits.xy_m - street.xy_m, (fits.yaw - street.yaw + np.pi) % (2 * np.pi) - np.pi])[right]
    whole = np.einsum("ni,nij,nj->n", off, np.linalg.inv(fits.covariance[right]), off)
    assert 2.4 < whole.mean() < 3.6  # three degrees of freedom
    ratio = off**2 / np.einsum("nii->ni", fits.covariance[right])
    assert (ratio.mean(axis=0) > 0.75).all() and (ratio.mean(axis=0) < 1.3).all()


def test_more_frames_tell_a_shape_better():
    """Frames that share a shape measure it better: its leading coefficients, which pixels show at all."""
    error = {}
    for frames in (1, 8):
        street = Street(tracks=24, frames=frames, noise=3.0, seed=4)
        fits = street.fit(VehicleFitSettings(noise_px=3))
        right = fits.group == street.group
        error[frames] = np.median(np.linalg.norm((fits.shape - street.shape)[right, :3], axis=1))
    assert error[8] < 0.8 * error[1]


def test_outlines_tell_what_few_keypoints_leave_open():
    street = Street(tracks=20, frames=2, noise=3.0, seed=6)
    for i, row in enumerate(street.scores):
        row[np.random.default_rng(i).permutation(12)[:7]] = 0
    plain = street.fit(VehicleFitSettings(noise_px=3))
    keypoints = VehiclesSeen(street.pixels, street.scores, street.track, support=outlines(street))
    helped = fit_vehicles(keypoints, CAMERA, PLANE, BASES, VehicleFitSettings(noise_px=3))
    right = (plain.group == street.group) & (apart(plain.yaw, street.yaw) < 1)
    off = [np.median(np.abs(f.keypoints_3d - street.points_cam)[right]) for f in (plain, helped)]
    assert right.mean() > 0.7 and off[1] < 0.6 * off[0]


def test_an_outline_of_nan_is_none():
    street = Street(noise=1.0)
    support = np.full((len(street.track), len(DIRECTIONS)), np.nan)
    keypoints = VehiclesSeen(street.pixels, street.scores, street.track, support=support)
    np.testing.assert_array_equal(fit_vehicles(keypoints, CAMERA, PLANE, BASES, EXACT).t, street.fit().t)


def test_a_first_guess_is_tried_and_not_trusted():
    street = Street(noise=1.0)
    truth = np.column_stack([street.xy_m, street.yaw])
    wild = np.where(np.arange(len(truth))[:, None] % 2, np.nan, truth + [9.0, -9.0, np.pi])
    for start in (truth, wild):
        keypoints = VehiclesSeen(street.pixels, street.scores, street.track, start=start)
        fits = fit_vehicles(keypoints, CAMERA, PLANE, BASES, EXACT)
        np.testing.assert_allclose(fits.t, street.fit().t, atol=0.05)


def test_no_plane_leaves_six_degrees_of_freedom():
    street = Street(tracks=12, frames=3)
    fits = fit_vehicles(street.keypoints, CAMERA, None, BASES, EXACT)
    turned = (np.einsum("nij,nij->n", fits.R, street.R) - 1) / 2
    assert np.degrees(np.arccos(np.clip(turned, -1, 1)))[fits.ok].max() < 1
    off = np.linalg.norm(fits.t - street.t, axis=1) / np.linalg.norm(street.t, axis=1)
    assert np.median(off[fits.ok]) < 0.01
    assert fits.covariance.shape[1:] == (6, 6) and np.isnan(fits.yaw).all()


def sides_only(street: Street) -> None:
    """Only two wheels and two roof corners of the left, which are alike from either end."""
    street.scores[:] = 0
    street.scores[:, [1, 3, 9, 11]] = 1


def test_motion_tells_front_from_back():
    street = Street(tracks=40, frames=1, noise=4.0, groups=("van",))
    sides_only(street)
    told = replace_heading(street, np.radians(4))
    options = VehicleFitSettings(noise_px=4)
    silent, moved = (fit_vehicles(k, CAMERA, PLANE, BASES, options) for k in (street.keypoints, told))
    flipped = [np.mean(apart(f.yaw, street.yaw) > np.pi / 2) for f in (silent, moved)]
    assert flipped[1] == 0 and flipped[1] <= flipped[0]
    assert np.median(apart(moved.yaw, street.yaw)) <= np.median(apart(silent.yaw, street.yaw))


def replace_heading(street: Street, sigma: float, turned: float = 0.0) -> VehiclesSeen:
    """Keypoints with headings turned by so much."""
    count = len(street.track)
    return VehiclesSeen(street.pixels, street.scores, street.track, street.yaw + turned, np.full(count, sigma))


def test_clear_keypoints_against_motion_are_refused_and_against_a_hint_are_not():
    """A car that reverses, or one whose track swapped: keypoints or motion are wrong, and nothing tells which."""
    street = Street(noise=0.5)
    told = fit_vehicles(replace_heading(street, np.radians(4), np.pi), CAMERA, PLANE, BASES)
    assert not (told.ok & (apart(told.yaw, street.yaw + np.pi) > np.pi / 2)).any()
    assert (told.refusal == "against_motion").mean() > 0.9
    hinted = fit_vehicles(replace_heading(street, np.radians(20), np.pi), CAMERA, PLANE, BASES)
    assert hinted.ok.all() and np.degrees(apart(hinted.yaw, street.yaw)).max() < 5


def test_unknown_headings_are_no_headings():
    street = Street(noise=1.0)
    count = len(street.track)
    for yaw, sigma in ((np.nan, 0.1), (0.3, np.inf), (0.3, np.nan)):
        given_ = VehiclesSeen(street.pixels, street.scores, street.track, np.full(count, yaw), np.full(count, sigma))
        np.testing.assert_array_equal(fit_vehicles(given_, CAMERA, PLANE, BASES, EXACT).t, street.fit().t)


def test_refusals_have_reasons_and_neighbours_are_fitted():
    street = Street(tracks=6, frames=1)
    street.scores[0] = 0
    street.scores[1, 3:] = 0
    street.pixels[2] = np.linspace([300, 200], [500, 320], 12)
    street.pixels[3] = np.random.default_rng(0).uniform(100, 600, (12, 2))
    street.pixels[4] = [400.0, 300.0]
    fits = street.fit(VehicleFitSettings())
    assert fits.refusal[:2].tolist() == ["too_few_points"] * 2
    assert fits.refusal[2] == "collinear" and fits.refusal[4] == "collinear"
    assert fits.refusal[3] in ("residual", "unsure", "ambiguous", "behind_camera")
    assert fits.ok[5] and np.linalg.norm(fits.xy_m[5] - street.xy_m[5]) < 0.3
    assert np.isnan(fits.t[[0, 1, 2, 4]]).all() and (fits.group[[0, 1, 2, 4]] == "").all()


def test_sky_is_no_place_for_a_vehicle():
    street = Street(tracks=2, frames=2)
    street.pixels = street.pixels * [1, -1] - [0, 2500.0]
    assert not street.fit(VehicleFitSettings()).ok.any()


@pytest.mark.parametrize("plane", [PLANE, None])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_nothing_at_all_is_refused_not_raised(plane, count):
    nothing = VehiclesSeen(np.full((count, 12, 2), np.nan), np.zeros((count, 12)), np.zeros(count, int))
    fits = fit_vehicles(nothing, CAMERA, plane, BASES)
    assert fits.refusal.tolist() == ["too_few_points"] * count


@examples(25)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_any_numbers_end_in_a_fit_or_a_reason(seed, grounded):
    rng = np.random.default_rng(seed)
    xy = rng.normal(600, 10 ** rng.uniform(-2, 5), (4, 12, 2))
    xy[rng.random(xy.shape) < 0.1] = rng.choice([np.nan, np.inf, 0])
    keypoints = VehiclesSeen(xy, rng.random((4, 12)) * (rng.random((4, 12)) < 0.7), rng.integers(0, 3, 4))
    fits = fit_vehicles(keypoints, CAMERA, PLANE if grounded else None, BASES)
    assert np.isfinite(fits.t[fits.ok]).all() and np.isfinite(fits.covariance[fits.ok]).all()


def test_wrong_input_is_named():
    street = Street(tracks=1)
    with pytest.raises(ValueError, match=r"expected xy and scores of shapes .* got"):
        VehiclesSeen(street.pixels[:, :11], street.scores, street.track)
    with pytest.raises(ValueError, match=r"scores in 0\.\.1"):
        VehiclesSeen(street.pixels, street.scores * 2, street.track)
    with pytest.raises(ValueError, match="together"):
        VehiclesSeen(street.pixels, street.scores, street.track, heading=street.yaw)
