"""How simulated people move: joint angles over a gait cycle, and the joints they put where.

Phase is in gait cycles; at phase 0 the left heel strikes, at 0.5 the right one. Angles are in radians about the
person's lateral axis (y, left), positive where the limb swings forward. A pose is one global rotation a joint:
G (24, 3, 3) in SMPL's joint order, mapping directions of the standing rest body to the posed one.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from pipeline.core.skeletons import SMPL_24, SMPL_PARENTS

# (hip, knee, ankle, foot), (collar, shoulder, elbow, wrist, hand) of the left and the right side.
LEGS = ((1, 4, 7, 10), (2, 5, 8, 11))
ARMS = ((13, 16, 18, 20, 22), (14, 17, 19, 21, 23))
TRUNK = (0, 3, 6, 9, 12, 15)

# Sagittal angles of level walking in degrees at tenths of the cycle from heel strike; taken from the normative curves
# of Winter, "The Biomechanics and Motor Control of Human Gait", 1991, then moved by at most 8 degrees, so that with
# these bodies' feet the leading heel meets the ground and the swinging toes clear it.
_WALK = {
    "hip": (27, 23, 16, 8, 0, -8, -6, 12, 27, 30),
    "knee": (4, 14, 12, 5, 5, 14, 33, 58, 53, 20),
    "ankle": (0, -4, 3, 7, 9, 7, -17, 2, 9, 5),
}


def _cycle(degrees: tuple[int, ...]) -> CubicSpline:
    values = np.radians([*degrees, degrees[0]])
    return CubicSpline(np.linspace(0, 1, len(values)), values, bc_type="periodic")


# The published hip angle is to a pelvis that tilts forward; ours is of the thigh to the vertical.
_PELVIC_TILT = np.radians(9)
# Radians by which relaxed fingers bend towards the palm.
_CURL = 0.4

_HIP, _KNEE, _ANKLE = (_cycle(_WALK[name]) for name in ("hip", "knee", "ankle"))


def about_y(angle: float) -> np.ndarray:
    """(3, 3) rotation that swings what hangs down forwards."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])


def about_x(angle: float) -> np.ndarray:
    """(3, 3) rotation about the forward axis: what hangs down moves to the left."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def about_z(angle: float) -> np.ndarray:
    """(3, 3) rotation about the vertical, to the left."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def turning(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(3, 3) least rotation that turns direction a (3,) onto b (3,); they are not opposite."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    # Written out: np.cross is slower by far for one pair, and this is asked for thousands of times a second.
    (a0, a1, a2), (b0, b1, b2) = a.tolist(), b.tolist()
    x, y, z = a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + skew + skew @ skew / (1 + a @ b)


def angles(motion: str, phase: float, arms: tuple[float, float], stride: float) -> dict[str, np.ndarray]:
    """Angles of (left, right) hip, knee, ankle, shoulder, elbow, and of the trunk: yaw, roll, lean.

    arms: extra elbow bend (left, right), radians. stride scales the leg and arm swing of a walk.
    """
    sides = np.array([phase, phase + 0.5]) % 1.0
    bend = np.array(arms)
    if motion == "walk":
        swing = np.cos(2 * np.pi * sides)
        return {
            "hip": (_HIP(sides) - _PELVIC_TILT) * stride,
            "knee": _KNEE(sides) * (0.3 + 0.7 * stride),
            "ankle": _ANKLE(sides),
            "shoulder": 0.05 - 0.36 * stride * swing * (bend < 0.8) + 0.12 * (bend >= 0.8),
            "elbow": 0.28 - 0.12 * swing + bend,
            "trunk": np.array([0.09 * stride * np.cos(2 * np.pi * phase), 0.03 * np.sin(2 * np.pi * phase), 0.05]),
        }
    if motion == "stand":
        sway = np.sin(2 * np.pi * phase)
        return {
            "hip": np.array([0.02, 0.05]),
            "knee": np.array([0.04, 0.10]),
            "ankle": np.array([0.02, 0.05]),
            "shoulder": np.array([0.03, 0.03]) + 0.15 * (bend >= 0.8) + 0.01 * sway,
            "elbow": np.array([0.2, 0.2]) + bend,
            "trunk": np.array([0.05 * sway, 0.015 * sway, 0.02]),
        }
    if motion == "turn":  # stepping in place: each foot lifts in its own half of the cycle
        lift = np.clip(np.sin(2 * np.pi * sides), 0, None)
        return {
            "hip": 0.35 * lift + 0.02,
            "knee": 0.7 * lift + 0.05,
            "ankle": 0.1 * lift,
            "shoulder": 0.08 * np.cos(2 * np.pi * sides),
            "elbow": np.array([0.25, 0.25]) + bend,
            "trunk": np.array([0.18 * np.sin(2 * np.pi * phase), 0.0, 0.03]),
        }
    raise ValueError(f"motion: expected walk, stand or turn, got {motion!r}")


def pose(joints: np.ndarray, motion: str, phase: float, arms: tuple[float, float], stride: float = 1.0) -> np.ndarray:
    """G (24, 3, 3) of a body whose rest joints (24, 3) stand with the arms held out."""
    now = angles(motion, phase, arms, stride)
    yaw, roll, lean = now["trunk"]
    G = np.empty((len(SMPL_24), 3, 3))
    pelvis = about_z(-yaw) @ about_x(roll)
    chest = about_z(yaw) @ about_y(-lean)
    G[list(TRUNK)] = [pelvis, about_y(-lean / 2), chest, chest, about_y(-lean / 2), np.eye(3)]
    for side, (hip, knee, ankle, foot) in enumerate(LEGS):
        thigh = now["hip"][side]
        shank = thigh - now["knee"][side]
        out = about_x(0.03 * (1 - 2 * side))
        straight = turning(joints[knee] - joints[hip], np.array([0.0, 0, -1]))
        G[hip] = out @ about_y(thigh) @ straight
        G[knee] = out @ about_y(shank) @ turning(joints[ankle] - joints[knee], np.array([0.0, 0, -1]))
        # The sole is flat in the rest body; the ankle's angle is between shank and foot.
        sole = about_y(_sole(motion, shank, now["ankle"][side]))
        G[ankle] = G[foot] = about_z(0.1 * (1 - 2 * side)) @ sole
    for side, (collar, shoulder, elbow, wrist, hand) in enumerate(ARMS):
        out = about_x(-0.14 * (2 * side - 1))
        down = turning(joints[elbow] - joints[shoulder], np.array([0.0, 0, -1]))
        fore = turning(joints[wrist] - joints[elbow], np.array([0.0, 0, -1]))
        G[collar] = chest
        G[shoulder] = chest @ out @ about_y(now["shoulder"][side]) @ down
        # A forearm held up points inwards, to the phone or the strap in the hand.
        inward = about_z(0.45 * min(arms[side], 1.0) * (2 * side - 1))
        hanging = chest @ out @ inward @ about_y(now["shoulder"][side] + now["elbow"][side])
        G[elbow] = G[wrist] = hanging @ fore
        G[hand] = hanging @ about_x(_CURL * (2 * side - 1)) @ fore
    return G


def _sole(motion: str, shank: float, ankle: float) -> float:
    """Pitch of the foot, positive toes up: on the ground it is flat until the heel rises."""
    return shank + ankle if motion == "walk" else 0.0


def placed(joints: np.ndarray, G: np.ndarray) -> np.ndarray:
    """(24, 3) posed joints of rest joints (24, 3), the pelvis kept where it was."""
    posed = joints.copy()
    for j in range(1, len(SMPL_24)):
        posed[j] = posed[SMPL_PARENTS[j]] + G[SMPL_PARENTS[j]] @ (joints[j] - joints[SMPL_PARENTS[j]])
    return posed
