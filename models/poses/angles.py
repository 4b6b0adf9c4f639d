"""Joint angles as gait laboratories name them, and SMPL's theta of them.

Angles are arrays in degrees by name: (N,) for the trunk, (N, 2) for limbs, left then right. All are zero in a person
who stands with the arms hanging straight down, palms inwards.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from models.poses.limits import joint_limits, mirror
from pipeline.core.skeletons import SMPL_24

Angles = dict[str, np.ndarray]

# Positive: pelvis and spine bend forward (lean), to the body's right (side), turn to its left (yaw).
TRUNK = (
    "pelvis_lean", "pelvis_side", "pelvis_yaw", "spine_lean", "spine_side", "spine_yaw", "head_lean", "head_side",
    "head_yaw",
)  # fmt: skip
# thigh_*: to the vertical, not to the pelvis: forward, outwards, toes turned out. ankle: toes up. shoulder_*: the arm
# forward, outwards, turned so that a bent forearm comes in front of the body. clavicle: up. wrist: to the palm.
LIMBS = (
    "thigh_flex", "thigh_out", "thigh_turn", "knee", "ankle", "inversion", "toes", "clavicle", "shoulder_flex",
    "shoulder_out", "shoulder_turn", "elbow", "pronation", "wrist",
)  # fmt: skip


def zeros(count: int) -> Angles:
    """Every angle of `count` people who stand at attention."""
    return {name: np.zeros(count) for name in TRUNK} | {name: np.zeros((count, 2)) for name in LIMBS}


def flat_feet(now: Angles) -> Angles:
    """The angles with ankles that lay the soles level."""
    return now | {"ankle": now["knee"] - now["thigh_flex"], "inversion": now["thigh_out"]}


def theta_of(now: Angles) -> np.ndarray:
    """theta (N, 24, 3) float32 of angles, each joint brought into its limits; the body faces +z."""
    low, high = joint_limits()
    theta = np.zeros((len(now["knee"]), len(SMPL_24), 3))
    pelvis = _trunk(now, "pelvis", 1)
    theta[:, 0] = pelvis.as_rotvec()
    theta[:, [3, 6, 9]] = _trunk(now, "spine", 3).as_rotvec()[:, None]
    theta[:, [12, 15]] = _trunk(now, "head", 2).as_rotvec()[:, None]
    _limbs(theta, now, 0, pelvis)
    # The right side is the left side of the mirrored body.
    mirrored = mirror(theta)
    _limbs(mirrored, now, 1, Rotation.from_rotvec(mirrored[:, 0]))
    theta = mirror(mirrored).astype(np.float32)
    theta[:, 1:] = np.clip(theta[:, 1:], low, high)
    return theta


def _about(axis: str, degrees: np.ndarray) -> Rotation:
    """Rotations of (N,) degrees about an axis."""
    return Rotation.from_euler(axis, degrees[:, None], degrees=True)


def _trunk(now: Angles, part: str, joints: int) -> Rotation:
    """What one of a part's joints turns by, when all of them share its angles."""
    lean, side, yaw = (now[f"{part}_{name}"] / joints for name in ("lean", "side", "yaw"))
    return _about("y", yaw) * _about("z", -side) * _about("x", lean)


def _limbs(theta: np.ndarray, now: Angles, side: int, pelvis: Rotation) -> None:
    """Write the left leg and arm with the angles of a side into theta (N, 24, 3)."""
    at = {name: now[name][:, side] for name in LIMBS}
    thigh = _about("x", -at["thigh_flex"]) * _about("z", at["thigh_out"]) * _about("y", at["thigh_turn"])
    shoulder = (
        _about("x", -at["shoulder_flex"]) * _about("z", at["shoulder_out"] - 90) * _about("x", at["shoulder_turn"])
    )
    turned = {
        1: pelvis.inv() * thigh,
        4: _about("x", at["knee"]),
        7: _about("x", -at["ankle"]) * _about("z", -at["inversion"]),
        10: _about("x", -at["toes"]),
        13: _about("z", at["clavicle"]),
        16: shoulder,
        18: _about("y", -at["elbow"]) * _about("x", at["pronation"]),
        20: _about("z", -at["wrist"]),
    }
    for joint, rotation in turned.items():
        theta[:, joint] = rotation.as_rotvec()
