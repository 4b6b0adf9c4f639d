"""Shape coefficients of the simulator's bodies: the beta whose T-pose has their joints."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from models.body_model import load_body
from models.body_model.rest import SMPL_FROM_PERSON, t_pose
from pipeline.simulate.people.gait import placed
from pipeline.simulate.people.person import body_count, rest_joints

BETAS = 10
_RIDGE_M = 0.004  # a beta of one costs as much as joints this far off


@lru_cache(maxsize=4)
def fitted_betas(baked: Path) -> np.ndarray:
    """(B, 10) least-squares betas of a file's bodies."""
    mean, directions = _joint_shapes()
    known = np.stack([_t_joints(rest_joints(body, baked)) for body in range(body_count(baked))])
    A = np.vstack([directions, _RIDGE_M * np.eye(BETAS)])
    b = np.vstack([(known - mean).T, np.zeros((BETAS, len(known)))])
    return np.linalg.lstsq(A, b, rcond=None)[0].T


def _t_joints(joints: np.ndarray) -> np.ndarray:
    """(72,) joints of a simulated body in SMPL's T-pose and axes, from the pelvis."""
    posed = placed(joints, t_pose(joints)) @ SMPL_FROM_PERSON.T
    return (posed - posed[0]).reshape(-1)


def _joint_shapes() -> tuple[np.ndarray, np.ndarray]:
    """(72,) mean joints of the body model from the pelvis, and (72, 10) what each beta adds."""
    import torch

    betas = torch.cat([torch.zeros(1, BETAS), torch.eye(BETAS)]).double()
    joints, _ = load_body().joints_only(torch.zeros(len(betas), 24, 3, dtype=torch.float64), betas)
    flat = (joints - joints[:, :1]).flatten(1).numpy()
    return flat[0], (flat[1:] - flat[0]).T
