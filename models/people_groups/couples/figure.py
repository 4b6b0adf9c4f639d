"""A dressed body in a pose at a place: its joints and skin, arms that reach, hands laid flat, bones pushed aside.

World: metres, z up, the ground at 0. A figure's own frame is a person's: x forward, y left, z up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.spatial.transform import Rotation

from models.body_model.rest import global_from_theta
from models.poses.angles import Angles, theta_of
from pipeline.core.mesh import Mesh
from pipeline.core.skeletons import SMPL_24, SMPL_PARENTS
from pipeline.simulate.people.gait import ARMS, about_z, turning
from pipeline.simulate.people.person import Person, in_pose, rest_joints, skin_triangles, standing

_CHILDREN = [[j for j in range(len(SMPL_24)) if SMPL_PARENTS[j] == k] for k in range(len(SMPL_24))]
_REACH = 0.995  # of an arm's length: an elbow is never quite straight
_TWIST = np.radians(80)  # of the forearm, as joint limits have it
_DOWN = np.array([0.0, 0, -1])


def below(joint: int) -> list[int]:
    """The joint and all that it carries."""
    return [joint, *(k for child in _CHILDREN[joint] for k in below(child))]


@dataclass(frozen=True)
class Figure:
    """person in a pose G (24, 3, 3), global rotations of the figure's own frame; yaw_rad, to the left, and t (3,)
    metres take that frame, whose origin is the ground below the pelvis, into the world."""

    person: Person
    G: np.ndarray
    yaw_rad: float
    t: np.ndarray

    @staticmethod
    def of(person: Person, angles: Angles, yaw_rad: float, t: np.ndarray) -> Figure:
        """From the angles of one person."""
        G = global_from_theta(theta_of(angles)[0], rest_joints(person.body, person.baked))
        return Figure(person, G, yaw_rad, np.asarray(t, float))

    @cached_property
    def R(self) -> np.ndarray:
        """(3, 3) world from own frame."""
        return about_z(self.yaw_rad)

    @cached_property
    def rest(self) -> np.ndarray:
        """(24, 3) joints at rest."""
        return rest_joints(self.person.body, self.person.baked)

    @cached_property
    def _own(self) -> tuple[np.ndarray, np.ndarray]:
        return standing(self.person, self.G)

    @cached_property
    def joints(self) -> np.ndarray:
        """(24, 3) in the world."""
        return self.to_world(self._own[0])

    @cached_property
    def vertices(self) -> np.ndarray:
        """(V, 3) of the skin, dressed, in the world."""
        return self.to_world(self._own[1])

    @cached_property
    def triangles(self) -> np.ndarray:
        """(T, 3) of the skin."""
        return skin_triangles(self.person.baked)[0]

    @cached_property
    def carriers(self) -> np.ndarray:
        """(V,) of each vertex of the skin the joint that carries most of it."""
        return skin_triangles(self.person.baked)[1]

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) of the own frame in the world."""
        return points @ self.R.T + self.t

    def to_own(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) of the world in the own frame."""
        return (points - self.t) @ self.R

    def moved(self, by: np.ndarray) -> Figure:
        """The figure, shifted by (3,) metres."""
        return replace(self, t=self.t + by)

    def dressed(self) -> tuple[Mesh, np.ndarray, np.ndarray]:
        """Mesh with all that is worn, joints (24, 3) and COCO's keypoints (17, 3), in the world."""
        mesh, joints, keypoints = in_pose(self.person, self.G)
        return mesh.moved(self.R, self.t), self.to_world(joints), self.to_world(keypoints)

    def bone(self, joint: int) -> np.ndarray:
        """(3,) metres of the world from a joint to its first child."""
        return self.R @ self.G[joint] @ (self.rest[_CHILDREN[joint][0]] - self.rest[joint])

    def turned(self, joint: int, rotation: np.ndarray) -> Figure:
        """The figure with a bone and all that it carries turned by (3, 3) of the world."""
        G = self.G.copy()
        G[below(joint)] = self.R.T @ rotation @ self.R @ G[below(joint)]
        return replace(self, G=G)

    def reaching(self, side: int, target: np.ndarray, elbow_towards: np.ndarray) -> Figure:
        """The wrist of the left (0) or right (1) arm at a target (3,), or as near as the arm is long.

        The elbow lies off the line from shoulder to target in the direction elbow_towards (3,).
        """
        _, shoulder, elbow, wrist, _ = ARMS[side]
        upper, fore = (np.linalg.norm(self.rest[b] - self.rest[a]) for a, b in ((shoulder, elbow), (elbow, wrist)))
        start = self.joints[shoulder]
        away = target - start
        distance = np.clip(np.linalg.norm(away), abs(upper - fore) + 0.05, _REACH * (upper + fore))
        along = away / max(np.linalg.norm(away), 1e-9)
        off = elbow_towards - (elbow_towards @ along) * along
        off /= max(np.linalg.norm(off), 1e-9)
        foot = (upper**2 - fore**2 + distance**2) / (2 * distance)
        middle = foot * along + np.sqrt(max(upper**2 - foot**2, 0)) * off
        bent = self.turned(shoulder, turning(self.bone(shoulder), middle))
        return bent.turned(elbow, turning(bent.bone(elbow), distance * along - middle))

    def palm(self, side: int) -> np.ndarray:
        """(3,) the direction of the world that a palm faces: downwards in the rest body, whose arms are held out."""
        wrist, hand = ARMS[side][3:]
        return self.R @ self.G[wrist] @ _palm_at_rest(self.rest[hand] - self.rest[wrist])

    def with_palm(self, side: int, facing: np.ndarray) -> Figure:
        """The hand laid flat so that its palm faces a direction (3,); the forearm turns with it, as far as it can."""
        _, _, elbow, wrist, _ = ARMS[side]
        fore = self.bone(elbow) / np.linalg.norm(self.bone(elbow))
        facing = facing / np.linalg.norm(facing)
        flat = fore - (fore @ facing) * facing
        if np.linalg.norm(flat) < 0.35:  # the forearm meets the surface head on: there is a fist, not a palm, on it
            return self
        flat /= np.linalg.norm(flat)
        along = 0.55 * fore + 0.45 * flat  # a wrist bends less than it would have to
        along /= np.linalg.norm(along)
        across = facing - (facing @ fore) * fore
        now = self.palm(side) - (self.palm(side) @ fore) * fore
        twist = np.arctan2(np.cross(now, across) @ fore, now @ across)
        twist = float(np.clip(twist, -_TWIST, _TWIST))
        figure = self.turned(elbow, Rotation.from_rotvec(0.6 * twist * fore).as_matrix())
        figure = figure.turned(wrist, Rotation.from_rotvec(0.4 * twist * fore).as_matrix())
        return figure.turned(wrist, turning(figure.bone(wrist), along))


def _palm_at_rest(hand: np.ndarray) -> np.ndarray:
    """(3,) perpendicular to a hand (3,) that is held out, downwards."""
    along = hand / np.linalg.norm(hand)
    normal = _DOWN - (_DOWN @ along) * along
    return normal / np.linalg.norm(normal)
