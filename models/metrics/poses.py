"""How good poses of rigid objects are: accuracies at two angles, the median error, and the distance of model points."""

from __future__ import annotations

import numpy as np

ANGLES = {"Acc(pi/6)": np.pi / 6, "Acc(pi/18)": np.pi / 18}
ADD_FRACTION = 0.1  # of the diameter: ADD's usual bound (Hinterstoisser et al., 2012)


def angles_between(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(N,) radians between rotations (N, 3, 3), exact for small angles: 2 asin(|A - B|_F / (2 sqrt 2))."""
    chord = np.linalg.norm(one - other, axis=(1, 2)) / (2 * np.sqrt(2))
    return 2 * np.arcsin(np.clip(chord, 0, 1))


def point_distances(
    points: np.ndarray, found: tuple[np.ndarray, np.ndarray], true: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """(N,) ADD: the mean distance, metres, of model points (N, P, 3) under the found and the true pose, each R
    (N, 3, 3) and t (N, 3)."""
    placed = [points @ R.transpose(0, 2, 1) + t[:, None] for R, t in (found, true)]
    return np.linalg.norm(placed[0] - placed[1], axis=-1).mean(axis=1)


def pose_summary(
    points: np.ndarray, found: tuple[np.ndarray, np.ndarray], true: tuple[np.ndarray, np.ndarray]
) -> dict[str, float]:
    """Acc(pi/6), Acc(pi/18), median error in degrees, mean ADD in metres and the fraction of ADD below a tenth of the
    points' diameter; a pose that was not found is NaN, and counts as wrong. NaN without any object."""
    R, t = found
    if not len(R):
        return dict.fromkeys((*ANGLES, "median_deg", "ADD_m", "ADD-0.1d", "position_m"), float("nan"))
    known = np.isfinite(R).all(axis=(1, 2)) & np.isfinite(t).all(axis=1)
    angle, add = np.full(len(R), np.pi), np.full(len(R), np.inf)
    angle[known] = angles_between(R[known], true[0][known])
    add[known] = point_distances(points[known], (R[known], t[known]), (true[0][known], true[1][known]))
    diameter = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1).max(axis=(1, 2))
    far = np.where(known, np.linalg.norm(t - true[1], axis=1), np.inf)
    return {
        **{name: float((angle < bound).mean()) for name, bound in ANGLES.items()},
        "median_deg": float(np.degrees(np.median(angle))),
        "ADD_m": float(add[known].mean()) if known.any() else float("nan"),
        "ADD-0.1d": float((add < ADD_FRACTION * diameter).mean()),
        "position_m": float(np.median(far)),
    }
