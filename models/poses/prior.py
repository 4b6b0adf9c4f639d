"""Learn the pose prior from sampled training poses, a Gaussian for each motion.

`python -m models.poses.prior` writes the file that ships, byte for byte.
"""

from __future__ import annotations

import numpy as np

from models.poses.mixture import SHIPPED, PosePrior
from models.poses.sample import sample_poses
from pipeline.core.skeletons import SMPL_24

_SEED, _SAMPLES = 2016, 40_000
# Radians added to every joint's spread: people's joints are less exact than parametric motions.
_FLOOR = 0.12
# Hands and feet are hardly seen and hardly move.
_FLOOR_ENDS = 0.05
_ENDS = (7, 8, 10, 11, 20, 21, 22, 23)
# One component is the spread of all motions together, widened: for poses between and beyond them.
_ANY_WEIGHT, _ANY_WIDER = 0.1, 1.5
_DIGITS = 5


def fit(theta: np.ndarray, names: list[str]) -> PosePrior:
    """The prior of poses (N, 24, 3) and their motions' names: one Gaussian a name and one of all."""
    body, labels = theta[:, 1:].reshape(len(theta), -1).astype(float), np.array(names)
    groups = [(labels == name, (1 - _ANY_WEIGHT) * float((labels == name).mean()), 1.0) for name in sorted({*names})]
    groups.append((np.ones(len(body), bool), _ANY_WEIGHT, _ANY_WIDER))
    means = np.stack([body[rows].mean(axis=0) for rows, _, _ in groups])
    covariances = np.stack([np.cov(body[rows].T, bias=True) * wider**2 for rows, _, wider in groups])
    weights = np.array([weight for _, weight, _ in groups])
    # Rounded, so that the last bits of sums, which differ between machines, do not reach the file.
    return PosePrior(*(np.round(array, _DIGITS) for array in (weights, means, covariances + np.diag(_floor() ** 2))))


def learn() -> PosePrior:
    """The prior that ships, of the parametric motions' training poses."""
    return fit(*sample_poses(np.random.default_rng(_SEED), _SAMPLES, "train"))


def _floor() -> np.ndarray:
    """(69,) radians that are added, in squares, to the variances."""
    floor = np.full((len(SMPL_24), 3), _FLOOR)
    floor[list(_ENDS)] = _FLOOR_ENDS
    return floor[1:].ravel()


if __name__ == "__main__":
    learn().save(SHIPPED)
    print(f"{SHIPPED.name}: {SHIPPED.stat().st_size} bytes")
