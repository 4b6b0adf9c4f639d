"""Read recorded poses in AMASS's layout as SMPL's theta of upright bodies that face +z.

AMASS (Mahmood et al. 2019) stores a row of axis-angle a frame in a world whose z is up; its first 66 numbers are the
pelvis and the 21 joints of the body, whichever of its body models the file is for.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from pipeline.core.skeletons import SMPL_24
from readers.arrays import read_npz

# SMPL, SMPL-H and SMPL-X.
_WIDTHS = (72, 156, 165)
_Y_UP = Rotation.from_euler("x", -90, degrees=True)


def read_mocap(path: Path) -> np.ndarray:
    """theta (T, 24, 3) float32 of every frame, hands straight, the heading taken out of the pelvis.

    Raises ValueError for a file that is no .npz, has no `poses`, or whose poses are not (T, 72 | 156 | 165) finite.
    """
    poses = _poses(Path(path))
    theta = np.zeros((len(poses), len(SMPL_24), 3), np.float32)
    theta[:, :22] = poses[:, :66].reshape(-1, 22, 3)
    theta[:, 0] = without_heading(_Y_UP * Rotation.from_rotvec(poses[:, :3])).as_rotvec()
    return theta


def without_heading(orientation: Rotation) -> Rotation:
    """The orientations, y up, less their turn about y: what is left is the tilt, its axis level."""
    _, y, _, w = orientation.as_quat().T
    return Rotation.from_rotvec(-2 * np.arctan2(y, w)[:, None] * np.array([0.0, 1.0, 0.0])) * orientation


def _poses(path: Path) -> np.ndarray:
    """(T, D) float64, checked."""
    found = read_npz(path, lambda name: name == "poses")
    if "poses" not in found:
        raise ValueError(f"{path}: expected an AMASS .npz with poses, it has none")
    poses = found["poses"]
    if poses.ndim != 2 or poses.shape[1] not in _WIDTHS or not len(poses) or poses.dtype.kind not in "fiu":
        raise ValueError(f"{path}: expected poses (T, 72, 156 or 165) of numbers, got {poses.shape} {poses.dtype}")
    if not np.isfinite(poses).all():
        raise ValueError(f"{path}: expected finite poses, got NaN or infinity")
    return poses.astype(float)
