"""Rotations as matrices, rotation vectors, quaternions and six numbers, with gradients that are finite everywhere.

Rotation vectors (..., 3) are axis times angle in radians; quaternions (..., 4) have the real part first.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Below this squared angle the series is exact to float64's last digits, its second derivatives included.
_SMALL2 = 1e-4


def skew(v: Tensor) -> Tensor:
    """(..., 3, 3) matrices with skew(v) @ x = cross(v, x) of vectors (..., 3)."""
    x, y, z = v.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))


def exp_so3(rotvec: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3): Rodrigues' formula, its series about identity."""
    square = (rotvec * rotvec).sum(-1)[..., None, None]
    small = square < _SMALL2
    # The other branch must stay finite where it is not taken, or its gradient poisons the sum.
    safe = torch.where(small, torch.ones_like(square), square)
    angle = safe.sqrt()
    sine = torch.where(small, 1 - square / 6 * (1 - square / 20 * (1 - square / 42)), angle.sin() / angle)
    versine = torch.where(
        small, 0.5 - square / 24 * (1 - square / 30 * (1 - square / 56)), 2 * (angle / 2).sin() ** 2 / safe
    )
    cross = skew(rotvec)
    return torch.eye(3, dtype=rotvec.dtype, device=rotvec.device) + sine * cross + versine * cross @ cross


def log_so3(R: Tensor) -> Tensor:
    """Rotation vectors (..., 3) of at most pi long, of rotation matrices (..., 3, 3); either sign at exactly pi."""
    quaternion = matrix_to_quaternion(R)
    real, imaginary = quaternion[..., :1], quaternion[..., 1:]
    square = (imaginary * imaginary).sum(-1, keepdim=True)
    small = square < _SMALL2
    sine = torch.where(small, torch.ones_like(square), square).sqrt()
    # asin's series in the half angle, times two; there the real part is near one and needs no atan2.
    series = 2 + square / 3 * (1 + square * 9 / 20 * (1 + square * 25 / 42 * (1 + square * 49 / 72)))
    factor = torch.where(small, series, 2 * torch.atan2(sine, real) / sine)
    return factor * imaginary


def quaternion_to_matrix(quaternion: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of quaternions (..., 4) of any length but zero, real part first."""
    w, x, y, z = (quaternion / quaternion.norm(dim=-1, keepdim=True)).unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def matrix_to_quaternion(R: Tensor) -> Tensor:
    """Unit quaternions (..., 4), real part first and not negative, of rotation matrices (..., 3, 3)."""
    (a, b, c), (d, e, f), (g, h, i) = (row.unbind(-1) for row in R.unbind(-2))
    # Four times the quaternion's outer product with itself: each row is the quaternion up to a factor, and the one
    # with the largest diagonal is never short.
    outer = torch.stack(
        [
            torch.stack([1 + a + e + i, h - f, c - g, d - b], dim=-1),
            torch.stack([h - f, 1 + a - e - i, b + d, c + g], dim=-1),
            torch.stack([c - g, b + d, 1 - a + e - i, f + h], dim=-1),
            torch.stack([d - b, c + g, f + h, 1 - a - e + i], dim=-1),
        ],
        dim=-2,
    )
    longest = outer.diagonal(dim1=-2, dim2=-1).argmax(-1)[..., None, None].expand(*R.shape[:-2], 1, 4)
    row = outer.gather(-2, longest)[..., 0, :]
    row = torch.where(row[..., :1] < 0, -row, row)
    return row / row.norm(dim=-1, keepdim=True)


def sixd_to_matrix(sixd: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of six numbers (..., 6): the first two columns before Gram-Schmidt.

    Zhou et al. 2019, "On the Continuity of Rotation Representations", equation 15.
    """
    first = torch.nn.functional.normalize(sixd[..., :3], dim=-1)
    second = sixd[..., 3:] - (first * sixd[..., 3:]).sum(-1, keepdim=True) * first
    second = torch.nn.functional.normalize(second, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)


def matrix_to_sixd(R: Tensor) -> Tensor:
    """Six numbers (..., 6), the first two columns one after the other, of rotation matrices (..., 3, 3)."""
    return R[..., :, :2].transpose(-1, -2).flatten(-2)
