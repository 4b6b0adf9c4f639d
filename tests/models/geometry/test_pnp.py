"""The layer that finds poses: exact recovery, gradients against the solver itself, and refusals without NaN."""

import numpy as np
import pytest
import torch

from models.geometry import PnPSettings, Pose, exp_so3, log_so3, solve_pnp
from models.geometry.projection import project

K = torch.tensor([[1080.0, 0, 640], [0, 1080, 360], [0, 0, 1]], dtype=torch.float64)
LENS = torch.tensor([-0.2, 0.05, 1e-3, -1e-3, 0.0], dtype=torch.float64)
CONVERGED = PnPSettings(iterations=40, full_hessian=True)


class Scene:
    """B boxes of P points before the camera: points (B, P, 3), R, t, pixels with noise (pixels), weights, a start."""

    def __init__(self, count: int = 5, points: int = 10, noise: float = 0.0, lens: torch.Tensor | None = None) -> None:
        rng = np.random.default_rng(7)
        self.points = torch.tensor(rng.uniform([-2.2, -0.9, 0], [2.2, 0.9, 1.5], (count, points, 3)))
        self.R = exp_so3(torch.tensor(rng.normal(0, 1.0, (count, 3))))
        self.t = torch.tensor(rng.uniform([-4, -2, 12], [4, 2, 30], (count, 3)))
        self.weights = torch.tensor(rng.uniform(0.3, 1.0, (count, points)))
        exact = project(self.points @ self.R.mT + self.t[:, None], K, lens)
        self.pixels = exact + torch.tensor(rng.normal(0, noise, exact.shape)) if noise else exact
        self.start = exp_so3(torch.full((count, 3), 0.1, dtype=torch.float64)) @ self.R, self.t + 0.4

    def solve(self, settings: PnPSettings = CONVERGED, **changed: torch.Tensor) -> Pose:
        given = {"points": self.points, "pixels": self.pixels, "weights": self.weights, "K": K} | changed
        return solve_pnp(**given, start=self.start, settings=settings)


def six(pose: Pose) -> torch.Tensor:
    """(B, 6): turn and shift as one vector."""
    return torch.cat([log_so3(pose.R), pose.t], dim=-1)


@pytest.mark.parametrize("lens", [None, LENS])
def test_exact_points_give_the_exact_pose(lens):
    scene = Scene(lens=lens)
    pose = solve_pnp(scene.points, scene.pixels, scene.weights, K, scene.start, CONVERGED, lens)
    assert pose.valid.all()
    torch.testing.assert_close(pose.R, scene.R, atol=1e-9, rtol=0)
    torch.testing.assert_close(pose.t, scene.t, atol=1e-8, rtol=0)
    assert (pose.cost < 1e-20).all()


def test_missing_points_may_be_anything():
    scene = Scene()
    weights, pixels = scene.weights.clone(), scene.pixels.clone()
    weights[:, 3], pixels[:, 3] = 0, 1e6
    pixels[:, 5] = torch.nan
    pose = scene.solve(weights=weights, pixels=pixels)
    torch.testing.assert_close(pose.t, scene.t, atol=1e-8, rtol=0)


def test_a_gross_error_moves_a_robust_pose_less():
    scene = Scene()
    pixels = scene.pixels.clone()
    pixels[:, 0] += 80
    robust = scene.solve(PnPSettings(iterations=40, huber_fraction=0.002), pixels=pixels)
    plain = scene.solve(PnPSettings(iterations=40, huber_fraction=10.0), pixels=pixels)
    assert ((robust.t - scene.t).norm(dim=-1) < 0.3 * (plain.t - scene.t).norm(dim=-1)).all()


@pytest.mark.parametrize("name", ["pixels", "points", "weights", "K"])
@pytest.mark.parametrize("noise", [0.0, 8.0])
def test_gradients_are_finite_differences_of_the_solver(name, noise):
    scene = Scene(count=3, points=8, noise=noise)
    given = {"pixels": scene.pixels, "points": scene.points, "weights": scene.weights, "K": K}[name]
    # With exact points Gauss-Newton's gradient is exact too; with noise only the full Hessian's is.
    settings = PnPSettings(iterations=60, full_hessian=noise > 0)
    asked = given.clone().requires_grad_()
    direction = torch.tensor(np.random.default_rng(2).normal(size=given.shape)) * (name != "K" or K > 0)
    direction = direction.triu() if name == "K" else direction
    mix = torch.tensor(np.random.default_rng(3).normal(size=6))
    (gradient,) = torch.autograd.grad((six(scene.solve(settings, **{name: asked})) @ mix).sum(), asked)
    step = {"pixels": 3e-2, "points": 1e-4, "weights": 2e-3, "K": 1e-1}[name]
    ahead = six(scene.solve(settings, **{name: given + step * direction}))
    back = six(scene.solve(settings, **{name: given - step * direction}))
    slope = ((ahead - back) @ mix).sum() / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=2e-4, atol=1e-7)


def test_gauss_newton_is_close_for_small_residuals():
    scene = Scene(noise=1.0)
    given = scene.pixels.clone().requires_grad_()
    (fast,) = torch.autograd.grad(scene.solve(PnPSettings(iterations=40), pixels=given).t.sum(), given)
    (full,) = torch.autograd.grad(scene.solve(CONVERGED, pixels=given).t.sum(), given)
    assert (fast - full).norm() < 0.05 * full.norm()


def line(count: int) -> torch.Tensor:
    """Points (1, count, 3) on one line."""
    return torch.linspace(-2, 2, count, dtype=torch.float64)[None, :, None] * torch.tensor([1.0, 0.2, 0.1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", ["collinear", "one place", "two points", "all missing", "behind"])
def test_degenerate_points_are_invalid_and_finite(case, dtype):
    points = line(8) if case != "one place" else torch.ones(1, 8, 3, dtype=torch.float64)
    weights = torch.ones(1, 8)
    if case == "two points":
        points, weights[:, 2:] = torch.tensor(np.random.default_rng(0).normal(size=(1, 8, 3))), 0
    if case == "all missing":
        weights[:] = 0
    if case == "behind":
        points = torch.tensor(np.random.default_rng(0).normal(size=(1, 8, 3)))
    t = torch.tensor([[0.5, 0.2, -20.0 if case == "behind" else 20.0]], dtype=torch.float64)
    pixels = project(points + t.abs()[:, None], K)
    given = [a.to(dtype).requires_grad_() for a in (points, pixels, weights, K)]
    pose = solve_pnp(*given, (torch.eye(3, dtype=torch.float64)[None], t))
    assert not pose.valid.any()
    gradients = torch.autograd.grad(pose.R.sum() + pose.t.sum(), given, allow_unused=True)
    assert pose.R.isfinite().all() and pose.t.isfinite().all() and pose.R.dtype is dtype
    assert all((g == 0).all() for g in gradients if g is not None)


def test_a_degenerate_sample_does_not_touch_its_neighbours():
    scene = Scene(count=2)
    points = scene.points.clone()
    points[0] = line(10)[0]
    given = scene.pixels.clone().requires_grad_()
    pose = scene.solve(points=points, pixels=given)
    assert pose.valid.tolist() == [False, True]
    torch.testing.assert_close(pose.t[1], scene.t[1], atol=1e-8, rtol=0)
    (gradient,) = torch.autograd.grad(pose.t.sum(), given)
    assert (gradient[0] == 0).all() and (gradient[1] != 0).any() and gradient.isfinite().all()


def test_identity_is_no_special_place():
    scene = Scene(count=1)
    identity = torch.eye(3, dtype=torch.float64)[None]
    pixels = project(scene.points + scene.t[:, None], K).requires_grad_()
    pose = solve_pnp(scene.points, pixels, scene.weights, K, (identity, scene.t), CONVERGED)
    (gradient,) = torch.autograd.grad(log_so3(pose.R).sum(), pixels)
    assert pose.valid.all() and gradient.isfinite().all() and (gradient != 0).any()


def test_shapes_that_do_not_go_together_are_named():
    scene = Scene()
    with pytest.raises(ValueError, match=r"expected points, pixels, weights .* got"):
        scene.solve(weights=scene.weights[:, :3])
