"""What evidence says of people on the ground, as one cost, and its descent: poses, places, and one shape a track.

Outlines are support functions (pipeline.reconstruction.support_function) in ideal pixels; costs are squared standard
deviations, robust.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.body_model import Body
from models.poses import PosePrior, joint_limits
from pipeline.reconstruction.people.ground_contact import BodyPose, BodySkin, Ground, about_pelvis
from pipeline.reconstruction.people.types import PeopleFitSettings
from pipeline.reconstruction.support_function import DIRECTIONS

_REFRESH = 5  # steps between checks of which vertices make the outline
_LOWEST = 8  # vertices that may touch the ground until the next check
_SETTLING = 4
_OUTLINE_SAMPLES = 12.0  # neighbouring directions tell the same
# Adam's first step of each variable: radians, radians, radians, fractions of the size in the image, coefficients.
_STEPS = {"body": 0.06, "lean": 0.04, "yaw": 0.08, "foot": 0.02, "beta": 0.12}
_LAST_STEP = 0.03  # of the first
_DIRECTIONS = torch.from_numpy(DIRECTIONS).float()
_DOWN = _DIRECTIONS[:, 1] > 0.5


@dataclass(frozen=True)
class PeopleEvidence:
    """What N observations of U tracks are fitted to; weights are inverse variances, 0 for what is missing.

    track (N,) in 0..U-1, support (N, S) with its noise (N,) and the size (N,) in pixels, keypoints (N, 17, 2), heading
    (N,) radians, body (N, 23, 3) and beta (U, 10) of the network, precision (10, 10) of shapes about it, height (10,)
    metres of standing height a coefficient adds.
    """

    track: Tensor
    support: Tensor
    noise_px: Tensor
    size_px: Tensor
    keypoints: Tensor
    keypoint_weight: Tensor
    heading: Tensor
    heading_weight: Tensor
    body: Tensor
    beta: Tensor
    beta_precision: Tensor
    height: Tensor


class PeopleSolver:
    """Fits poses to evidence; all observations move together, each as if it were alone but for its track's shape."""

    def __init__(
        self, evidence: PeopleEvidence, body: Body, ground: Ground, prior: PosePrior, settings: PeopleFitSettings
    ) -> None:
        self.evidence, self.body, self.ground, self.prior, self.settings = evidence, body, ground, prior, settings
        self.skin = BodySkin(body)
        self.limits = [torch.from_numpy(side) for side in joint_limits()]

    def solve(self, start: BodyPose) -> BodyPose:
        """The fitted poses."""
        start = self._settled(start)
        moved = {name: torch.zeros_like(getattr(start, name)) for name in _STEPS}
        moved["beta"] = torch.zeros_like(self.evidence.beta)
        groups = [{"params": [moved[name].requires_grad_()], "lr": step} for name, step in _STEPS.items()]
        optimiser = torch.optim.Adam(groups, betas=(0.9, 0.95))
        iterations = self.settings.iterations
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _LAST_STEP ** (step / max(iterations, 1)))
        for step in range(iterations):
            pose = self._moved(start, moved)
            if step % _REFRESH == 0:
                active = self._active(pose)
            optimiser.zero_grad()
            self._cost(pose, active).backward()
            optimiser.step()
            schedule.step()
        with torch.no_grad():
            return self._moved(start, moved)

    def _moved(self, start: BodyPose, moved: dict[str, Tensor]) -> BodyPose:
        return BodyPose(
            start.body + moved["body"],
            start.lean + moved["lean"],
            start.yaw + moved["yaw"],
            start.foot + moved["foot"] * self.evidence.size_px[:, None],
            start.beta + moved["beta"][self.evidence.track],
        )

    @torch.no_grad()
    def _settled(self, pose: BodyPose) -> BodyPose:
        """The body's lower edge moved onto the mask's, the tracks' heights to what the masks' upper edges ask for."""
        e, quarter = self.evidence, len(DIRECTIONS) // 4
        for _ in range(_SETTLING):
            points = about_pelvis(self.body, pose).vertices
            world = self.ground.stood(points, points[..., 2].amin(dim=1), pose.foot)
            here = supports(self.ground.project(world))[0]
            right, down, left = (e.support - here)[:, :-quarter:quarter].T
            tall = (e.support[:, quarter] + e.support[:, -quarter]) / (here[:, quarter] + here[:, -quarter])
            # A person's whole height is off by the same fraction as what the image shows of it.
            missing = (tall.clamp(0.5, 2.0) - 1) * (points[..., 2].amax(dim=1) - points[..., 2].amin(dim=1))
            step = per_track(missing, e.track, len(e.beta)) / e.height.norm()
            foot = pose.foot + torch.stack([(right - left) / 2, down], dim=1)
            pose = replace(pose, foot=foot, beta=pose.beta + step[e.track, None] * e.height / e.height.norm())
        return pose

    @torch.no_grad()
    def _active(self, pose: BodyPose) -> Tensor:
        """(N, S + 8) vertices that make the outline in each direction, and the lowest ones."""
        points = about_pelvis(self.body, pose).vertices
        height = points[..., 2]
        world = self.ground.stood(points, height.amin(dim=1), pose.foot)
        lowest = height.topk(_LOWEST, dim=1, largest=False).indices
        return torch.cat([supports(self.ground.project(world))[1], lowest], dim=1)

    def _cost(self, pose: BodyPose, active: Tensor) -> Tensor:
        """Of all observations together."""
        points, keypoints = self.skin.at(pose, active)
        both = torch.cat([points, keypoints], dim=1)
        lowest = points[:, -_LOWEST:, 2].amin(dim=1)
        pixels = self.ground.project(self.ground.stood(both, lowest, pose.foot))
        outline, keypoints = pixels[:, : len(DIRECTIONS)], pixels[:, -keypoints.shape[1] :]
        return self._outline(outline) + self._keypoints(keypoints) + self._expected(pose)

    def _outline(self, pixels: Tensor) -> Tensor:
        """Of the pixels (N, S, 2) that make the outline."""
        e = self.evidence
        residual = ((pixels * _DIRECTIONS).sum(dim=-1) - e.support) / e.noise_px[:, None]
        # Detectors lose legs far oftener than they add to them.
        residual = residual / torch.where((residual > 0) & _DOWN, self.settings.lost_legs, 1.0)
        return _OUTLINE_SAMPLES / len(DIRECTIONS) * _robust(residual.square(), self.settings.robust_scale).sum()

    def _keypoints(self, pixels: Tensor) -> Tensor:
        """Of pixels (N, 17, 2)."""
        e = self.evidence
        off = (pixels - e.keypoints).square().sum(dim=-1) * e.keypoint_weight
        return _robust(off, self.settings.robust_scale).sum()

    def _expected(self, pose: BodyPose) -> Tensor:
        """Of what the network, the prior, motion and gravity expect."""
        e, s = self.evidence, self.settings
        turned = (2 - 2 * (pose.yaw - e.heading).cos()) * e.heading_weight
        cost = _robust(turned, s.robust_scale).sum() + (pose.lean / s.tilt_sigma_rad).square().sum()
        cost = cost + ((pose.body - e.body) / s.pose_sigma_rad).square().sum()
        cost = cost + 2 * s.prior_weight * self.prior.energy(pose.body).sum()
        low, high = self.limits
        # The prior's Gaussians hardly mind a knee that bends forward.
        beyond = (pose.body - high).relu() + (low - pose.body).relu()
        cost = cost + (beyond / s.limit_sigma_rad).square().sum()
        shape = per_track(pose.beta, e.track, len(e.beta)) - e.beta
        return cost + ((shape @ e.beta_precision) * shape).sum()


def _robust(square: Tensor, robust_scale: float) -> Tensor:
    """Cauchy's cost of squared residuals: as they are when small, their logarithm beyond the scale."""
    return robust_scale**2 * torch.log1p(square / robust_scale**2)


def per_track(values: Tensor, track: Tensor, count: int) -> Tensor:
    """(U, ...) means of values (N, ...) over the observations of each of `count` tracks."""
    total = torch.zeros(count, *values.shape[1:]).to(values).index_add(0, track, values)
    return total / torch.bincount(track, minlength=count).reshape(-1, *[1] * (values.ndim - 1))


def supports(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """How far points (N, V, 2) reach in each direction (N, S), and which of them do (N, S)."""
    half = _DIRECTIONS[: len(_DIRECTIONS) // 2].to(pixels)
    values, index = [], []
    # One direction at a time, and its opposite: all together would take the memory of S bodies.
    for direction in half:
        along = pixels @ direction
        ends = along.max(dim=1), along.min(dim=1)
        values.append(torch.stack([ends[0].values, -ends[1].values]))
        index.append(torch.stack([ends[0].indices, ends[1].indices]))
    return torch.stack(values, dim=1).flatten(0, 1).T, torch.stack(index, dim=1).flatten(0, 1).T
