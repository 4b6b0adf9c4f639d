"""Sample poses as a street shows them: theta (N, 24, 3), axis-angle radians, of upright bodies that face +z, y up.

Two splits share no pose. Each motion's style is a number in [0, 1); the held-out split has two bands of it, one within
the training styles' range and one beyond it, and two motions that training never sees: waving and pushing a pram.
"""

from __future__ import annotations

import numpy as np

from models.poses import motions
from models.poses.angles import theta_of
from models.poses.limits import mirror
from pipeline.core.skeletons import SMPL_24

# How often a street shows each motion: most people walk or stand, our own estimate.
WEIGHTS: dict[str, dict[motions.Motion, float]] = {
    "train": {
        motions.walk: 0.36, motions.stand: 0.17, motions.carry: 0.12, motions.step: 0.07, motions.phone: 0.05,
        motions.pockets: 0.05, motions.run: 0.04, motions.sit: 0.03, motions.reach: 0.03, motions.crossed: 0.02,
        motions.lean: 0.02, motions.crouch: 0.02, motions.ride: 0.02,
    }
}  # fmt: skip
WEIGHTS["held_out"] = WEIGHTS["train"] | {motions.wave: 0.04, motions.push: 0.06}
STYLES = {"train": ((0.0, 0.4), (0.5, 0.85)), "held_out": ((0.4, 0.5), (0.85, 1.0))}
# How many of the poses are recorded ones where there are any.
EXTRA_FRACTION = 0.5


def sample_poses(
    rng: np.random.Generator, count: int, split: str = "train", extra: np.ndarray | None = None
) -> tuple[np.ndarray, list[str]]:
    """theta (count, 24, 3) float32 and the name of each pose's motion; half of the poses are mirrored.

    extra (M, 24, 3) are recorded poses, of which half of the poses are then sampled, named "mocap" and left as they are
    but for mirroring; the caller keeps those of its two splits apart. All others are within `joint_limits`. Raises
    ValueError for another split or shape.
    """
    if split not in WEIGHTS:
        raise ValueError(f"split: expected train or held_out, got {split!r}")
    if extra is not None and (extra.shape[1:] != (len(SMPL_24), 3) or not len(extra)):
        raise ValueError(f"extra: expected (M, 24, 3) with M at least 1, got {extra.shape}")
    kinds, weights = list(WEIGHTS[split]), np.array(list(WEIGHTS[split].values()))
    which = rng.choice(len(kinds), count, p=weights / weights.sum())
    theta = np.zeros((count, len(SMPL_24), 3), np.float32)
    for index, motion in enumerate(kinds):
        rows = np.flatnonzero(which == index)
        theta[rows] = theta_of(motion(motions.Sample(rng, sample_styles(rng, len(rows), split))))
    names = np.array([motion.__name__ for motion in kinds], object)[which]
    if extra is not None:
        recorded = rng.random(count) < EXTRA_FRACTION
        theta[recorded] = extra[rng.integers(len(extra), size=int(recorded.sum()))]
        names[recorded] = "mocap"
    mirrored = rng.random(count) < 0.5
    theta[mirrored] = mirror(theta[mirrored])
    return theta, names.tolist()


def sample_styles(rng: np.random.Generator, count: int, split: str) -> np.ndarray:
    """(count,) styles, uniform over the split's bands."""
    low, high = np.array(STYLES[split]).T
    ends = np.cumsum(high - low)
    along = rng.uniform(0, ends[-1], count)
    band = np.searchsorted(ends, along, side="right")
    return along - (ends - high)[band]
