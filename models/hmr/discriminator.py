"""The adversarial prior of HMR (Kanazawa et al., 2018): a factorised discriminator of pose and shape with 25 outputs.

Least-squares GAN (Mao et al., 2017): real ones are taught to be 1, predicted ones 0; the predictor wants 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pipeline.core.skeletons import SMPL_24

BODY_JOINTS = len(SMPL_24) - 1  # all but the pelvis, whose rotation is the orientation
_JOINT_DIM, _ALL_DIM = 32, 1024


class Discriminator(nn.Module):
    """23 outputs of one joint each, one of the shape, one of all joints together."""

    def __init__(self) -> None:
        super().__init__()
        self.joint = nn.Sequential(nn.Linear(9, _JOINT_DIM), nn.ReLU(), nn.Linear(_JOINT_DIM, _JOINT_DIM), nn.ReLU())
        self.each = nn.Parameter(torch.randn(BODY_JOINTS, _JOINT_DIM) / _JOINT_DIM**0.5)
        self.each_bias = nn.Parameter(torch.zeros(BODY_JOINTS))
        self.shape = nn.Sequential(
            nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 5), nn.ReLU(), nn.Linear(5, 1)
        )  # fmt: skip
        self.all = nn.Sequential(
            nn.Linear(BODY_JOINTS * _JOINT_DIM, _ALL_DIM), nn.ReLU(), nn.Linear(_ALL_DIM, _ALL_DIM), nn.ReLU(),
            nn.Linear(_ALL_DIM, 1),
        )  # fmt: skip

    def forward(self, body: Tensor, beta: Tensor) -> Tensor:
        """(N, 25) of body rotations (N, 23, 3, 3) and betas (N, 10)."""
        joints = self.joint(body.flatten(2))
        each = (joints * self.each).sum(-1) + self.each_bias
        return torch.cat([each, self.shape(beta), self.all(joints.flatten(1))], dim=1)


def predictor_loss(critic: Discriminator, body: Tensor, beta: Tensor) -> Tensor:
    """Mean over the outputs of (D - 1)^2; its gradient reaches the predictions alone."""
    frozen = {name: value.detach() for name, value in critic.named_parameters()}
    return (functional_call(critic, frozen, (body, beta)) - 1).square().mean()


def critic_loss(critic: Discriminator, real: tuple[Tensor, Tensor], found: tuple[Tensor, Tensor]) -> Tensor:
    """Mean over the outputs of (D(real) - 1)^2 + D(predicted)^2; its gradient reaches the discriminator alone."""
    body, beta = (value.detach() for value in found)
    return (critic(*real) - 1).square().mean() + critic(body, beta).square().mean()
