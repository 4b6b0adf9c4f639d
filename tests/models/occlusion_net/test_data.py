import numpy as np
import torch

from models.geometry.boxes import box_of_cells
from models.occlusion_net.data import CAR_RENDER, Kept, RenderedViews, flip_view, mirrored
from models.occlusion_net.trifocal import transfer


def projected(cameras, points):
    ones = torch.ones(*points.shape[:-1], 1)
    h = torch.einsum("...ij,...pj->...pi", cameras, torch.cat([points, ones], -1))
    return h[..., :2] / h[..., 2:]


def test_cameras_project_the_vehicle_onto_every_view(batch):
    torch.testing.assert_close(projected(batch["cameras"][:, 0], batch["points"]), batch["xy"], atol=1e-4, rtol=0)
    there = batch["cameras"][:, 1:].abs().sum((-1, -2)) > 0
    assert (there.sum(1) == 3).all()  # four views of a vehicle, one of them the current one
    others = projected(batch["cameras"][:, 1:], batch["points"][:, None])
    torch.testing.assert_close(others[there], batch["other_xy"][there], atol=1e-4, rtol=0)
    assert not batch["other_visible"][~there].any()


def test_transferred_points_are_the_hidden_ones(batch):
    target, weight = transfer(batch["cameras"], batch["other_xy"], batch["other_visible"])
    assert (weight > 0).any()
    torch.testing.assert_close(target[weight > 0].float(), batch["xy"][weight > 0], atol=5e-3, rtol=0)


def test_cells_are_the_same_points(batch):
    torch.testing.assert_close(box_of_cells(batch["cells"], batch["aspect"]), batch["xy"])


def test_samples_depend_on_their_number_alone(car_views):
    first, second = RenderedViews(car_views, seed=1), RenderedViews(car_views, seed=1)
    _ = first[5]
    for name, value in first[9].items():
        assert torch.equal(value, second[9][name]), name
    assert not torch.equal(first[8]["image"], first[9]["image"])


def test_each_shows_every_view_once_without_anything_before_it(car_views):
    samples = RenderedViews(car_views, 0, CAR_RENDER, each=True)
    shown = [samples[i] for i in range(len(samples))]
    assert [int(s["instance"]) for s in shown] == [view.instance for view in car_views.views]
    assert {int(v) for s in shown for v in s["state"]} <= {0, 1}


def test_mirror_of_the_mirror_is_the_sample(batch):
    sample = {name: value[0] for name, value in batch.items()}
    twice = mirrored(mirrored(sample))
    for name, value in sample.items():
        torch.testing.assert_close(twice[name], value, atol=1e-5, rtol=1e-5)
    once = mirrored(sample)
    assert once["xy"][0, 0] == -sample["xy"][1, 0]
    torch.testing.assert_close(projected(once["cameras"][0], once["points"]), once["xy"], atol=1e-4, rtol=0)
    assert torch.linalg.det(once["R"]) > 0.99


def test_flipped_view_is_seen_by_a_proper_camera(car_views):
    view = flip_view(car_views.views[0])
    seen = (view.points @ view.R.T + view.t) @ view.K.T
    np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], view.sprite.keypoints, atol=1e-3)
    assert np.isclose(np.linalg.det(view.R), 1)


def test_kept_samples_come_again_in_the_mirror(car_views):
    samples = RenderedViews(car_views, seed=1)
    kept = Kept(samples, 2)
    assert torch.equal(kept[0]["image"], samples[0]["image"])
    assert torch.equal(kept[3]["image"], samples[1]["image"].flip(-1))
    assert torch.equal(kept[4]["image"], samples[0]["image"])
