"""How good found keypoints are: PCK, occlusion's ROC and yaw, as Occlusion-Net's section 4.2 measures them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ALPHA = 0.1
VISIBLE, SELF_OCCLUDED, OCCLUDED = 0, 1, 2
Curve = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Scored:
    """N crops. error: by method, (N, 12) distances from the truth in shares of the box's longer side; state (N, 12)
    true states; hidden: by method, (N, 12) scores that rise with being hidden; yaw_deg (N,) errors of the 3D graph, NaN
    where there is none; instance (N,) one number for every view of a vehicle."""

    error: dict[str, np.ndarray]
    state: np.ndarray
    hidden: dict[str, np.ndarray]
    yaw_deg: np.ndarray
    instance: np.ndarray

    @property
    def hidden_count(self) -> np.ndarray:
        """(N,) how many of the twelve are hidden."""
        return (self.state > VISIBLE).sum(axis=1)

    def pck(self, method: str, chosen: np.ndarray, alpha: float = ALPHA) -> float:
        """Share of chosen keypoints (N, 12) found within alpha of the longer side; NaN where none is chosen."""
        return float((self.error[method][chosen] <= alpha).mean()) if chosen.any() else float("nan")

    def pck_of_hidden(self, method: str, count: int, alpha: float = ALPHA) -> float:
        """PCK of the hidden keypoints of crops that hide `count` of twelve."""
        return self.pck(method, (self.state > VISIBLE) & (self.hidden_count == count)[:, None], alpha)

    def auc(self, method: str) -> float:
        """Area under the ROC of finding hidden keypoints by a method's scores."""
        return area(self.hidden[method].ravel(), (self.state > VISIBLE).ravel())


def roc(score: np.ndarray, positive: np.ndarray) -> Curve:
    """False and true positive rates (M,) as the threshold on scores (N,) falls; ties are one step.

    Raises ValueError unless there are both kinds.
    """
    if positive.all() or not positive.any():
        raise ValueError("ROC: expected hidden and visible keypoints, got one kind only")
    order = np.argsort(-score, kind="stable")
    last = np.r_[np.flatnonzero(np.diff(score[order])), len(order) - 1]
    hits = np.cumsum(positive[order])[last]
    misses = last + 1 - hits
    return np.r_[0, misses / misses[-1]], np.r_[0, hits / hits[-1]]


def area(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under `roc`."""
    return float(np.trapezoid(*roc(score, positive)[::-1]))


def yaw_errors_deg(rotation: np.ndarray, K: np.ndarray, true: np.ndarray) -> np.ndarray:
    """(N,) angles between headings, in the vehicle's ground plane.

    rotation (N, 3, 3): of the crop's camera, which looks along the box's centre ray, from the vehicle; K (N, 3, 3) from
    the camera's frame to the box's; true (N, 3, 3) of the camera from the vehicle. The crop's camera is turned back to
    the camera's own direction first.
    """
    turned = centre_rotation(K) @ rotation
    ahead = np.einsum("nij,nik->njk", true, turned)[..., 0]  # the found x axis in the true vehicle's frame
    return np.degrees(np.abs(np.arctan2(ahead[:, 1], ahead[:, 0])))


def centre_rotation(K: np.ndarray) -> np.ndarray:
    """(N, 3, 3) the least rotation that takes z to the ray of the box's centre, for K (N, 3, 3) into its frame."""
    ray = np.linalg.inv(K)[..., 2]
    ray = ray / np.linalg.norm(ray, axis=1, keepdims=True)
    x, y, z = ray.T
    zero = np.zeros_like(x)
    # Rodrigues' formula about z cross ray, whose length is the sine.
    cross = np.stack([zero, zero, x, zero, zero, y, -x, -y, zero], axis=1).reshape(-1, 3, 3)
    return np.eye(3) + cross + cross @ cross / (1 + z)[:, None, None]


def correspondences(scored: Scored, method: str, views: int, usable: np.ndarray) -> float:
    """Mean number, of twelve, of keypoints that at least two of a vehicle's first `views` views have right (figure 4).

    A keypoint counts in a view where `usable` (N, 12) and within ALPHA of the truth.
    """
    right = (scored.error[method] <= ALPHA) & usable
    groups = [np.flatnonzero(scored.instance == number)[:views] for number in np.unique(scored.instance)]
    return float(np.mean([(right[rows].sum(axis=0) >= 2).sum() for rows in groups if len(rows) == views]))
