"""Rotations: round trips, agreement with OpenCV and scipy, and gradients where formulas divide by zero."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from models.geometry import (
    exp_so3,
    log_so3,
    matrix_to_quaternion,
    matrix_to_sixd,
    quaternion_to_matrix,
    sixd_to_matrix,
    skew,
)

ANGLES = (0.0, 1e-12, 1e-7, 1e-4, 0.009, 0.011, 0.02, 1.0, 3.0, math.pi - 1e-3, math.pi - 1e-7)


def rotvecs(dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Every angle about several axes, (A, 3)."""
    axes = np.random.default_rng(0).normal(size=(6, 3))
    axes = np.concatenate([axes, np.eye(3), -np.eye(3)])
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    return torch.tensor(np.concatenate([axes * a for a in ANGLES]), dtype=dtype)


def test_exp_is_scipys():
    ours = exp_so3(rotvecs()).numpy()
    np.testing.assert_allclose(ours, Rotation.from_rotvec(rotvecs().numpy()).as_matrix(), atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_log_undoes_exp(dtype):
    given = rotvecs(dtype)
    tolerance = 1e-9 if dtype is torch.float64 else 2e-3
    assert log_so3(exp_so3(given)).dtype is dtype
    # At pi the axis' sign is a matter of rounding: compare the rotations there.
    torch.testing.assert_close(exp_so3(log_so3(exp_so3(given))), exp_so3(given), atol=tolerance, rtol=0)
    inner = given.norm(dim=-1) < 3.1
    torch.testing.assert_close(log_so3(exp_so3(given))[inner], given[inner], atol=tolerance, rtol=0)


def test_rotations_stay_rotations():
    R = exp_so3(rotvecs())
    torch.testing.assert_close(R @ R.mT, torch.eye(3, dtype=R.dtype).expand_as(R), atol=1e-14, rtol=0)
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(len(R), dtype=R.dtype), atol=1e-14, rtol=0)


def test_round_trips_of_quaternions_and_six_numbers():
    R = exp_so3(rotvecs())
    torch.testing.assert_close(quaternion_to_matrix(matrix_to_quaternion(R)), R, atol=1e-12, rtol=0)
    torch.testing.assert_close(sixd_to_matrix(matrix_to_sixd(R)), R, atol=1e-12, rtol=0)
    assert (matrix_to_quaternion(R)[:, 0] >= 0).all()


def test_six_numbers_are_columns_after_gram_schmidt():
    R = sixd_to_matrix(torch.tensor([2.0, 0, 0, 5.0, 3.0, 0]))
    torch.testing.assert_close(R, torch.eye(3))
    assert matrix_to_sixd(exp_so3(torch.tensor([0, 0, math.pi / 2]))).round().tolist() == [0, 1, 0, -1, 0, 0]


def test_skew_is_the_cross_product():
    a, b = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close((skew(a) @ b[..., None])[..., 0], torch.linalg.cross(a, b))


def test_gradients_agree_with_finite_differences():
    given = rotvecs()[rotvecs().norm(dim=-1) < 3.1].requires_grad_()
    assert torch.autograd.gradcheck(exp_so3, given, atol=1e-6)
    assert torch.autograd.gradcheck(lambda v: log_so3(exp_so3(v)), given, atol=1e-5)
    assert torch.autograd.gradgradcheck(exp_so3, given[:15].detach().requires_grad_(), atol=1e-5)


@pytest.mark.parametrize("angle", [0.0, 1e-20, math.pi - 1e-8, math.pi])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_at_identity_and_at_pi(angle, dtype):
    given = torch.tensor([[angle, 0, 0], [0, angle, 0], [0, 0, angle]], dtype=dtype, requires_grad=True)
    for function in (log_so3, matrix_to_quaternion, matrix_to_sixd):
        (gradient,) = torch.autograd.grad(function(exp_so3(given)).sum(), given)
        assert gradient.isfinite().all()
