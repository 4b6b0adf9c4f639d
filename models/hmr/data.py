"""Samples as the network takes them: sample i is a pure function of i.

Training and validation share neither bodies nor poses nor the vehicles around them: `models.synthetic.people_shards`
renders each from its own.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from models.body_model import load_body
from models.body_model.rest import SMPL_FROM_PERSON, t_pose
from models.contract import Given, Splits
from models.crops import PERSON_ASPECT, crop_square, squares_of
from models.hmr import MeshSettings
from models.metrics.keypoints import PCK_FRACTION
from models.poses import sample_poses
from models.synthetic.people_crops import PersonCrop, compose_person
from models.synthetic.people_shards import BODIES, PeopleLibrary, bodies_of, read_people
from models.synthetic.vehicle_shards import read_backdrops
from pipeline.core.skeletons import SMPL_24
from pipeline.simulate.people.gait import placed
from pipeline.simulate.people.person import body_count, rest_joints

_REAL = 20_000  # poses that the discriminator is shown as real
# How often motion knows where somebody faces, how far off that is about each axis, and how often it is plainly wrong.
_KNOWN, _FACING_SIGMA_RAD, _WRONG = 0.6, 0.2, 0.03
_BETAS = 10
_RIDGE_M = 0.004  # a beta of one costs as much as joints this far off


def splits(settings: MeshSettings, given: Given, seed: int) -> Splits:
    """Of rendered people; nobody labels poses by hand.

    Pictures in the folder `backdrops`, empty streets best, stand behind people beside the procedural ones. Raises
    ValueError for backdrops that cannot be read, and FileNotFoundError where nothing was rendered.
    """
    if given.data is None:
        raise ValueError("hmr: expected rendered people, got none")
    library, height = read_people(given.data, "train"), settings.backbone.height_px
    if given.backdrops is not None:
        library = replace(library, backdrops=[*library.backdrops, *read_backdrops(given.backdrops)])
    val = RenderedPeople(read_people(given.data, "val"), seed + 1, height)
    return Splits(RenderedPeople(library, seed, height), val)


def matrices(theta: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) float32 of rotation vectors (..., 3)."""
    flat = Rotation.from_rotvec(theta.reshape(-1, 3).astype(float)).as_matrix()
    return flat.astype(np.float32).reshape(*theta.shape, 3)


def person_sample(crop: PersonCrop, beta: np.ndarray, height_px: int) -> dict[str, Tensor]:
    """One item of a batch, without the facing and the real pose; beta (10,) is the body's."""
    square = squares_of(crop.box_xywh[None], PERSON_ASPECT)[0]
    left, top, side = square
    values = {
        "theta": matrices(crop.theta),
        "beta": beta,
        "points_3d": crop.points_3d,
        "points_2d": (crop.points_2d - [left, top]) / side - 0.5,
        "radius": PCK_FRACTION * crop.box_xywh[2:].max() / side,
        "size": crop.size_px,
    }
    image = torch.from_numpy(crop_square(crop.image, square, height_px, PERSON_ASPECT)).permute(2, 0, 1)
    return {"image": image, **{name: torch.from_numpy(np.asarray(v, np.float32)) for name, v in values.items()}}


def known_facing(orientation: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(3,) float32, about where a body of that rotation vector (3,) faces, or zero: as motion would know it."""
    if rng.uniform() > _KNOWN:
        return np.zeros(3, np.float32)
    off = rng.normal(0, _FACING_SIGMA_RAD, 3)
    if rng.uniform() < _WRONG:
        off[1] = rng.uniform(-np.pi, np.pi)
    return (Rotation.from_rotvec(orientation) * Rotation.from_rotvec(off)).as_matrix()[:, 2].astype(np.float32)


class RenderedPeople:
    """Endless crops composed of a library; each comes with a real pose and shape for the discriminator."""

    def __init__(self, library: PeopleLibrary, seed: int, height_px: int) -> None:
        self.library, self.seed, self.height_px = library, seed, height_px
        self.real_theta = sample_poses(np.random.default_rng([seed, 0xADF]), _REAL, "train")[0][:, 1:]
        self.betas, self.real_bodies = fitted_betas(BODIES).astype(np.float32), bodies_of("train")

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, index])
        crop = compose_person(self.library, rng)
        sample = person_sample(crop, self.betas[crop.body], self.height_px)
        sample["facing"] = torch.from_numpy(known_facing(crop.theta[0], rng))
        pose = matrices(self.real_theta[int(rng.integers(len(self.real_theta)))])
        beta = self.betas[int(rng.choice(self.real_bodies))]
        return sample | {"real_theta": torch.from_numpy(pose), "real_beta": torch.from_numpy(beta.copy())}


@lru_cache(maxsize=4)
def fitted_betas(baked: Path) -> np.ndarray:
    """(B, 10) betas of a file's bodies: the least-squares ones whose T-pose has their joints."""
    mean, directions = _joint_shapes()
    known = np.stack([_t_joints(rest_joints(body, baked)) for body in range(body_count(baked))])
    A = np.vstack([directions, _RIDGE_M * np.eye(_BETAS)])
    b = np.vstack([(known - mean).T, np.zeros((_BETAS, len(known)))])
    return np.linalg.lstsq(A, b, rcond=None)[0].T


def _t_joints(joints: np.ndarray) -> np.ndarray:
    """(72,) joints of a simulated body in SMPL's T-pose and axes, from the pelvis."""
    posed = placed(joints, t_pose(joints)) @ SMPL_FROM_PERSON.T
    return (posed - posed[0]).reshape(-1)


def _joint_shapes() -> tuple[np.ndarray, np.ndarray]:
    """(72,) mean joints of the body model from the pelvis, and (72, 10) what each beta adds."""
    betas = torch.cat([torch.zeros(1, _BETAS), torch.eye(_BETAS)]).double()
    joints, _ = load_body().joints_only(torch.zeros(len(betas), len(SMPL_24), 3, dtype=torch.float64), betas)
    flat = (joints - joints[:, :1]).flatten(1).numpy()
    return flat[0], (flat[1:] - flat[0]).T
