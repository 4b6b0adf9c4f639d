"""What a network sees in pictures and in their mirror images together, which is a little surer than in either."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from models.body_model.points import FLIP_ORDER
from models.hmr.head import JOINTS
from models.hmr.network import Found, HumanMeshNetwork

_MIRROR = torch.tensor([-1.0, 1.0, 1.0])


def look_twice(network: HumanMeshNetwork, image: Tensor, facing: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rotations (N, 24, 3, 3), betas (N, 10), COCO's keypoints (N, 17, 2) and their scores (N, 17) of images
    (N, 3, H, W); facing and keypoints as in `HumanMeshNetwork`."""
    seen = network.find(image, facing)
    again = network.find(image.flip(3), facing * _MIRROR.to(facing))
    rotations = _nearest_rotation(seen.rotations + _turned_back(again.rotations))
    heat = None
    if network.heatmaps is not None and seen.heat is not None and again.heat is not None:
        swapped = network.heatmaps.mirrored(again.heat)[:, FLIP_ORDER.tolist()]
        heat = torch.logaddexp(seen.heat.log_softmax(-1), swapped.log_softmax(-1))
    both: Found = replace(seen, heat=heat)
    return rotations, (seen.beta + again.beta) / 2, *network.keypoints(both)


def _turned_back(rotations: Tensor) -> Tensor:
    """(N, 24, 3, 3) rotations of the mirror images' bodies, mirrored."""
    M = torch.diag(_MIRROR).to(rotations)
    return M @ rotations[:, FLIP_ORDER[:JOINTS].tolist()] @ M


def _nearest_rotation(matrix: Tensor) -> Tensor:
    """(..., 3, 3) the rotations nearest to matrices."""
    U, _, Vh = torch.linalg.svd(matrix.double())
    last = torch.linalg.det(U @ Vh)[..., None]
    U = torch.cat([U[..., :2], U[..., 2:] * last[..., None]], -1)
    return (U @ Vh).to(matrix)
