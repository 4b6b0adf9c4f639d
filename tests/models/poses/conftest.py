"""A symmetric stick figure in SMPL's T-pose, x left, y up, z forward, metres: the least body poses can be seen on."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
PAIRS = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]
SOLE_M = 0.06  # from the ankle down, at the heel and at the ball
_LEFT_AND_MIDDLE = {
    1: (0.07, -0.09, 0), 3: (0, 0.12, -0.02), 4: (0, -0.4, 0), 6: (0, 0.13, 0), 7: (0, -0.41, 0), 9: (0, 0.05, 0),
    10: (0, -SOLE_M, 0.13), 12: (0, 0.21, 0), 13: (0.08, 0.11, 0), 15: (0, 0.1, 0.03), 16: (0.1, 0.02, 0),
    18: (0.26, 0, 0), 20: (0.25, 0, 0), 22: (0.09, 0, 0),
}  # fmt: skip
_BONES = np.zeros((24, 3))
for joint, bone in _LEFT_AND_MIDDLE.items():
    _BONES[joint] = bone
    _BONES[PAIRS[joint]] = np.array(bone) * (-1 if joint != PAIRS[joint] else 1, 1, 1)


def _globally(theta):
    """The 24 joints' rotations (N,) in the body's frame, of theta (N, 24, 3)."""
    turned = [Rotation.from_rotvec(theta[:, 0].astype(float))]
    for joint in range(1, 24):
        turned.append(turned[PARENTS[joint]] * Rotation.from_rotvec(theta[:, joint].astype(float)))
    return turned


class Figure:
    pairs = PAIRS

    def posed(self, theta):
        """(N, 24, 3) joints, the pelvis at the origin."""
        turned, joints = _globally(theta), np.zeros(theta.shape)
        for joint in range(1, 24):
            parent = PARENTS[joint]
            joints[:, joint] = joints[:, parent] + turned[parent].apply(_BONES[joint])
        return joints

    def sole_heights(self, theta):
        """(N, 2) lowest of heel and ball of the left and the right foot, relative to the pelvis."""
        turned, joints = _globally(theta), self.posed(theta)
        heels = [joints[:, a, 1] + turned[a].apply((0, -SOLE_M, -0.05))[:, 1] for a in (7, 8)]
        return np.minimum(np.stack(heels, axis=1), joints[:, [10, 11], 1])


@pytest.fixture(scope="session")
def figure():
    return Figure()
