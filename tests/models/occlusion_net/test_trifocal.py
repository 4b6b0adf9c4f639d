"""Equation (9): zero at truth and growing from there, its gradient, and triplets that tell nothing."""

import numpy as np
import pytest
import torch
from chance import examples
from drives import drive
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.geometry import exp_so3
from models.geometry.view_sets import view_sets
from models.occlusion_net import trifocal
from models.occlusion_net.trifocal import (
    MOTIONS,
    coverage,
    covered,
    homogeneous,
    incidence,
    motions,
    transfer,
    trifocal_loss,
    trifocal_tensor,
)

TOP_DOWN = torch.tensor([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]], dtype=torch.float64)  # object x forward to camera z


class Scene:
    """N cars of twelve points, each seen by M + 1 cameras around it, 8 to 30 m away: cameras and true points (N, M + 1,
    12, 2), as box coordinates [-1, 1]."""

    def __init__(self, seed: int, views: int = 4, count: int = 2) -> None:
        rng = np.random.default_rng(seed)
        self.X = torch.tensor(rng.uniform([-2.2, -0.9, 0], [2.2, 0.9, 1.5], (count, 12, 3)))
        turn = rng.uniform(0, 2 * np.pi, (count, 1)) + np.arange(views) * rng.uniform(0.35, 1.2, (count, 1))
        spin = torch.tensor(np.stack([0 * turn, 0 * turn, turn], axis=-1))
        tilt = exp_so3(torch.tensor(rng.normal(0, 0.1, (count, views, 3))))
        R = tilt @ TOP_DOWN @ exp_so3(spin)
        t = torch.tensor(rng.uniform([-1, -1, 8], [1, 1, 30], (count, views, 3)))
        K = torch.diag(torch.tensor([1200.0, 1200, 1], dtype=torch.float64))
        pixels, _ = _project(K @ torch.cat([R, t[..., None]], -1), self.X)
        low, high = pixels.amin(2), pixels.amax(2)
        middle, half = (low + high) / 2, (high - low) / 2 * 1.1
        box = torch.zeros(count, views, 3, 3, dtype=torch.float64)
        box[..., 0, 0], box[..., 1, 1], box[..., 2, 2] = 1 / half[..., 0], 1 / half[..., 1], 1
        box[..., :2, 2] = -middle / half
        self.cameras = box @ K @ torch.cat([R, t[..., None]], -1)
        self.xy, _ = _project(self.cameras, self.X)
        self.seen = torch.ones(count, views - 1, 12, dtype=torch.bool)
        self.hidden = torch.ones(count, 12, dtype=torch.bool)

    def widest_sine2(self) -> Tensor:
        """(N, 12): squared sine of the widest angle of a point's rays to the other cameras, 0 below 3 degrees."""
        centres = -torch.linalg.solve(self.cameras[:, 1:, :, :3], self.cameras[:, 1:, :, 3:])[..., 0]
        rays = torch.nn.functional.normalize(self.X[:, None] - centres[:, :, None], dim=-1)
        pairs = torch.triu_indices(rays.shape[1], rays.shape[1], 1)
        widest = torch.linalg.cross(*rays[:, pairs].unbind(1)).square().sum(-1).amax(1)
        return widest * (widest >= np.sin(np.radians(3)) ** 2)

    def loss(self, xy: Tensor, **changed: Tensor) -> tuple[Tensor, Tensor]:
        given = {"cameras": self.cameras, "other_xy": self.xy[:, 1:], "other_visible": self.seen, "hidden": self.hidden}
        return trifocal_loss(xy, **(given | changed))


def _project(P: Tensor, X: Tensor) -> tuple[Tensor, Tensor]:
    h = torch.einsum("nvij,npj->nvpi", P, homogeneous(X))
    return h[..., :2] / h[..., 2:], h[..., 2]


@examples(20)
@given(st.integers(0, 10_000), st.integers(3, 6))
def test_the_truth_costs_nothing_and_is_what_transfer_finds_by_how_well_the_views_are_spread(seed, views):
    scene = Scene(seed, views)
    widest = scene.widest_sine2()
    loss, weight = scene.loss(scene.xy[:, 0])
    assert loss.max() < 1e-18
    torch.testing.assert_close(weight, widest, rtol=1e-9, atol=0)
    target, confidence = transfer(scene.cameras, scene.xy[:, 1:], scene.seen)
    torch.testing.assert_close(confidence, widest, rtol=1e-9, atol=0)
    # Rays that meet at a small angle amplify rounding by one over its squared sine.
    assert ((target - scene.xy[:, 0]).norm(dim=-1) * widest).max() < 5e-10


@examples(20)
@given(st.integers(0, 10_000), st.floats(0, 6.28))
def test_the_loss_grows_with_the_distance_as_its_square(seed, angle):
    scene = Scene(seed)
    way = torch.tensor([np.cos(angle), np.sin(angle)])
    far = torch.stack([scene.loss(scene.xy[:, 0] + step * way)[0] for step in (0.01, 0.02, 0.1, 0.5, 2.0)])
    assert (far.diff(dim=0) > 0).all()
    torch.testing.assert_close(far[1], 4 * far[0])
    # In half boxes, up to the length of a homogeneous point.
    fraction = far[2] / 0.1**2
    assert fraction.min() > 0.25 and fraction.max() < 1.5


def test_the_tensor_of_hartley_and_zisserman_has_the_labelled_view_first():
    scene = Scene(3)
    current, first, second = scene.cameras[:, :3].unbind(1)
    T = trifocal_tensor(first, current, second)
    torch.testing.assert_close(T.flatten(1).norm(dim=1), torch.ones(2, dtype=torch.float64))
    right = incidence(scene.xy[:, 0], scene.xy[:, 1], scene.xy[:, 2], T[:, None])
    swapped = trifocal_tensor(current, first, second)
    assert right.abs().max() < 1e-12
    assert incidence(scene.xy[:, 0], scene.xy[:, 1], scene.xy[:, 2], swapped[:, None]).abs().max() > 0.01


def test_gradients_by_points_and_cameras_agree_with_finite_differences():
    scene = Scene(5, views=3, count=1)
    off = scene.xy + 0.05 * torch.sin(torch.arange(scene.xy.numel()).double()).reshape(scene.xy.shape)

    def by_all(xy: Tensor, cameras: Tensor, others: Tensor) -> Tensor:
        return trifocal_loss(xy, cameras, others, scene.seen, scene.hidden)[0]

    def moved(cameras: Tensor, others: Tensor) -> Tensor:
        return transfer(cameras, others, scene.seen)[0]

    def grad(a: Tensor) -> Tensor:
        return a.clone().requires_grad_()

    assert torch.autograd.gradcheck(by_all, (grad(off[:, 0]), grad(scene.cameras), grad(off[:, 1:])), eps=1e-6)
    # Depths that weigh the rows are kept fixed: exact where the views agree.
    assert torch.autograd.gradcheck(lambda a: moved(scene.cameras, a), (grad(scene.xy[:, 1:]),), atol=1e-4)


def test_descent_on_the_loss_alone_finds_the_hidden_points():
    scene = Scene(11)
    hidden = torch.arange(12).expand(2, 12) % 3 == 0
    xy = (scene.xy[:, 0] + 0.7).requires_grad_()
    optimiser = torch.optim.SGD([xy], lr=0.5)
    for _ in range(300):
        optimiser.zero_grad()
        scene.loss(xy, hidden=hidden)[0].sum().backward()
        optimiser.step()
    away = (xy.detach() - scene.xy[:, 0]).norm(dim=-1)
    assert away[hidden].max() < 1e-4
    torch.testing.assert_close(away[~hidden], torch.full_like(away[~hidden], 0.7 * 2**0.5))


def _one_point(scene: Scene) -> None:
    scene.seen[:, 1:] = False


def _same_place(scene: Scene) -> None:
    scene.cameras[:, 1:] = scene.cameras[:, 1:2].clone()
    scene.xy[:, 1:] = scene.xy[:, 1:2].clone()


def _all_one(scene: Scene) -> None:
    scene.cameras[:] = scene.cameras[:, :1].clone()
    scene.xy[:] = scene.xy[:, :1].clone()


def _absent(scene: Scene) -> None:
    scene.cameras[:, 2:] = 0


def _no_current(scene: Scene) -> None:
    scene.cameras[:, 0] = 0


def _unknown(scene: Scene) -> None:
    scene.xy[:, 2:] = torch.nan


def _broken(scene: Scene) -> None:
    scene.cameras[:, 2:] = torch.nan


@pytest.mark.parametrize("spoil", [_one_point, _same_place, _all_one, _absent, _no_current, _unknown, _broken])
def test_what_tells_nothing_weighs_nothing_and_leaves_no_nan(spoil):
    scene = Scene(2)
    start = scene.xy[:, 0].clone() + 0.3
    spoil(scene)
    xy, cameras = start.requires_grad_(), scene.cameras.clone().requires_grad_()
    loss, weight = scene.loss(xy, cameras=cameras)
    target, confidence = transfer(cameras, scene.xy[:, 1:], scene.seen)
    (loss.sum() + weight.sum() + target.sum() + confidence.sum()).backward()
    assert (loss == 0).all() and (weight == 0).all() and (confidence == 0).all()
    assert (xy.grad == 0).all() and cameras.grad.isfinite().all()


def test_points_on_the_line_of_both_centres_weigh_nothing():
    """Cameras that face each other along the car: the middle point lies between them."""
    behind = exp_so3(torch.tensor([0, 0, np.pi], dtype=torch.float64))
    side = exp_so3(torch.tensor([0, 0, np.pi / 2], dtype=torch.float64))
    R = torch.stack([TOP_DOWN @ side, TOP_DOWN, TOP_DOWN @ behind])
    t = torch.tensor([0.0, 0, 20], dtype=torch.float64).expand(3, 3)
    cameras = torch.cat([R, t[..., None]], -1)[None] * torch.tensor([10.0, 10, 1])[:, None].double()
    X = torch.zeros(1, 12, 3, dtype=torch.float64)
    X[0, 1:, 2] = 3.0  # off the line, but seen at 17 degrees or so
    xy, _ = _project(cameras, X)
    seen, hidden = torch.ones(1, 2, 12, dtype=torch.bool), torch.ones(1, 12, dtype=torch.bool)
    _, weight = trifocal_loss(xy[:, 0], cameras, xy[:, 1:], seen, hidden)
    assert weight[0, 0] == 0 and (weight[0, 1:] > 0.02).all()
    assert transfer(cameras, xy[:, 1:], seen)[1][0, 0] == 0


def test_views_that_disagree_count_less_and_behind_the_camera_not_at_all():
    scene = Scene(4, views=3)
    _, agreed = transfer(scene.cameras, scene.xy[:, 1:], scene.seen)
    off = scene.xy[:, 1:].clone()
    off[:, 0] += torch.tensor([0.0, 1.5], dtype=torch.float64)
    assert (transfer(scene.cameras, off, scene.seen)[1] < 0.3 * agreed).all()
    turned = scene.cameras.clone()
    turned[:, 1] *= -1  # the same image, from behind
    assert (transfer(turned, scene.xy[:, 1:], scene.seen)[1] == 0).all()


def test_fewer_than_two_views_and_wrong_shapes_are_named():
    scene = Scene(1, views=2)
    with pytest.raises(ValueError, match="at least two, got 1"):
        scene.loss(scene.xy[:, 0])
    scene = Scene(1)
    with pytest.raises(ValueError, match="expected cameras, other_xy and other_visible"):
        scene.loss(scene.xy[:, 0], other_visible=scene.seen[:, 1:])
    with pytest.raises(ValueError, match="expected xy"):
        scene.loss(scene.xy[:, 0], hidden=scene.hidden[:1])


def test_covered_points_are_those_that_other_times_tell(passing, monkeypatch):
    views = passing.views()
    sets = view_sets(views)
    target, weight = transfer(*(torch.from_numpy(a) for a in vars(sets).values()))
    known = covered(views, sets)
    monkeypatch.setattr(trifocal, "_AT_ONCE", 2)
    assert np.array_equal(covered(views, sets), known)  # whatever is in memory at once
    away = np.linalg.norm(target.numpy() - views.xy, axis=-1)[known & (weight.numpy() > 0)]
    assert known.sum() > 0.8 * views.hidden.sum() and away.max() < 1e-3
    assert not (known & views.visible).any()
    assert covered(views, sets, min_angle_deg=89).sum() < known.sum()


def test_coverage_is_printed_by_motion(passing):
    lines = list(coverage(passing.views()))
    assert lines[0].split() == ["motion", "vehicles", "hidden", "covered", "with", "mirrors"]
    total, turning = (line.split() for line in lines[1:])
    assert (total[0], turning[0]) == ("all", "turning") and total[1:] == turning[1:]
    assert float(total[3]) < float(total[4]) > 0.8


@pytest.mark.parametrize(
    ("places", "yaw", "motion"),
    [
        ([[0, 20], [0.3, 20.2]], [0.0, 0.02], "standing"),
        ([[1, 60], [1, 40]], [-1.57, -1.57], "approaching"),
        ([[-9, 20], [9, 20]], [0.0, 0.0], "passing"),
        ([[-3, 20], [5, 24]], [0.0, 0.9], "turning"),
        ([[0, 20]], [0.0], "standing"),
    ],
)
def test_motion_is_told_by_the_cameras_place_about_the_object(places, yaw, motion):
    views = drive(np.array(places, float), np.array(yaw)).views()
    assert {MOTIONS[k] for k in motions(views)} == {motion}
