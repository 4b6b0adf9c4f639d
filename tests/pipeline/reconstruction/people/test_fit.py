"""Bodies of known pose, shape and place: what is seen of them brings them back, from a start that is off."""

import numpy as np
import pytest
import torch
from bodies_seen import CAMERA, PLANE, guessed, street

from calibration.camera import Camera, GroundPlane
from models.body_model import load_body
from models.geometry.rotations import exp_so3, log_so3
from models.poses import load_prior
from pipeline.reconstruction.people.fit import PeopleFitSettings, PeopleSeen, fit_people, standing_height
from pipeline.reconstruction.support_function import DIRECTIONS

BODY, PRIOR = load_body(), load_prior()
# What is exact may be trusted more than a real network.
EXACT = PeopleFitSettings(iterations=300, keypoint_noise_fraction=0.005)
FEW = PeopleFitSettings(iterations=20)


def seen(scene, theta, **more):
    return PeopleSeen(theta, np.zeros((len(theta), 10)), scene.track, scene.support, **more)


def fitted(observed, settings=FEW, camera=CAMERA, plane=PLANE):
    return fit_people(observed, camera, plane, BODY, PRIOR, settings)


def apart(angle):
    return np.abs((angle + np.pi) % (2 * np.pi) - np.pi)


@pytest.fixture(scope="module")
def scene():
    return street(BODY, np.repeat(np.arange(6), 4))


def test_exact_keypoints_bring_joints_and_place_back(scene):
    theta = guessed(scene, 0.1, 0.15)
    fits = fitted(seen(scene, theta, keypoints=scene.keypoints, score=np.ones((24, 17))), EXACT)
    assert fits.ok.all()
    off = [points - points[:, 11:13].mean(axis=1, keepdims=True) for points in (fits.keypoints_3d, scene.keypoints_3d)]
    assert np.median(np.linalg.norm(off[0] - off[1], axis=-1).mean(axis=1)) <= 0.015
    place = np.linalg.norm(PLANE.to_world(fits.t)[:, :2] - scene.xy_m, axis=1)
    assert (place <= 0.01 * np.linalg.norm(scene.xy_m, axis=1)).all()
    assert np.degrees(np.median(apart(PLANE.yaw(fits.R) - scene.yaw))) < 3


def test_outlines_alone_tell_heights(scene):
    fits = fitted(seen(scene, guessed(scene, 0.1, 0.15)), PeopleFitSettings())
    true = standing_height(BODY, torch.from_numpy(scene.beta))
    assert fits.ok.all() and np.ptp(true) > 0.1
    assert np.abs(fits.height_m / true - 1).max() <= 0.03


def test_a_track_has_one_shape_and_the_order_is_kept(scene):
    shuffled = np.random.default_rng(2).permutation(24)
    theta = guessed(scene, 0.1, 0.15)
    fits = fitted(seen(scene, theta))
    assert all(np.ptp(fits.beta[scene.track == t], axis=0).max() == 0 for t in range(6))
    assert np.ptp(fits.beta[::4], axis=0).min() > 0
    mixed = PeopleSeen(theta[shuffled], np.zeros((24, 10)), scene.track[shuffled], scene.support[shuffled])
    assert np.abs(fitted(mixed).t - fits.t[shuffled]).max() < 0.02


def test_the_columns_say_the_same_body(scene):
    """theta, beta and transl, given to the body model, are the box, the keypoints and a body that stands."""
    fits = fitted(seen(scene, guessed(scene, 0.1, 0.15)))
    posed = BODY(*(torch.from_numpy(column) for column in (fits.theta, fits.beta, fits.transl)))
    assert np.allclose(posed.keypoints.numpy(), fits.keypoints_3d, atol=1e-6)
    height = PLANE.to_world(posed.vertices.numpy())[..., 2]
    assert np.allclose(height.min(axis=1), 0, atol=1e-6)
    assert np.allclose(height.max(axis=1), fits.dims_lwh_m[:, 2], atol=1e-6)
    pelvis = PLANE.to_world(posed.joints[:, 0].numpy())
    assert np.allclose(pelvis[:, :2], PLANE.to_world(fits.t)[:, :2], atol=1e-6)
    assert np.allclose(np.linalg.det(fits.R), 1) and np.allclose(fits.R[..., 2], PLANE.n)


def test_knees_do_not_bend_forward(scene):
    """However confident of it the network is, and whatever the outline gains by it."""
    theta = guessed(scene, 0.05, 0.05)
    theta[:, 4, 0] = -0.8
    assert fitted(seen(scene, theta), PeopleFitSettings()).theta[:, 4, 0].min() > -0.1


def test_motion_turns_a_network_that_faces_the_other_way(scene):
    back = guessed(scene, 0.05, 0.05)
    turned = back.copy()
    about = torch.from_numpy(np.tile(np.pi * PLANE.n, (24, 1)))

    turned[:, 0] = log_so3(exp_so3(about) @ exp_so3(torch.from_numpy(back[:, 0]))).numpy()
    fits = fitted(seen(scene, turned, heading=scene.yaw, heading_sigma=np.full(24, 0.1)))
    assert np.degrees(apart(PLANE.yaw(fits.R) - scene.yaw)).max() < 40


def test_the_same_twice(scene):
    theta = guessed(scene, 0.1, 0.15)
    first, second = (fitted(seen(scene, theta)) for _ in range(2))
    assert np.array_equal(first.theta, second.theta) and np.array_equal(first.t, second.t)


def lone(scene, **changed):
    """One observation."""
    row = {"theta": scene.theta[:1], "beta": np.zeros((1, 10)), "track": np.zeros(1, int), "support": scene.support[:1]}
    return PeopleSeen(**row | changed)


def test_nobody_and_somebody(scene):
    none = PeopleSeen(np.zeros((0, 24, 3)), np.zeros((0, 10)), np.zeros(0, int), np.zeros((0, len(DIRECTIONS))))
    assert len(fitted(none).t) == 0
    assert fitted(lone(scene)).ok.all()


def test_keypoints_that_are_nothing_tell_nothing(scene):
    blind = fitted(lone(scene))
    for bad in (np.nan, 1e9):
        fits = fitted(lone(scene, keypoints=np.full((1, 17, 2), bad), score=np.ones((1, 17))))
        assert np.allclose(fits.t, blind.t, atol=1e-4)


def box_support(left, top, width, height):
    corners = np.array([[x, y] for x in (left, left + width) for y in (top, top + height)], float)
    return (corners @ DIRECTIONS.T).max(axis=0)[None]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"support": box_support(600, 100, 5, 5)}, "too_small"),
        ({"support": box_support(600, -700, 40, 120)}, "no_ground"),
        ({"support": np.full((1, len(DIRECTIONS)), np.nan)}, "no_ground"),
        ({"theta": np.full((1, 24, 3), np.nan)}, "unseen"),
    ],
)
def test_what_cannot_be_fitted_has_a_reason(scene, changed, reason):
    assert fitted(lone(scene, **changed)).refusal.tolist() == [reason]


def test_near_the_horizon_nobody_is_placed(scene):
    level = GroundPlane.from_tilt(0, 0, 6.0)
    horizon = float(CAMERA.K[1, 2])
    support = box_support(600, horizon - 38, 20, 40)
    assert fitted(lone(scene, support=support), plane=level).refusal[0] in ("too_far", "no_ground")


def test_a_mask_of_something_else_is_refused(scene):
    wide = box_support(300, 400, 400, 100)
    assert fitted(lone(scene, support=wide), PeopleFitSettings()).refusal[0] in ("residual", "height")


def test_the_lens_is_undone_once(scene):
    """A barrel lens moves keypoints and boxes, not the fit."""
    lens = Camera(CAMERA.K, CAMERA.size_hw, np.array([-0.2, 0.05, 0, 0, 0]))
    with_lens = fitted(lone(scene, keypoints=lens.project(scene.keypoints_3d[:1]), score=np.ones((1, 17))), camera=lens)
    without = fitted(lone(scene, keypoints=scene.keypoints[:1], score=np.ones((1, 17))))
    assert np.allclose(with_lens.t, without.t, atol=1e-3)
    assert np.abs(with_lens.box_xywh - without.box_xywh).max() > 0.05


def test_shapes_that_differ_are_named(scene):
    with pytest.raises(ValueError, match=r"expected beta of shape \(1, 10\), got \(1, 9\)"):
        lone(scene, beta=np.zeros((1, 9)))
    with pytest.raises(ValueError, match="keypoints and score together"):
        lone(scene, keypoints=np.zeros((1, 17, 2)))
