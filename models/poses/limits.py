"""How far SMPL's joints turn, as a box on the axis-angle of each, and a pose's mirror image.

SMPL's frame: x to the body's left, y up, z forward, T-pose at rest; theta (N, 24, 3) is axis-angle in radians.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.skeletons import SMPL_24

_MIRRORED = np.array([1, -1, -1])

# Degrees about x, y, z of the left and the middle joints by SMPL index. American Academy of Orthopaedic Surgeons,
# "Joint Motion: Method of Measuring and Recording", 1965: hip 120 flexion, 30 extension, 45 abduction, 30 adduction,
# 45 rotation; knee 135; ankle 20 up, 50 down, 35 in, 15 out; first toe 70 up, 45 down; thoracolumbar spine 80 forward,
# 25 back, 35 to a side, 45 rotation, a third for each of its three joints; neck 45, 45, 60, half for each of two;
# shoulder 180 abduction, 135 across, 60 back, 70 and 90 rotation (120 about x, for an arm raised forward turns about it
# too); elbow 150; forearm 80 each way; wrist 80, 70, 20, 30.
# The collarbone rises 30 (Inman et al. 1944, "Observations on the function of the shoulder joint"). What those sources
# call no movement gets 10 or less here, for a turn about an oblique axis has small parts about the others.
_DEGREES = {
    1: ((-120, 30), (-45, 45), (-30, 45)),
    4: ((0, 135), (-10, 10), (-10, 10)),
    7: ((-20, 50), (-10, 10), (-35, 15)),
    10: ((-70, 45), (-5, 5), (-5, 5)),
    3: ((-25 / 3, 80 / 3), (-15, 15), (-35 / 3, 35 / 3)),
    12: ((-22.5, 22.5), (-30, 30), (-22.5, 22.5)),
    13: ((-10, 10), (-20, 20), (-10, 30)),
    16: ((-120, 70), (-135, 60), (-90, 90)),
    18: ((-80, 80), (-150, 0), (-60, 60)),
    20: ((-10, 10), (-20, 30), (-80, 70)),
    22: ((-5, 5), (-5, 5), (-20, 5)),
}
_SAME = {6: 3, 9: 3, 15: 12}


def joint_limits() -> tuple[np.ndarray, np.ndarray]:
    """(low, high), each (23, 3) float32 radians, of the axis-angle of every joint but the pelvis."""
    limits = np.zeros((len(SMPL_24), 3, 2))
    for joint in range(1, len(SMPL_24)):
        of_left = _DEGREES.get(_SAME.get(joint, joint))
        if of_left is not None:
            limits[joint] = of_left
        else:  # a right joint: what is low about y and z on the left is high here
            x, *others = _DEGREES[SMPL_24.flip[joint]]
            limits[joint] = [x, *((-high, -low) for low, high in others)]
    low, high = np.moveaxis(np.radians(limits[1:]).astype(np.float32), 2, 0)
    return low, high


def mirror(theta: np.ndarray) -> np.ndarray:
    """The poses (..., 24, 3) with left and right exchanged: every joint lands where its partner was, x negated."""
    return theta[..., list(SMPL_24.flip), :] * _MIRRORED.astype(theta.dtype)
