"""Poses of known points from their pixels, for a batch at once, and the gradients of those poses by everything given.

The solver runs without a graph in float64; one Newton step at the optimum carries the gradient, by the implicit
function theorem (BPnP, Chen et al. 2020, equations 6 to 8). Pose: X_cam = R X + t.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from calibration.least_squares import Damping, minimise
from models.geometry.projection import project, project_jacobian
from models.geometry.rotations import exp_so3, skew


@dataclass(frozen=True)
class PnPSettings:
    """How the solver runs."""

    iterations: int = field(default=15, metadata={"help": "Levenberg-Marquardt steps, a fixed number"})
    damping: float = field(default=1e-3, metadata={"help": "first damping, times the normal matrix's diagonal"})
    huber_fraction: float = field(
        default=0.01, metadata={"help": "residuals beyond this count linearly, as a fraction of the focal length"}
    )
    tikhonov: float = field(default=1e-12, metadata={"help": "times the normal matrix's diagonal, added to it"})
    min_eigenvalue: float = field(
        default=1e-9, metadata={"help": "a normal matrix, of unit diagonal, below this determines no pose"}
    )
    full_hessian: bool = field(
        default=False, metadata={"help": "exact gradients for points that do not fit; else Gauss-Newton's"}
    )


class Pose(NamedTuple):
    """R (B, 3, 3), t (B, 3), valid (B,) bool: the points determine the pose and lie in front of the camera; cost (B,)
    is the sum of the robust squared residuals as fractions of the focal length. Invalid ones keep their start."""

    R: Tensor
    t: Tensor
    valid: Tensor
    cost: Tensor


class _Problem(NamedTuple):
    """points (B, P, 3), pixels (B, P, 2), weights (B, P), K (B, 3, 3), distortion (B, 5) or None; all float64."""

    points: Tensor
    pixels: Tensor
    weights: Tensor
    K: Tensor
    distortion: Tensor | None
    huber: float

    def detached(self) -> _Problem:
        lens = None if self.distortion is None else self.distortion.detach()
        points, pixels, weights, K = (a.detach() for a in (self.points, self.pixels, self.weights, self.K))
        return _Problem(points, pixels, weights, K, lens, self.huber)

    @property
    def focal(self) -> Tensor:
        """(B, 1): the geometric mean of both focals, held fixed: it only sets the unit of residuals."""
        return (self.K[:, 0, 0] * self.K[:, 1, 1]).detach().sqrt()[:, None]


def solve_pnp(
    points: Tensor,
    pixels: Tensor,
    weights: Tensor,
    K: Tensor,
    start: tuple[Tensor, Tensor],
    settings: PnPSettings | None = None,
    distortion: Tensor | None = None,
) -> Pose:
    """The pose near START that minimises sum_i Huber(w_i |pixel_i - project(R X_i + t)| / f), differentiable.

    points (B, P, 3) metres, pixels (B, P, 2), weights (B, P) >= 0 where 0 is missing, K (3, 3) or (B, 3, 3),
    start R (B, 3, 3) and t (B, 3), distortion (5,) or (B, 5). Gradients reach points, pixels, weights, K and the
    distortion; those of invalid poses are zero. Points that are not finite count as missing.
    Raises ValueError for shapes that do not go together.
    """
    settings = settings or PnPSettings()
    problem = _problem(points, pixels, weights, K, distortion, settings)
    R, t = (a.detach().double() for a in start)
    if R.shape != (len(points), 3, 3) or t.shape != (len(points), 3):
        raise ValueError(f"solve_pnp start: expected (B, 3, 3) and (B, 3) with B = {len(points)}, got "
                         f"{tuple(R.shape)} and {tuple(t.shape)}")  # fmt: skip
    with torch.no_grad():
        solved_R, solved_t, cost = _minimise(problem.detached(), R, t, settings)
        normal, _ = _normal(problem.detached(), solved_R, solved_t)
        valid = _determined(normal, settings) & _in_front(problem, solved_R, solved_t)
        R = torch.where(valid[:, None, None], solved_R, R)
        t = torch.where(valid[:, None], solved_t, t)
    step = _implicit_step(problem, R, t, normal, valid, settings)
    R, t = exp_so3(step[:, :3]) @ R, t + step[:, 3:]
    return Pose(R.to(points.dtype), t.to(points.dtype), valid, cost.to(points.dtype))


def _problem(
    points: Tensor, pixels: Tensor, weights: Tensor, K: Tensor, distortion: Tensor | None, settings: PnPSettings
) -> _Problem:
    """Checked, in float64, with missing points at an arbitrary finite place."""
    count, each = points.shape[0], points.shape[1]
    given = tuple(points.shape), tuple(pixels.shape), tuple(weights.shape)
    wanted = (count, each, 3), (count, each, 2), (count, each)
    if given != wanted or K.shape[-2:] != (3, 3):
        raise ValueError(f"solve_pnp: expected points, pixels, weights {wanted} and K (3, 3), got {given} and "
                         f"{tuple(K.shape)}")  # fmt: skip
    known = points.isfinite().all(-1) & pixels.isfinite().all(-1) & weights.isfinite() & (weights > 0)
    safe_points = torch.where(known[..., None], points, torch.zeros_like(points)).double()
    safe_pixels = torch.where(known[..., None], pixels, torch.zeros_like(pixels)).double()
    safe_weights = torch.where(known, weights, torch.zeros_like(weights)).double()
    lens = None if distortion is None else distortion.double().expand(count, 5)
    K = K.double().expand(count, 3, 3)
    return _Problem(safe_points, safe_pixels, safe_weights, K, lens, settings.huber_fraction)


def _cost(problem: _Problem, R: Tensor, t: Tensor) -> Tensor:
    """(B,) robust costs; smooth where a residual is exactly zero."""
    points_cam = problem.points @ R.transpose(-1, -2) + t[:, None]
    off = (project(points_cam, problem.K, problem.distortion) - problem.pixels) / problem.focal[..., None]
    square = problem.weights**2 * (off * off).sum(-1)
    linear = square > problem.huber**2
    length = torch.where(linear, square, torch.ones_like(square)).sqrt()
    return 0.5 * torch.where(linear, 2 * problem.huber * length - problem.huber**2, square).sum(-1)


def _normal(problem: _Problem, R: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Gauss-Newton's normal matrix (B, 6, 6) and gradient (B, 6) by a turn about the camera's axes and a shift."""
    turned = problem.points @ R.transpose(-1, -2)
    pixels, by_point = project_jacobian(turned + t[:, None], problem.K, problem.distortion)
    jacobian = torch.cat([-by_point @ skew(turned), by_point], dim=-1) / problem.focal[..., None, None]
    off = (pixels - problem.pixels) / problem.focal[..., None]
    length = problem.weights * off.norm(dim=-1)
    weight = problem.weights**2 * problem.huber / length.clamp_min(problem.huber)
    weighted = (jacobian * weight[..., None, None]).flatten(1, 2)  # (B, 2 P, 6)
    return weighted.mT @ jacobian.flatten(1, 2), (weighted.mT @ off.flatten(1, 2)[..., None])[..., 0]


def _minimise(problem: _Problem, R: Tensor, t: Tensor, settings: PnPSettings) -> tuple[Tensor, Tensor, Tensor]:
    """Levenberg-Marquardt with a damping of each sample's own: R, t and cost."""

    def propose(state: tuple[Tensor, Tensor], damping: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        R, t = state
        normal, gradient = _normal(problem, R, t)
        step = -torch.linalg.solve(_lifted(normal, damping), gradient)
        R, t = exp_so3(step[:, :3]) @ R, t + step[:, 3:]
        return (R, t), _cost(problem, R, t)

    def take(better: Tensor, trial: tuple[Tensor, Tensor], state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return (
            torch.where(better[:, None, None], trial[0], state[0]),
            torch.where(better[:, None], trial[1], state[1]),
        )

    damping = Damping(settings.damping, fall=10, rise=10, least=1e-12, most=1e6)
    found, cost = minimise(propose, take, (R, t), _cost(problem, R, t), damping, settings.iterations, xp=torch)
    return *found, cost


def _lifted(normal: Tensor, damping: Tensor) -> Tensor:
    """The matrix with its diagonal raised by a fraction of it, so that it can be solved whatever the points."""
    diagonal = normal.diagonal(dim1=-2, dim2=-1)
    floor = 1e-12 * diagonal.amax(-1, keepdim=True) + 1e-30
    return normal + torch.diag_embed(damping[:, None] * diagonal + floor)


def _determined(normal: Tensor, settings: PnPSettings) -> Tensor:
    """(B,) bool: no direction of the pose is free. Collinear points leave the turn about their line."""
    scale = normal.diagonal(dim1=-2, dim2=-1).clamp_min(1e-30).sqrt()
    unit = normal / (scale[:, :, None] * scale[:, None, :])
    finite = unit.isfinite().all(-1).all(-1)
    unit = torch.where(finite[:, None, None], unit, torch.zeros_like(unit))
    return finite & (torch.linalg.eigvalsh(unit)[:, 0] > settings.min_eigenvalue)


def _in_front(problem: _Problem, R: Tensor, t: Tensor) -> Tensor:
    depth = (problem.points @ R.transpose(-1, -2) + t[:, None])[..., 2]
    return ((depth > 0) | (problem.weights == 0)).all(-1)


def _implicit_step(
    problem: _Problem, R: Tensor, t: Tensor, normal: Tensor, valid: Tensor, settings: PnPSettings
) -> Tensor:
    """-H^-1 g (B, 6) with H held fixed: next to nothing in value, and the derivative of the optimum."""
    tensors = [a for a in problem[:5] if isinstance(a, Tensor)]
    if not (torch.is_grad_enabled() and any(a.requires_grad for a in tensors)):
        return torch.zeros_like(normal[:, 0])
    with torch.enable_grad():
        local = torch.zeros_like(normal[:, 0]).requires_grad_()
        cost = _cost(problem, exp_so3(local[:, :3]) @ R, t + local[:, 3:])
        (gradient,) = torch.autograd.grad(cost.sum(), local, create_graph=True)
        if settings.full_hessian:
            rows = [torch.autograd.grad(gradient[:, i].sum(), local, retain_graph=True)[0] for i in range(6)]
            normal = torch.stack(rows, dim=-2).detach()
    identity = torch.eye(6, dtype=normal.dtype, device=normal.device)
    hessian = torch.where(valid[:, None, None], _lifted(normal, torch.full_like(t[:, 0], settings.tikhonov)), identity)
    step = -torch.linalg.solve(hessian, gradient)
    return torch.where(valid[:, None], step, torch.zeros_like(step))
