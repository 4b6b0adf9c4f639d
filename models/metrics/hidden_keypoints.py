"""How good found keypoints are: PCK, occlusion's ROC and yaw, as Occlusion-Net's section 4.2 measures them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ALPHA = 0.1
VISIBLE, SELF_OCCLUDED, OCCLUDED = 0, 1, 2
Curve = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Scored:
    """N crops. error: by method, (N, 12) distances from the truth as fractions of the box's longer side, NaN where the
    true place is not known; state (N, 12) true states, -1 where not known; hidden: by method, (N, 12) scores that rise
    with being hidden; yaw_deg (N,) errors of the 3D graph, NaN where there is none; instance (N,) one number for every
    view of a vehicle."""

    error: dict[str, np.ndarray]
    state: np.ndarray
    hidden: dict[str, np.ndarray]
    yaw_deg: np.ndarray
    instance: np.ndarray

    @property
    def hidden_count(self) -> np.ndarray:
        """(N,) how many of the twelve are known to be hidden."""
        return (self.state > VISIBLE).sum(axis=1)

    @property
    def located(self) -> np.ndarray:
        """(N, 12) whether the true place is known."""
        return ~np.isnan(next(iter(self.error.values())))

    @property
    def tells_hidden(self) -> bool:
        """Whether there are both visible and hidden keypoints."""
        return bool((self.state == VISIBLE).any() and (self.state > VISIBLE).any())

    def pck(self, method: str, chosen: np.ndarray, alpha: float = ALPHA) -> float:
        """Fraction of chosen keypoints (N, 12), of those with a known place, found within alpha of the longer side; NaN
        where there are none."""
        error = self.error[method][chosen & self.located]
        return float((error <= alpha).mean()) if len(error) else float("nan")

    def pck_of_hidden(self, method: str, count: int, alpha: float = ALPHA) -> float:
        """PCK of the hidden keypoints of crops that hide `count` of twelve."""
        return self.pck(method, (self.state > VISIBLE) & (self.hidden_count == count)[:, None], alpha)

    def roc(self, method: str) -> Curve:
        """`roc` of finding hidden keypoints, of those whose state is known, by a method's scores."""
        known = self.state >= VISIBLE
        return roc(self.hidden[method][known], self.state[known] > VISIBLE)

    def auc(self, method: str) -> float:
        """Area under the method's ROC."""
        return _under(self.roc(method))

    def rows(self, chosen: np.ndarray) -> Scored:
        """The crops of indices (M,), in their order."""
        error, hidden = ({m: values[chosen] for m, values in by.items()} for by in (self.error, self.hidden))
        return Scored(error, self.state[chosen], hidden, self.yaw_deg[chosen], self.instance[chosen])


def joined(parts: Sequence[Scored]) -> Scored:
    """The crops of all parts, which have the same methods."""
    error = {m: np.concatenate([part.error[m] for part in parts]) for m in parts[0].error}
    hidden = {m: np.concatenate([part.hidden[m] for part in parts]) for m in parts[0].hidden}
    rest = ([getattr(part, name) for part in parts] for name in ("state", "yaw_deg", "instance"))
    state, yaw_deg, instance = (np.concatenate(values) for values in rest)
    return Scored(error, state, hidden, yaw_deg, instance)


def with_baseline(scored: Scored, baseline: Scored | None) -> Scored:
    """The scores of both, the baseline's heatmaps as method "baseline"; their own stand in where there is none."""
    other = baseline or scored
    return Scored(
        {"baseline": other.error["heatmap"], **scored.error}, scored.state,
        {"baseline": other.hidden["heatmap"], **scored.hidden}, scored.yaw_deg, scored.instance,
    )  # fmt: skip


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


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under `roc`."""
    return _under(roc(score, positive))


def _under(curve: Curve) -> float:
    return float(np.trapezoid(*curve[::-1]))


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


def correspondences(scored: Scored, method: str, views: int, usable: np.ndarray, alpha: float = ALPHA) -> float:
    """Mean number, of twelve, of keypoints that at least two of a vehicle's first `views` views have right (figure 4);
    NaN where no vehicle has so many views.

    A keypoint counts in a view where `usable` (N, 12) and within alpha of the truth.
    """
    right = (scored.error[method] <= alpha) & usable
    order = np.argsort(scored.instance, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(scored.instance[order])) + 1)
    counts = [(right[rows[:views]].sum(axis=0) >= 2).sum() for rows in groups if len(rows) >= views]
    return float(np.mean(counts)) if counts else float("nan")
