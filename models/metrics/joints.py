"""Errors of posed people: MPJPE of the limbs, the same after a similarity, both in millimetres."""

from __future__ import annotations

import torch
from torch import Tensor

from models.body_model.points import LIMBS
from pipeline.core.skeletons import SMPL_24

_HIPS = [LIMBS.index(joint) for joint in SMPL_24.indices(["left_hip", "right_hip"])]


def mpjpe_mm(found: Tensor, truth: Tensor) -> Tensor:
    """(N,) mean distance of limb joints, from the middle of the hips, of joints (N, 24 or more, 3) in metres."""
    found, truth = (x[:, LIMBS] - x[:, LIMBS][:, _HIPS].mean(1, keepdim=True) for x in (found, truth))
    return 1000 * (found - truth).norm(dim=-1).mean(-1)


def pa_mpjpe_mm(found: Tensor, truth: Tensor) -> Tensor:
    """(N,) mean distance of limb joints after the similarity that fits best (Procrustes, Umeyama 1991)."""
    found, truth = (x[:, LIMBS].double() for x in (found, truth))
    found, truth = (x - x.mean(1, keepdim=True) for x in (found, truth))
    U, S, Vh = torch.linalg.svd(found.transpose(1, 2) @ truth)
    sign = torch.det(U @ Vh).sign()
    flip = torch.stack([torch.ones_like(sign), torch.ones_like(sign), sign], -1)
    R = (U * flip[:, None]) @ Vh
    scale = (S * flip).sum(-1) / found.square().sum((1, 2)).clamp_min(1e-12)
    return 1000 * (scale[:, None, None] * found @ R - truth).norm(dim=-1).mean(-1)
