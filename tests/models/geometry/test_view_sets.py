"""Views of a projected car: its mirror images, which others help, and cameras that are exact, a lens included."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from drives import drive

from calibration.camera import edge_to_pixel, pixel_to_edge
from models.geometry.boxes import from_box, to_box
from models.geometry.view_sets import (
    SWAPPED,
    Views,
    box_cameras,
    lens_at,
    view_sets,
)
from models.occlusion_net.trifocal import transfer


def _shown(views: Views, points: np.ndarray) -> np.ndarray:
    h = np.einsum("nij,pj->npi", views.cameras, np.concatenate([points, np.ones((12, 1))], axis=1))
    return h[..., :2] / h[..., 2:]


def test_cameras_show_the_object_where_it_is_and_boxes_go_there_and_back(passing):
    views = passing.views()
    np.testing.assert_allclose(_shown(views, passing.basis.mean), views.xy, atol=1e-9)
    assert np.abs(views.xy).max() == pytest.approx(1 / 1.1)
    np.testing.assert_allclose(edge_to_pixel(from_box(views.xy, views.box_xywh[:, None])), passing.pixels, atol=1e-9)


def test_a_lens_is_affine_about_the_box():
    lens = np.array([-0.25, 0.08, 1e-3, -1e-3, 0.0])
    seen = drive(np.array([[-8.0, 24.0], [6.0, 28.0]]), np.array([0.2, 1.0]), lens=lens)
    maps = lens_at(seen.camera, seen.box_xywh)
    cameras = box_cameras(seen.R, seen.t, maps, seen.box_xywh)
    views = replace(seen.views(), cameras=cameras)
    off = np.abs(_shown(views, seen.basis.mean) - to_box(pixel_to_edge(seen.pixels), seen.box_xywh[:, None])).max()
    without = replace(seen.views(), cameras=box_cameras(seen.R, seen.t, seen.camera.K, seen.box_xywh))
    assert off < 0.03 < 4 * off < np.abs(_shown(without, seen.basis.mean) - views.xy).max()


def test_the_mirror_view_is_a_true_view_and_mirrors_back(passing):
    views = passing.views()
    mirrored = views.mirrored()
    np.testing.assert_allclose(_shown(mirrored, passing.basis.mean), mirrored.xy, atol=1e-9)
    assert (mirrored.visible[:, SWAPPED] == views.visible).all() and (mirrored.xy != views.xy).any()
    np.testing.assert_allclose(mirrored.directions, views.directions * (1, -1, 1))
    again = mirrored.mirrored()
    assert (again.cameras == views.cameras).all() and (again.xy == views.xy).all()


def test_mirror_views_transfer_hidden_points_to_where_they_are(passing):
    views = passing.views()
    transferred = []
    for mirrors in (False, True):
        sets = view_sets(views, mirrors=mirrors)
        target, weight = transfer(*(torch.from_numpy(a) for a in vars(sets).values()))
        known = views.hidden & (weight.numpy() > 0)
        np.testing.assert_allclose(target.numpy()[known], views.xy[known], atol=1e-6)
        transferred.append(known.sum() / views.hidden.sum())
    assert transferred[1] > max(0.8, transferred[0])


def test_sets_hold_the_view_first_never_itself_and_zeros_where_there_are_fewer(passing):
    views = passing.views()
    other = replace(views.at(np.array([0, 1, 2])), of=np.full(3, 9), row=np.arange(20, 23))
    both = Views(*(np.concatenate([a, b]) for a, b in zip(vars(views).values(), vars(other).values(), strict=True)))
    sets = view_sets(both, most=6, mirrors=False)
    assert (sets.cameras[:, 0] == both.cameras).all()
    there = (sets.cameras[:, 1:] != 0).any(axis=(2, 3))
    np.testing.assert_array_equal(there.sum(axis=1), [6] * 7 + [2] * 3)
    assert not sets.other_visible[~there].any()
    assert not (sets.cameras[:, 1:] == sets.cameras[:, :1]).all(axis=(2, 3)).any()


def test_of_too_many_the_helpful_and_far_apart_are_kept(passing):
    views = passing.views()
    sets = view_sets(views, most=5)
    weight = transfer(*(torch.from_numpy(a) for a in vars(sets).values()))[1].numpy()
    full = transfer(*(torch.from_numpy(a) for a in vars(view_sets(views)).values()))[1].numpy()
    assert (weight[views.hidden] > 0).sum() > 0.9 * (full[views.hidden] > 0).sum()


def test_bad_views_are_named_in_one_line(passing):
    views = passing.views()
    with pytest.raises(ValueError, match="two views beside the current one, got 0"):
        view_sets(views.at(np.array([0])), mirrors=False)
    with pytest.raises(ValueError, match="no visible keypoint in any of 7"):
        view_sets(replace(views, visible=np.zeros((7, 12), bool)))
    with pytest.raises(ValueError, match="at least two, got most = 1"):
        view_sets(views, most=1)
    with pytest.raises(ValueError, match=r"the shape basis's 12 keypoints .* got 14"):
        replace(views, xy=np.zeros((7, 14, 2)))
    with pytest.raises(ValueError, match=r"expected cameras \(7, 3, 4\)"):
        replace(views, cameras=np.zeros((6, 3, 4)))
