"""Samples as the network takes them: sample i is a pure function of i."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from models.hmr.shape import fitted_betas
from models.hmr.window import cut, to_sides, windows_of
from models.metrics.keypoints import PCK_FRACTION
from models.poses import sample_poses
from models.synthetic.people_crops import Crop, compose
from models.synthetic.people_shards import BODIES, Library, bodies_of

_REAL = 20_000  # poses that the discriminator is shown as real
# How often motion tells where somebody faces, how far off that is about each axis, and how often it is plainly wrong.
_TOLD, _FACING_SIGMA_RAD, _MISTOLD = 0.6, 0.2, 0.03


def matrices(theta: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) float32 of rotation vectors (..., 3)."""
    flat = theta.reshape(-1, 3).astype(float)
    return np.stack([cv2.Rodrigues(v)[0] for v in flat]).astype(np.float32).reshape(*theta.shape, 3)


def as_sample(crop: Crop, beta: np.ndarray, height_px: int) -> dict[str, Tensor]:
    """One item of a batch, without the real pose; beta (10,) is the body's."""
    window = windows_of(crop.box_xywh[None])[0]
    values = {
        "theta": matrices(crop.theta),
        "beta": beta,
        "points_3d": crop.points_3d,
        "points_2d": to_sides(crop.points_2d, window),
        "radius": PCK_FRACTION * crop.box_xywh[2:].max() / window[2],
        "size": crop.size_px,
    }
    image = torch.from_numpy(cut(crop.image, window, height_px)).permute(2, 0, 1)
    return {"image": image, **{name: torch.from_numpy(np.asarray(v, np.float32)) for name, v in values.items()}}


def told_facing(orientation: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(3,) float32, about where a body of that rotation vector (3,) faces, or zero: how motion would tell it."""
    if rng.uniform() > _TOLD:
        return np.zeros(3, np.float32)
    off = rng.normal(0, _FACING_SIGMA_RAD, 3)
    if rng.uniform() < _MISTOLD:
        off[1] = rng.uniform(-np.pi, np.pi)
    return (cv2.Rodrigues(orientation)[0] @ cv2.Rodrigues(off)[0])[:, 2].astype(np.float32)


class RenderedPeople:
    """Endless crops composed of a library; each comes with a real pose and shape for the discriminator."""

    def __init__(self, library: Library, seed: int, height_px: int) -> None:
        self.library, self.seed, self.height_px = library, seed, height_px
        self.real_theta = sample_poses(np.random.default_rng([seed, 0xADF]), _REAL, "train")[0][:, 1:]
        self.betas, self.real_bodies = fitted_betas(BODIES).astype(np.float32), bodies_of("train")

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, index])
        crop = compose(self.library, rng)
        sample = as_sample(crop, self.betas[crop.body], self.height_px)
        sample["facing"] = torch.from_numpy(told_facing(crop.theta[0], rng))
        pose = matrices(self.real_theta[int(rng.integers(len(self.real_theta)))])
        beta = self.betas[int(rng.choice(self.real_bodies))]
        return sample | {"real_theta": torch.from_numpy(pose), "real_beta": torch.from_numpy(beta.copy())}
