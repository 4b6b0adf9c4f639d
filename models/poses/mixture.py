"""How likely a body's pose is: a Gaussian mixture over the axis-angle of its 23 joints, radians.

The energy is that of SMPLify (Bogo et al. 2016, "Keep it SMPL", section 3.2): the least negative log likelihood of
the components.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.core.skeletons import SMPL_24

SHIPPED = Path(__file__).with_name("prior.npz")
_ARRAYS = ("weights", "means", "covariances")
_ANGLES = 3 * (len(SMPL_24) - 1)  # all joints but the pelvis


class PosePrior:
    """weights (K,), means (K, 69) radians and covariances (K, 69, 69) of the axis-angle of the 23 body joints."""

    def __init__(self, weights: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> None:
        """Raises ValueError for shapes that do not fit together."""
        if means.ndim != 2 or means.shape[1] != _ANGLES or covariances.shape != (len(weights), _ANGLES, _ANGLES):
            raise ValueError(f"pose prior: expected (K,), (K, 69), (K, 69, 69), got means {means.shape}")
        self.weights, self.means, self.covariances = weights, means, covariances
        whiten = np.linalg.inv(np.linalg.cholesky(covariances))
        constant = -np.log(weights) - np.log(np.diagonal(whiten, axis1=1, axis2=2)).sum(axis=1)
        self._whiten = torch.from_numpy(whiten)  # (K, 69, 69)
        self._means = torch.from_numpy(means)
        self._constant = torch.from_numpy(constant - constant.min())

    def energy(self, theta_body: Tensor) -> Tensor:
        """(N,) of body poses (N, 23, 3), 0 at the very likeliest pose, in units of negative log likelihood.

        Half a squared Mahalanobis distance and the component's own constant; differentiable in theta_body.
        """
        off = theta_body.flatten(1)[:, None] - self._means.to(theta_body)
        whitened = torch.einsum("kij,nkj->nki", self._whiten.to(theta_body), off)
        return (0.5 * whitened.square().sum(-1) + self._constant.to(theta_body)).min(dim=1).values

    def save(self, path: Path) -> None:
        """Write the three arrays as a .npz."""
        np.savez(path, **{name: getattr(self, name).astype(np.float32) for name in _ARRAYS})


@lru_cache(maxsize=1)
def load_prior() -> PosePrior:
    """The prior that ships."""
    with np.load(SHIPPED, allow_pickle=False) as archive:
        return PosePrior(*(archive[name].astype(float) for name in _ARRAYS))
