"""What two views that see a keypoint say about a third that does not: the trifocal tensor's loss, and point transfer.

Cameras (..., 3, 4) map the object's frame, metres, to homogeneous coordinates of a view's own box, [-1, 1] from edge to
edge; a view that is absent is all zeros. View 0 of a set is the current one, whose points are predicted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from models.geometry import skew
from models.geometry.view_sets import Views, ViewSets, view_sets

MIN_ANGLE_DEG = 3.0  # rays that meet at less say nothing of the depth
MISS = 0.1  # views that miss a common point by this, in half boxes, count half
_NEAREST = 1e-6  # depths are clamped here, and masked
_ITERATIONS = 3
COVERED_DEG = 10.0  # narrower rays leave the depth too uncertain to call a point covered
_AT_ONCE = 512  # views whose pairs of other views are in memory
_STILL_M, _PASSING_DEG, _TURNING_DEG = 1.0, 15.0, 20.0
MOTIONS = ("standing", "approaching", "passing", "turning")


def canonical(first: Tensor, *others: Tensor) -> list[Tensor]:
    """OTHERS (..., 3, 4) after the change of the object's frame that makes FIRST (..., 3, 4) = [I | 0]."""
    inverse = torch.linalg.inv(first[..., :3])
    shift = -inverse @ first[..., 3:]
    return [torch.cat([p[..., :3] @ inverse, p[..., :3] @ shift + p[..., 3:]], dim=-1) for p in others]


def trifocal_tensor(first: Tensor, current: Tensor, second: Tensor) -> Tensor:
    """T (..., 3, 3, 3) of unit Frobenius norm, T[i] = a_i b_4^T - a_4 b_i^T with FIRST = [I | 0], CURRENT = a and
    SECOND = b (Hartley and Zisserman, 15.1). Cameras (..., 3, 4); zero where FIRST and SECOND share a centre and
    CURRENT too."""
    a, b = canonical(first, current, second)
    tensor = torch.einsum("...qi,...r->...iqr", a[..., :3], b[..., 3])
    tensor = tensor - torch.einsum("...q,...ri->...iqr", a[..., 3], b[..., :3])
    return tensor / _length(tensor.flatten(-3))[..., None, None, None]


def incidence(xy: Tensor, first_xy: Tensor, second_xy: Tensor, tensor: Tensor) -> Tensor:
    """[V]_x (sum_i V'_i T_i) [V'']_x (..., 3, 3) of equation (9): zero where the three points (..., 2) show one."""
    return skew(homogeneous(xy)) @ _transferred(first_xy, second_xy, tensor)


def trifocal_loss(
    xy: Tensor,
    cameras: Tensor,
    other_xy: Tensor,
    other_visible: Tensor,
    hidden: Tensor,
    min_angle_deg: float = MIN_ANGLE_DEG,
) -> tuple[Tensor, Tensor]:
    """Equation (9) of the points xy (N, 12, 2) over all pairs of M other views: loss (N, 12) and weight (N, 12).

    cameras (N, M + 1, 3, 4), other_xy (N, M, 12, 2) with anything where other_visible (N, M, 12) is false, hidden
    (N, 12): the points to teach. A pair counts by the squared sine of the angle at which its rays meet, and its
    incidence is scaled so that the loss is near the squared distance to the true point, in half boxes. The weight is
    the best pair's, 0 where no pair tells or the point is not hidden; the loss is 0 there, and so is its gradient.
    Raises ValueError for shapes that do not go together and for M < 2.
    """
    _check(cameras, other_xy, other_visible)
    _check_points(cameras, xy, hidden)
    safe, there, seen, points = _prepared(cameras, other_xy, other_visible)
    i, j = torch.triu_indices(points.shape[1], points.shape[1], 1, device=points.device)
    rays = _rays(safe[:, 1:], points)
    weight = _sine2(rays[:, i], rays[:, j], min_angle_deg)  # (N, pairs, 12)
    weight = weight * (seen[:, i] & seen[:, j] & there[:, :1, None] & hidden[:, None])
    tensor = trifocal_tensor(safe[:, 1:][:, i], safe[:, :1].expand(-1, len(i), -1, -1), safe[:, 1:][:, j])
    # Most triplets tell nothing: only the others are computed.
    n, pair, point = weight.nonzero(as_tuple=True)
    transferred = _transferred(points[n, i[pair], point], points[n, j[pair], point], tensor[n, pair])
    square = (skew(homogeneous(xy[n, point].double())) @ transferred).square().sum((-1, -2))
    scale = transferred.square().sum((-1, -2)).clamp_min(torch.finfo(torch.float64).tiny)
    total, summed = weight.sum(1), torch.zeros_like(weight[:, 0])
    summed = summed.index_put((n, point), weight[n, pair, point] * square / scale, accumulate=True)
    mean = summed / torch.where(total > 0, total, torch.ones_like(total))
    return mean.to(xy.dtype), weight.amax(1).to(xy.dtype)


def transfer(
    cameras: Tensor, other_xy: Tensor, other_visible: Tensor, min_angle_deg: float = MIN_ANGLE_DEG
) -> tuple[Tensor, Tensor]:
    """Where view 0 has each point, from all others that see it: target (N, 12, 2), 0 where unknown, weight (N, 12).

    Arguments as `trifocal_loss`. The point is triangulated by linear least squares, reweighted to distances in the
    boxes, and projected. The weight is the squared sine of the widest angle at which two rays meet, less where the
    views miss each other, and 0 where fewer than two see the point or it would lie behind one of them.
    Raises ValueError as `trifocal_loss`.
    """
    _check(cameras, other_xy, other_visible)
    safe, there, seen, points = _prepared(cameras, other_xy, other_visible)
    i, j = torch.triu_indices(points.shape[1], points.shape[1], 1, device=points.device)
    rays = _rays(safe[:, 1:], points)
    angle = _sine2(rays[:, i], rays[:, j], min_angle_deg) * (seen[:, i] & seen[:, j])
    X, miss2, ahead = _triangulated(safe[:, 1:], points, seen)
    target, depth = _projected(safe[:, :1], X[:, None])
    weight = angle.amax(1) / (1 + miss2 / MISS**2)
    known = (weight > 0) & ahead & (depth[:, 0] > _NEAREST) & there[:, :1]
    target = torch.where(known[..., None], target[:, 0], torch.zeros_like(target[:, 0]))
    return target.to(other_xy.dtype), torch.where(known, weight, torch.zeros_like(weight)).to(other_xy.dtype)


def homogeneous(xy: Tensor) -> Tensor:
    """(..., 3) of (..., 2), the last 1."""
    return torch.cat([xy, torch.ones_like(xy[..., :1])], dim=-1)


def _transferred(first_xy: Tensor, second_xy: Tensor, tensor: Tensor) -> Tensor:
    """(sum_i V'_i T_i) [V'']_x (..., 3, 3): the point in the current view times a covector, where the views agree."""
    contracted = torch.einsum("...i,...iqr->...qr", homogeneous(first_xy), tensor)
    return contracted @ skew(homogeneous(second_xy))


def _prepared(cameras: Tensor, other_xy: Tensor, visible: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """In float64: cameras of unit norm that can be inverted everywhere; which are there (N, M + 1); which points are
    seen (N, M, 12); the points, 0 where unseen. Unused numbers must be finite, or gradients through them are NaN."""
    P = cameras.double()
    finite = P.isfinite().all(-1).all(-1)
    unit = P / _length(torch.where(finite[..., None, None], P, torch.ones_like(P)).flatten(-2))[..., None, None]
    unit = torch.where(finite[..., None, None], unit, torch.zeros_like(unit))
    # A camera that looks along a plane through its own centre shows nothing; det is 0 for absent ones too.
    there = finite & (torch.linalg.det(unit[..., :3].detach()).abs() > 1e-15)
    stand_in = torch.eye(3, 4, dtype=P.dtype, device=P.device)
    safe = torch.where(there[..., None, None], unit, stand_in)
    seen = visible & there[:, 1:, None] & other_xy.isfinite().all(-1)
    return safe, there, seen, torch.where(seen[..., None], other_xy, torch.zeros_like(other_xy)).double()


def _rays(cameras: Tensor, points: Tensor) -> Tensor:
    """Directions (N, M, 12, 3) in the object's frame of points (N, M, 12, 2), without a sign."""
    return torch.einsum("nvij,nvpj->nvpi", torch.linalg.inv(cameras[..., :3]), homogeneous(points))


def _sine2(first: Tensor, second: Tensor, min_angle_deg: float) -> Tensor:
    """Squared sine of the angle between directions (..., 3), 0 below the least."""
    cross = torch.linalg.cross(first, second).square().sum(-1)
    sine2 = cross / (first.square().sum(-1) * second.square().sum(-1))
    return torch.where(sine2 >= math.sin(math.radians(min_angle_deg)) ** 2, sine2, torch.zeros_like(sine2))


def _triangulated(cameras: Tensor, points: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """X (N, 12, 3), the mean square by which seeing views (N, M, 12) miss it, and whether all of them face it."""
    # Rows (N, M, 12, 2, 4): x P_3 - P_1 and y P_3 - P_2.
    rows = points[..., None] * cameras[:, :, None, 2:] - cameras[:, :, None, :2]
    weight = seen.to(points.dtype)
    for _ in range(_ITERATIONS):
        weighted = rows * weight[..., None, None]
        normal = torch.einsum("nvprk,nvprl->npkl", weighted[..., :3], weighted[..., :3])
        right = -torch.einsum("nvprk,nvpr->npk", weighted[..., :3], weighted[..., 3])
        lift = 1e-12 * normal.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None] + 1e-20
        X = torch.linalg.solve(normal + lift * torch.eye(3, dtype=normal.dtype, device=normal.device), right)
        projected, depth = _projected(cameras, X[:, None])
        weight = torch.where(seen, 1 / depth.detach().clamp_min(_NEAREST), torch.zeros_like(depth))
    miss2 = (projected - points).square().sum(-1)
    count = seen.sum(1).clamp_min(1)
    return X, torch.where(seen, miss2, torch.zeros_like(miss2)).sum(1) / count, ((depth > _NEAREST) | ~seen).all(1)


def _projected(cameras: Tensor, X: Tensor) -> tuple[Tensor, Tensor]:
    """Box points (N, V, 12, 2) and depths (N, V, 12), in the camera's unit, of X (N, 1, 12, 3)."""
    h = torch.einsum("nvij,nvpj->nvpi", cameras[..., :3], X.expand(-1, cameras.shape[1], -1, -1))
    h = h + cameras[:, :, None, :, 3]
    return h[..., :2] / h[..., 2:].clamp_min(_NEAREST), h[..., 2]


def _length(flat: Tensor) -> Tensor:
    """Norm of the last axis, 1 where it is 0, with a finite gradient there."""
    square = flat.square().sum(-1)
    zero = square <= torch.finfo(square.dtype).tiny
    return torch.where(zero, torch.ones_like(square), square).sqrt()


def _check(cameras: Tensor, other_xy: Tensor, visible: Tensor) -> None:
    n, views = cameras.shape[:2]
    if views < 3:
        raise ValueError(f"other views of an object: expected at least two, got {views - 1}; follow it for longer, "
                         "or add its mirrored views")  # fmt: skip
    points = other_xy.shape[2] if other_xy.ndim == 4 else 0
    given = tuple(cameras.shape), tuple(other_xy.shape), tuple(visible.shape)
    wanted = (n, views, 3, 4), (n, views - 1, points, 2), (n, views - 1, points)
    if given != wanted:
        raise ValueError(f"views: expected cameras, other_xy and other_visible {wanted}, got {given}")


def _check_points(cameras: Tensor, xy: Tensor, hidden: Tensor) -> None:
    n = len(cameras)
    if xy.shape[0] != n or xy.shape[-1] != 2 or hidden.shape != xy.shape[:-1]:
        raise ValueError(f"points: expected xy ({n}, P, 2) and hidden ({n}, P), got {tuple(xy.shape)} and "
                         f"{tuple(hidden.shape)}")  # fmt: skip


def motions(views: Views) -> np.ndarray:
    """(N,) index of MOTIONS of each view's object, from where the camera's centres (N, 3) lie in its frame.

    Standing: they stay within a metre, or there is one view; approaching: their direction keeps within 15 degrees;
    turning: the object turns by more than 20 degrees in the camera; else passing.
    """
    direction, kinds = views.directions, np.zeros(len(views), np.int64)
    centres = -np.linalg.solve(views.cameras[..., :3], views.cameras[..., 3:])[..., 0]
    forward = views.cameras[..., :3] / np.linalg.norm(views.cameras[..., 2:, :3], axis=-1, keepdims=True)
    for track in np.unique(views.of):
        mine = views.of == track
        moved = np.ptp(centres[mine], axis=0).max()
        spread = np.degrees(np.arccos((direction[mine] @ direction[mine].T).clip(-1, 1).min()))
        # The optical axis's turn in the object's frame is the object's in the camera's.
        axis = forward[mine, 2]
        turned = np.degrees(np.arccos((axis @ axis.T).clip(-1, 1).min()))
        kind = "turning" if turned > _TURNING_DEG else "passing" if spread > _PASSING_DEG else "approaching"
        kinds[mine] = MOTIONS.index("standing" if moved < _STILL_M else kind)
    return kinds


def covered(views: Views, sets: ViewSets, min_angle_deg: float = COVERED_DEG) -> np.ndarray:
    """(N, 12) bool: hidden, and seen by two other views whose rays meet at min_angle_deg or more."""
    given = (views.xy, sets.cameras, sets.other_xy, sets.other_visible, views.hidden)
    parts = zip(*(torch.from_numpy(values).split(_AT_ONCE) for values in given), strict=True)
    with torch.no_grad():
        weights = [
            trifocal_loss(xy, cameras, other_xy, other_visible, hidden, min_angle_deg)[1]
            for xy, cameras, other_xy, other_visible, hidden in parts
        ]
    return torch.cat(weights).numpy() > 0


def coverage(views: Views, min_angle_deg: float = COVERED_DEG) -> Iterator[str]:
    """Lines of a table: fraction of the hidden keypoints that are covered, by motion, without and with mirrors."""
    plain, mirrored = (covered(views, view_sets(views, mirrors=m), min_angle_deg) for m in (False, True))
    kinds = motions(views)
    yield f"{'motion':12} {'vehicles':>8} {'hidden':>7} {'covered':>8} {'with mirrors':>13}"
    for name in ("all", *MOTIONS):
        rows = np.ones(len(views), bool) if name == "all" else kinds == MOTIONS.index(name)
        hidden = int(views.hidden[rows].sum())
        if hidden:
            fractions = [c[rows].sum() / hidden for c in (plain, mirrored)]
            yield f"{name:12} {rows.sum():8} {hidden:7} {fractions[0]:8.2f} {fractions[1]:13.2f}"
