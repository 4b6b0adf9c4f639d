"""People of the simulated street: bodies baked from anny, dressed, and posed by a gait.

Person frame: origin on the ground under the pelvis, x forward, y left, z up, metres; the lowest point touches z = 0.
Joints are SMPL's 24, keypoints COCO's 17.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipeline.simulate import gait
from pipeline.simulate.mesh import Mesh

MOTIONS = ("walk", "stand", "turn")
_FILE = Path(__file__).with_name("people.npz")
_QUANTUM_M = 1e-4

# Which joints' skin a garment covers, and by how much it stands off, metres.
_TORSO, _HIPS, _THIGHS, _SHANKS, _FEET = (3, 6, 9, 13, 14), (0,), (1, 2), (4, 5), (7, 8, 10, 11)
_UPPER_ARMS, _FOREARMS, _HEAD = (16, 17), (18, 19), (15,)

# Linear RGB of everyday clothes, skin and hair; first come the common ones (draws are geometric).
_CLOTH = np.array(
    [
        (0.02, 0.02, 0.025), (0.05, 0.06, 0.10), (0.14, 0.14, 0.15), (0.60, 0.60, 0.58), (0.03, 0.05, 0.14),
        (0.32, 0.31, 0.29), (0.12, 0.08, 0.05), (0.38, 0.30, 0.20), (0.35, 0.04, 0.04), (0.08, 0.13, 0.07),
        (0.12, 0.25, 0.45), (0.55, 0.42, 0.08), (0.45, 0.16, 0.22), (0.60, 0.22, 0.06),
    ]
)  # fmt: skip
_SKIN = np.array([(0.55, 0.35, 0.26), (0.45, 0.27, 0.18), (0.30, 0.17, 0.10), (0.16, 0.085, 0.05), (0.62, 0.42, 0.33)])
_HAIR = np.array(
    [(0.015, 0.012, 0.01), (0.05, 0.03, 0.018), (0.14, 0.08, 0.04), (0.35, 0.25, 0.12), (0.38, 0.37, 0.36)]
)


@dataclass(frozen=True)
class Outfit:
    """What a person wears; colours are linear RGB."""

    top: tuple[float, float, float]
    bottom: tuple[float, float, float]
    shoes: tuple[float, float, float]
    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    sleeves: str  # long | short
    legs: str  # trousers | shorts | skirt | coat
    hair_style: str  # short | long | hat
    bag: str  # none | backpack | handbag


@dataclass(frozen=True)
class Person:
    """body indexes the baked bodies; arms are extra elbow bends (left, right) in radians."""

    body: int
    outfit: Outfit
    height_m: float
    arms: tuple[float, float]
    stride: float


@dataclass(frozen=True)
class _Bodies:
    vertices: np.ndarray  # (B, V, 3) metres
    joints: np.ndarray  # (B, 24, 3)
    eyes: np.ndarray  # (B, 2, 3)
    triangles: np.ndarray  # (T, 3)
    weight_joints: np.ndarray  # (V, 4)
    weights: np.ndarray  # (V, 4), rows sum to 1
    sex: np.ndarray  # (B,) 0 man to 1 woman
    normals: np.ndarray  # (B, V, 3)

    @property
    def main_joint(self) -> np.ndarray:
        return self.weight_joints[:, 0]


@lru_cache(maxsize=1)
def _bodies() -> _Bodies:
    with np.load(_FILE) as data:
        vertices = data["vertices"].astype(np.float32) * _QUANTUM_M
        triangles = data["triangles"].astype(np.int32)
        weights = data["weights"].astype(np.float32)
        normals = np.stack([_vertex_normals(v, triangles) for v in vertices])
        return _Bodies(
            vertices,
            data["joints"] * _QUANTUM_M,
            data["eyes"] * _QUANTUM_M,
            triangles,
            data["weight_joints"].astype(np.int64),
            weights / weights.sum(axis=1, keepdims=True),
            data["sex"].astype(float),
            normals,
        )


def _vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    face = np.cross(b - a, c - a)
    summed = np.zeros_like(vertices)
    for i in range(3):
        np.add.at(summed, triangles[:, i], face)
    return summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12)


def make_person(seed: int) -> Person:
    """A person of the baked bodies in an outfit, both drawn from the seed."""
    rng = np.random.default_rng([seed, 0x9E0])
    bodies = _bodies()
    # Children are the last four bodies and one in ten of the people.
    adult = rng.random() < 0.9
    body = int(rng.integers(16)) if adult else int(rng.integers(16, len(bodies.sex)))
    woman = bodies.sex[body] > 0.5
    height = float(bodies.vertices[body, :, 2].max())
    one_bent = [(0.0, 0.0), (1.4, 0.0), (0.0, 1.4), (1.2, 1.2)]
    arms = one_bent[int(rng.choice(4, p=[0.72, 0.1, 0.1, 0.08]))]
    return Person(body, _make_outfit(rng, bool(woman), adult), height, arms, float(rng.uniform(0.85, 1.08)))


def _make_outfit(rng: np.random.Generator, woman: bool, adult: bool) -> Outfit:
    def colour(palette: np.ndarray, ratio: float) -> tuple[float, float, float]:
        number = min(int(rng.geometric(ratio)) - 1, len(palette) - 1)
        shade = palette[number] * rng.uniform(0.75, 1.3) * rng.uniform(0.93, 1.07, 3)
        return tuple(float(c) for c in np.clip(shade, 0.01, 0.85))

    legs = rng.choice(
        ["trousers", "shorts", "skirt", "coat"], p=[0.6, 0.08, 0.17, 0.15] if woman else [0.74, 0.12, 0.0, 0.14]
    )
    styles = [0.25, 0.65, 0.10] if woman else [0.80, 0.04, 0.16]
    bags = [0.55, 0.15, 0.30] if woman else [0.74, 0.22, 0.04]
    return Outfit(
        top=colour(_CLOTH, 0.13),
        bottom=colour(_CLOTH, 0.28),
        shoes=colour(_CLOTH, 0.40),
        skin=colour(_SKIN, 0.35),
        hair=colour(_HAIR, 0.35),
        sleeves="long" if legs == "coat" or rng.random() < 0.65 else "short",
        legs=str(legs),
        hair_style=str(rng.choice(["short", "long", "hat"], p=styles)),
        bag=str(rng.choice(["none", "backpack", "handbag"], p=bags)) if adult else "none",
    )


@lru_cache(maxsize=256)
def _walk_cycle(body: int, stride: float) -> tuple[float, np.ndarray]:
    """Stride length, metres, and the pelvis's forward offset at 64 phases that keeps the planted foot in its place."""
    joints = _bodies().joints[body]
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
    return _walk_cycle(person.body, person.stride)[0]


def _posed(person: Person, motion: str, phase: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """G (24, 3, 3), joints (24, 3) and skinned bare vertices (V, 3), standing on z = 0."""
    joints = _bodies().joints[person.body]
    G = gait.pose(joints, motion, phase, person.arms, person.stride)
    posed = gait.placed(joints, G)
    vertices = _skinned(_dressed(person), joints, G, posed)
    shift = np.array([-posed[0, 0], -posed[0, 1], -vertices[:, 2].min()])
    if motion == "walk":
        offset = _walk_cycle(person.body, person.stride)[1]
        shift[0] += np.interp(phase % 1.0, np.arange(65) / 64, np.r_[offset, offset[0]])
    return G, posed + shift, vertices + shift


def _skinned(rest: np.ndarray, joints: np.ndarray, G: np.ndarray, posed: np.ndarray) -> np.ndarray:
    """Linear blend skinning of rest vertices (V, 3)."""
    bodies = _bodies()
    t = posed - np.einsum("jik,jk->ji", G, joints)
    R_blend = np.einsum("vk,vkij->vij", bodies.weights, G[bodies.weight_joints])
    t_blend = np.einsum("vk,vki->vi", bodies.weights, t[bodies.weight_joints])
    return np.einsum("vij,vj->vi", R_blend, rest) + t_blend


@lru_cache(maxsize=512)
def _dressed(person: Person) -> np.ndarray:
    """(V, 3) rest vertices moved out along their normals by the clothes over them."""
    bodies, outfit = _bodies(), person.outfit
    rest = bodies.vertices[person.body]
    cover = np.zeros(24)
    cover[list(_TORSO + _UPPER_ARMS)] = 0.022 if outfit.legs == "coat" else 0.012
    cover[list(_FOREARMS)] = 0.016 if outfit.sleeves == "long" else 0.0
    cover[list(_HIPS + _THIGHS)] = 0.014
    cover[list(_SHANKS)] = 0.018 if outfit.legs in ("trousers", "coat") else 0.0
    cover[list(_FEET)] = 0.010
    off = (cover[bodies.weight_joints] * bodies.weights).sum(axis=1)
    off = off + _hair_mask(person, rest) * {"short": 0.018, "long": 0.028, "hat": 0.03}[outfit.hair_style]
    return rest + bodies.normals[person.body] * off[:, None]


def _hair_mask(person: Person, rest: np.ndarray) -> np.ndarray:
    """(V,) 1 where hair or a hat covers the head: above the brow, and behind the ears down to the neck."""
    bodies = _bodies()
    eyes, head = bodies.eyes[person.body].mean(axis=0), bodies.joints[person.body, 15]
    on_head = np.isin(bodies.main_joint, (*_HEAD, 12))
    tall = rest[:, 2].max() - head[2]
    brow = eyes[2] + 0.16 * tall
    behind = rest[:, 0] < head[0] + 0.1 * tall
    nape = head[2] + (0.05 if person.outfit.hair_style != "long" else -0.35) * tall
    return (on_head & ((rest[:, 2] > brow) | (behind & (rest[:, 2] > nape)))).astype(np.float32)


@lru_cache(maxsize=512)
def _colours(person: Person) -> np.ndarray:
    """(T, 3) albedo of the body's triangles."""
    bodies, outfit = _bodies(), person.outfit
    by_joint = np.tile(np.array(outfit.skin), (24, 1))
    by_joint[list(_TORSO + _UPPER_ARMS)] = outfit.top
    if outfit.sleeves == "long":
        by_joint[list(_FOREARMS)] = outfit.top
    by_joint[list(_HIPS)] = outfit.bottom
    if outfit.legs != "skirt":
        by_joint[list(_THIGHS)] = outfit.bottom
    if outfit.legs in ("trousers", "coat"):
        by_joint[list(_SHANKS)] = outfit.bottom
    by_joint[list(_FEET)] = outfit.shoes
    corner = by_joint[bodies.main_joint]
    hair = _hair_mask(person, bodies.vertices[person.body]) > 0
    corner[hair] = outfit.top if outfit.hair_style == "hat" else outfit.hair
    # A triangle takes the colour of its middle corner by height, so that hems are level.
    middle = np.argsort(bodies.vertices[person.body][bodies.triangles][..., 2], axis=1)[:, 1]
    return corner[bodies.triangles[np.arange(len(bodies.triangles)), middle]].astype(np.float32)


def person_joints(person: Person, motion: str, phase: float) -> np.ndarray:
    """(24, 3) SMPL joints, metres, person frame."""
    return _posed(person, motion, phase)[1]


def coco17_keypoints(person: Person, motion: str, phase: float) -> np.ndarray:
    """(17, 3) COCO keypoints, metres, person frame."""
    bodies = _bodies()
    G, joints, _ = _posed(person, motion, phase)
    rest_head, rest_eyes = bodies.joints[person.body, 15], bodies.eyes[person.body]
    apart = rest_eyes[0, 1] - rest_eyes[1, 1]
    middle = rest_eyes.mean(axis=0)
    nose = middle + np.array([0.35, 0, -0.75]) * apart
    ears = middle + np.array([[-1.3, 1.15, -0.4], [-1.3, -1.15, -0.4]]) * apart
    face = np.vstack([nose, rest_eyes, ears])
    face = (face - rest_head) @ G[15].T + joints[15]
    return np.vstack([face, joints[[16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8]]])


def person_mesh(person: Person, motion: str, phase: float) -> Mesh:
    """The dressed person at a phase of a motion."""
    bodies = _bodies()
    G, joints, vertices = _posed(person, motion, phase)
    vertices = vertices.astype(np.float32)
    normals = _vertex_normals(vertices, bodies.triangles)[bodies.triangles]
    count = len(bodies.triangles)
    body = Mesh(
        vertices,
        bodies.triangles,
        normals.astype(np.float32),
        _colours(person),
        np.zeros(count, np.float32),
        np.zeros(count, np.uint8),
    )
    return Mesh.concat([body, *_extras(person, G, joints)])


def _extras(person: Person, G: np.ndarray, joints: np.ndarray) -> list[Mesh]:
    """Skirt or coat hem, bag."""
    outfit, parts = person.outfit, []
    scale = person.height_m / 1.75
    if outfit.legs == "skirt":
        parts.append(_hem(joints, outfit.bottom, drop=0.95, scale=scale))
    if outfit.legs == "coat":
        parts.append(_hem(joints, outfit.top, drop=0.75, scale=scale))
    if outfit.bag == "backpack":
        centre = joints[9] + G[9] @ (np.array([-0.15, 0, 0.0]) * scale)
        parts.append(_sack(np.array([0.15, 0.28, 0.40]) * scale, outfit.shoes).moved(G[9], centre))
    if outfit.bag == "handbag":
        centre = joints[21] + np.array([0.0, -0.05, -0.28]) * scale
        parts.append(_sack(np.array([0.30, 0.11, 0.24]) * scale, outfit.shoes).moved(np.eye(3), centre))
    return parts


def _hem(joints: np.ndarray, colour: tuple[float, float, float], *, drop: float, scale: float) -> Mesh:
    """A cone of cloth from the waist around both legs; drop 1 reaches the knees."""
    waist = joints[[1, 2]].mean(axis=0) + np.array([0, 0, 0.12 * scale])
    around = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    circle = np.stack([np.cos(around), np.sin(around)], axis=1)
    rings = []
    for share in (0.0, 0.3, 0.65, 1.0):
        legs = np.stack([joints[h] + (joints[k] - joints[h]) * share * drop for h, k in ((1, 4), (2, 5))])
        low, high = legs[:, :2].min(axis=0), legs[:, :2].max(axis=0)
        half = (high - low) / 2 + np.array([0.145 + 0.015 * share, 0.105 + 0.02 * share]) * scale
        z = waist[2] + (legs[:, 2].mean() - waist[2]) * share
        rings.append(np.c_[circle * half + (low + high) / 2, np.full(16, z)])
    index = np.arange(48).reshape(3, 16)
    right = (index + 1) % 16 + (index // 16) * 16
    quads = np.stack([index, right, right + 16, index, right + 16, index + 16], axis=-1)
    return Mesh.build(np.concatenate(rings), quads.reshape(-1, 3), colour, smooth_deg=70)


def _sack(size: np.ndarray, colour: tuple[float, float, float]) -> Mesh:
    """A rounded box of a bag, its centre at the origin."""
    u, v = np.meshgrid(np.linspace(0, 2 * np.pi, 12, endpoint=False), np.linspace(-np.pi / 2, np.pi / 2, 7))
    ball = np.stack([np.cos(v) * np.cos(u), np.cos(v) * np.sin(u), np.sin(v)], axis=-1)
    vertices = (np.sign(ball) * np.abs(ball) ** 0.45).reshape(-1, 3) * size / 2
    index = np.arange(72).reshape(6, 12)
    right = (index + 1) % 12 + (index // 12) * 12
    quads = np.stack([index, right, right + 12, index, right + 12, index + 12], axis=-1).reshape(-1, 3)
    corners = vertices[quads]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    return Mesh.build(vertices, quads[area > 1e-9], colour, smooth_deg=60)
