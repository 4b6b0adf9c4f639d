"""From poses of the simulated people to SMPL's theta and back: the T-pose, and which way the axes point.

Simulated people (pipeline.simulate.people.person): x forward, y left, z up, at rest with the arms held out; a pose is
one global rotation a joint, G (24, 3, 3). SMPL: x left, y up, z forward, at rest in the T-pose; a pose is theta (24,
3), axis-angle in radians relative to the parent joint.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from pipeline.core.skeletons import SMPL_24, SMPL_PARENTS

# SMPL's axes in the person frame: rows are left, up and forward.
SMPL_FROM_PERSON = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
_DOWN = np.array([0.0, 0, -1])
# Each bone that the T-pose straightens: the joints at its ends, and those that turn with it.
_LEGS = (((1, 4), (1,)), ((4, 7), (4,)), ((2, 5), (2,)), ((5, 8), (5,)))
_ARMS = (((16, 18), (16,)), ((18, 20), (18, 20, 22)), ((17, 19), (17,)), ((19, 21), (19, 21, 23)))


def t_pose(joints: np.ndarray) -> np.ndarray:
    """G (24, 3, 3) that brings a simulated body with rest joints (24, 3) into SMPL's T-pose.

    Arms point to the sides and legs straight down; trunk, head and soles stay as they are.
    """
    G = np.tile(np.eye(3), (len(SMPL_24), 1, 1))
    for bones, sideways in ((_LEGS, False), (_ARMS, True)):
        for (near, far), turned in bones:
            to = np.array([0.0, np.sign(joints[near, 1]), 0]) if sideways else _DOWN
            G[list(turned)] = _least_rotation(joints[far] - joints[near], to)
    return G


def global_from_theta(theta: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """G (24, 3, 3) of theta (24, 3) for a simulated body with rest joints (24, 3); no orientation faces x forward."""
    local = Rotation.from_rotvec(theta).as_matrix()
    turned = local.copy()
    for joint in range(1, len(SMPL_24)):
        turned[joint] = turned[SMPL_PARENTS[joint]] @ local[joint]
    return SMPL_FROM_PERSON.T @ turned @ SMPL_FROM_PERSON @ t_pose(joints)


def theta_from_global(G: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """theta (24, 3) of G (24, 3, 3): the inverse of `global_from_theta`."""
    turned = SMPL_FROM_PERSON @ G @ t_pose(joints).transpose(0, 2, 1) @ SMPL_FROM_PERSON.T
    local = turned.copy()
    for joint in range(1, len(SMPL_24)):
        local[joint] = turned[SMPL_PARENTS[joint]].T @ turned[joint]
    return Rotation.from_matrix(local).as_rotvec()


def _least_rotation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(3, 3) least rotation that turns direction a (3,) onto the unit vector b (3,)."""
    return Rotation.align_vectors(b[None], a[None] / np.linalg.norm(a))[0].as_matrix()
