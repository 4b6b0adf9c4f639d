"""Poses of crops by detected keypoints alone: exact on exact points, close on noisy ones, and refusals."""

import numpy as np
import pytest
import torch
from drives import drive

from models.geometry.object_poses import focal_px, poses, views_of_crops
from models.geometry.view_sets import view_sets
from models.occlusion_net.lifting import vehicles_basis
from models.occlusion_net.trifocal import transfer


def _around(shape=None):
    """Ten moments all around one car."""
    turns = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    return drive(np.column_stack([np.linspace(-6, 6, 10), np.full(10, 20.0)]), turns, shape)


def test_exact_points_give_the_pose_from_no_start():
    seen = _around()
    K = np.tile(seen.camera.K, (10, 1, 1))
    weights = np.where(seen.visible, 1.0, 0.0)
    R, t, known = poses(seen.pixels, weights, np.tile(seen.basis.mean, (10, 1, 1)), K)
    assert known.all()
    np.testing.assert_allclose(R, seen.R, atol=1e-5)
    np.testing.assert_allclose(t, seen.t, atol=1e-4)


def test_other_crops_with_poses_of_their_own_tell_hidden_points_of_another_shape():
    shape = np.zeros(8)
    shape[:3] = 1.5, -1.0, 1.0
    seen = _around(shape)
    rng = np.random.default_rng(3)
    side = seen.box_xywh[:, 2:].max(axis=1)[:, None, None]
    noisy = seen.pixels + rng.normal(0, 0.005, seen.pixels.shape) * side
    scores = np.where(seen.visible, 0.9, 0.0)
    views = views_of_crops(np.zeros(10, int), noisy, scores, seen.visible, seen.box_xywh, seen.camera.K, seen.basis)
    assert len(views) == 10
    target, weight = transfer(*(torch.from_numpy(a) for a in vars(view_sets(views)).values()))
    transferred = (weight.numpy() > 0.03) & views.hidden
    away = np.linalg.norm(target.numpy() - seen.views().xy, axis=-1)[transferred]
    assert transferred.sum() > 0.9 * views.hidden.sum()
    assert np.median(away) < 0.05 and (away < 0.2).mean() > 0.95  # half boxes


def test_crops_without_a_pose_are_left_out_and_bad_input_is_named():
    seen = _around()
    scores = np.where(seen.visible, 0.9, 0.0)
    scores[4, 3:] = 0
    given = {"of": np.zeros(10, int), "xy": seen.pixels, "scores": scores, "visible": seen.visible}
    given |= {"box_xywh": seen.box_xywh, "K": seen.camera.K, "basis": seen.basis}
    np.testing.assert_array_equal(views_of_crops(**given).row, [0, 1, 2, 3, 5, 6, 7, 8, 9])
    with pytest.raises(ValueError, match="no visible one in 10 crops"):
        views_of_crops(**(given | {"visible": np.zeros((10, 12), bool)}))
    with pytest.raises(ValueError, match="expected the 12 of basis car"):
        views_of_crops(**(given | {"xy": np.zeros((10, 14, 2))}))
    with pytest.raises(ValueError, match="none of 10 crops determines a pose"):
        views_of_crops(**(given | {"scores": np.zeros((10, 12))}))


@pytest.mark.parametrize("focal", [700.0, 1300.0, 2300.0])
def test_focal_length_is_found_by_vehicles_of_unknown_shape(focal, rng):
    size = np.array([1280, 720])
    drives = []
    for _ in range(6):
        near = np.column_stack([rng.uniform(-4, 4, 6), rng.uniform(9, 18, 6) * focal / 1000])
        drives.append(drive(near, rng.uniform(0, 6.28, 6), rng.normal(0, 0.7, 8), focal=focal))
    xy, visible, box = (np.concatenate([getattr(d, n) for d in drives]) for n in ("pixels", "visible", "box_xywh"))
    noisy = xy + rng.normal(0, 0.005, xy.shape) * box[:, 2:].max(axis=1)[:, None, None]
    given = np.repeat(np.arange(6), 6), noisy, visible.astype(float), box, size, vehicles_basis()
    assert abs(np.log(focal_px(*given) / focal)) < 0.4
    assert focal_px(*given[:2], 0.0 * visible, *given[3:]) == 1280
