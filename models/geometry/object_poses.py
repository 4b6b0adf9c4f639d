"""Poses of views in the frame of the object they share, from detected keypoints and a shape basis: never from truth.

Poses and shape take turns: the pose of each view for the shape so far, then the shape of each object for the poses.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from calibration.camera import edge_to_pixel, pixel_to_edge
from models.geometry import solve_pnp
from models.geometry.boxes import to_box
from models.geometry.view_sets import POINTS, Views, box_cameras
from models.shape_basis import ShapeBasis

MIN_POINTS = 5
FOCALS = (0.5, 0.7, 1.0, 1.4, 2.0)  # widths of the picture
_ITERATIONS = 3
_TRIED = 200  # crops that a focal length is found by
_NOISE_FRACTION = 0.02  # how far detected points are off, as a fraction of the box
_MOST_OFF = 0.04  # weighted rms of a pose's residuals, in longer sides of the box: beyond, it is another pose


def views_of_crops(
    of: np.ndarray,
    xy: np.ndarray,
    scores: np.ndarray,
    visible: np.ndarray,
    box_xywh: np.ndarray,
    K: np.ndarray,
    basis: ShapeBasis,
) -> Views:
    """Views of crops of rigid objects, any camera each: of (N,) the object, xy (N, 12, 2) detected pixels without a
    lens, scores (N, 12) 0 to 1, visible (N, 12) bool by the detector, boxes (N, 4), K (3, 3) or (N, 3, 3).

    Points weigh by their scores, hidden ones too: a network's guess of them is worth its score. `row` numbers the
    crops; those that determine no pose are left out. Raises ValueError for another keypoint set than the basis has,
    and where no crop has a visible point or a pose.
    """
    if xy.shape[1:] != (POINTS, 2):
        raise ValueError(f"keypoints: expected the {POINTS} of basis {basis.name}, (N, {POINTS}, 2), got {xy.shape}")
    if not visible.any():
        raise ValueError(f"keypoints: no visible one in {len(xy)} crops; poses need at least {MIN_POINTS} in each")
    K = np.broadcast_to(K, (len(xy), 3, 3))
    R, t, known, off = _fits(of, xy, scores, box_xywh, K, basis)
    known &= off <= _MOST_OFF
    if not known.any():
        raise ValueError(f"keypoints: none of {len(xy)} crops determines a pose; expected {MIN_POINTS} points or more")
    cameras, points = box_cameras(R, t, K, box_xywh), to_box(pixel_to_edge(np.nan_to_num(xy)), box_xywh[:, None])
    rows = np.flatnonzero(known)
    return Views(of, cameras, points, visible, ~visible, box_xywh, np.arange(len(xy))).at(rows)


def poses(
    xy: np.ndarray,
    weights: np.ndarray,
    points: np.ndarray,
    K: np.ndarray,
    start: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """R (N, 3, 3), t (N, 3) and known (N,) of points (N, 12, 3) m seen at pixels (N, 12, 2), K (N, 3, 3).

    Without a start OpenCV's SQPnP gives one; weights (N, 12) >= 0, 0 where missing. Unknown poses are finite.
    """
    enough = (weights > 0).sum(axis=1) >= MIN_POINTS
    R, t = _starts(xy, weights, points, K, enough) if start is None else start
    X, pixels, w, lens, turn, shift = (torch.tensor(a, dtype=torch.float64) for a in (points, xy, weights, K, R, t))
    with torch.no_grad():
        pose = solve_pnp(X, pixels, w, lens, (turn, shift))
    return pose.R.numpy(), pose.t.numpy(), pose.valid.numpy() & enough


def focal_px(
    of: np.ndarray, xy: np.ndarray, scores: np.ndarray, box_xywh: np.ndarray, size_wh: np.ndarray, basis: ShapeBasis
) -> float:
    """The focal length, of FOCALS picture widths, at which the vehicles of one camera can be fitted best.

    Arguments as `views_of_crops`; size_wh (2,) of the picture, whose middle is the principal point. Crops that
    determine no pose at some of the lengths say nothing; without any it is the middle length.
    """
    some = np.unique(np.linspace(0, len(xy) - 1, min(_TRIED, len(xy))).astype(int))
    off = np.full((len(FOCALS), len(some)), np.nan)
    for row, widths in enumerate(FOCALS):
        K = np.broadcast_to(camera_matrix(widths * size_wh[0], size_wh), (len(some), 3, 3))
        *_, known, found = _fits(of[some], xy[some], scores[some], box_xywh[some], K, basis)
        off[row, known] = found[known]
    fitted = np.isfinite(off).all(axis=0)
    best = np.median(off[:, fitted], axis=1).argmin() if fitted.any() else len(FOCALS) // 2
    return FOCALS[int(best)] * float(size_wh[0])


def camera_matrix(focal: float, size_wh: np.ndarray) -> np.ndarray:
    """K (3, 3) of a picture whose principal point is its middle; pixels are centres."""
    x, y = edge_to_pixel(np.asarray(size_wh) / 2)
    return np.array([[focal, 0, x], [0, focal, y], [0, 0, 1]])


def _fits(
    of: np.ndarray, xy: np.ndarray, scores: np.ndarray, box_xywh: np.ndarray, K: np.ndarray, basis: ShapeBasis
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """R (N, 3, 3), t (N, 3), known (N,) and residuals (N,) as fractions of the box's longer side."""
    scores = np.where(np.isfinite(xy).all(axis=-1), scores, 0.0)
    xy = np.nan_to_num(xy)
    shape, start = np.zeros((len(xy), basis.size)), None
    for _ in range(_ITERATIONS):
        R, t, known = poses(xy, scores, basis.keypoints(shape), K, start)
        P = K @ np.concatenate([R, t[..., None]], -1)
        shape = _shapes(of, xy, scores * known[:, None], box_xywh, P, basis)
        start = R, t
    return R, t, known, _residuals(xy, scores, basis.keypoints(shape), P) / box_xywh[:, 2:].max(axis=1)


def _residuals(xy: np.ndarray, weights: np.ndarray, points: np.ndarray, P: np.ndarray) -> np.ndarray:
    """(N,) weighted rms distance, px, of points (N, 12, 3) in cameras P (N, 3, 4) from pixels (N, 12, 2)."""
    seen = np.einsum("nij,nkj->nki", P[..., :3], points) + P[:, None, :, 3]
    off = np.square(seen[..., :2] / np.maximum(seen[..., 2:], 1e-6) - xy).sum(axis=-1)
    return np.sqrt((off * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9))


def _starts(
    xy: np.ndarray, weights: np.ndarray, points: np.ndarray, K: np.ndarray, enough: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A first pose of each view; at the identity, 10 m away, where none is found."""
    R, t = np.tile(np.eye(3), (len(xy), 1, 1)), np.tile([0.0, 0.0, 10.0], (len(xy), 1))
    for i in np.flatnonzero(enough).tolist():
        used = weights[i] > 0
        found, turn, shift = cv2.solvePnP(
            np.ascontiguousarray(points[i, used]), xy[i, used, None], K[i], None, flags=cv2.SOLVEPNP_SQPNP
        )
        if found and np.isfinite(turn).all():
            R[i], t[i] = cv2.Rodrigues(turn)[0], shift[:, 0]
    return R, t


def _shapes(
    of: np.ndarray, xy: np.ndarray, weights: np.ndarray, box_xywh: np.ndarray, P: np.ndarray, basis: ShapeBasis
) -> np.ndarray:
    """(N, K) the most probable shape of each object given its views' cameras P (N, 3, 4), the same for all of them.

    Linear least squares: (x P_3 - P_1) X(b) = 0 over the depth is the error in pixels, for each of x and y.
    """
    rows = xy[..., None] * P[:, None, 2:] - P[:, None, :2]  # (N, 12, 2, 4)
    mean = np.concatenate([basis.mean, np.ones((POINTS, 1))], axis=1)
    depth = np.maximum(np.einsum("nk,pk->np", P[:, 2], mean), 0.1)
    sigma = _NOISE_FRACTION * box_xywh[:, 2:].max(axis=1)
    scaled = rows * (weights / depth / sigma[:, None])[..., None, None]
    A = np.einsum("nprk,cpk->nprc", scaled[..., :3], basis.components).reshape(len(xy), -1, basis.size)
    right = -np.einsum("nprk,pk->npr", scaled, mean).reshape(len(xy), -1, 1)
    _, number = np.unique(of, return_inverse=True)
    normal = np.tile(np.eye(basis.size), (number.max() + 1, 1, 1))
    total = np.zeros((len(normal), basis.size, 1))
    np.add.at(normal, number, A.transpose(0, 2, 1) @ A)
    np.add.at(total, number, A.transpose(0, 2, 1) @ right)
    return np.linalg.solve(normal, total)[number, :, 0]
