"""PCK@0.1, the fraction of keypoints found within a tenth of the box's longer side of the truth, and its errors."""

from __future__ import annotations

import torch
from torch import Tensor

from models.crops import GROWN, MAP_CELLS, REACH_CELLS
from models.network import counted
from pipeline.core.tables import KEYPOINT_STATES

PCK_FRACTION = 0.1  # of the box's longer side: PCK@0.1


def pck_radius_cells() -> float:
    """Cells of the heatmaps that PCK@0.1 allows in a crop whose square `models.crops.squares_of` grew from its box."""
    return PCK_FRACTION * (MAP_CELLS - 2 * REACH_CELLS) / GROWN


def pck_by_state(distance: Tensor, radius: Tensor, state: Tensor) -> dict[str, Tensor]:
    """Counts of keypoints within a radius (N,) of their truth, "pck" of all and "pck_<state>" of each state.

    distance (N, K), NaN where the truth is not known; state (N, K) index of KEYPOINT_STATES, -1 where unknown.
    """
    known, right = ~torch.isnan(distance), distance <= radius[:, None]
    by_state = {f"pck_{name}": known & (state == index) for index, name in enumerate(KEYPOINT_STATES)}
    return {name: counted(right, among) for name, among in {"pck": known, **by_state}.items()}


def box_error(xy: Tensor, true: Tensor, aspect: Tensor) -> Tensor:
    """(N, K) distances as fractions of the boxes' longer sides, as PCK takes them.

    xy and true (N, K, 2): in each box's frame, whose edges are at -1 and 1; aspect (N,): its width / height.
    """
    sides = torch.stack([aspect.clamp(max=1), (1 / aspect).clamp(max=1)], -1)
    return 0.5 * ((xy - true) * sides[:, None]).norm(dim=-1)


def joint_similarity(xy: Tensor, target: Tensor, area: Tensor, sigmas: Tensor) -> tuple[Tensor, Tensor]:
    """Of poses and true ones (N, K, 2), both in px, and areas (N,) px: (N, K) the terms whose mean over labelled joints
    is OKS, 0 where the truth is NaN, and which are labelled."""
    labelled = target.isfinite().all(-1)
    squared = torch.where(labelled[..., None], xy - target, 0.0).square().sum(-1)
    variance = 2 * (2 * sigmas).square() * area[:, None].clamp_min(1e-9)
    return (labelled * torch.exp(-squared / variance)).float(), labelled
