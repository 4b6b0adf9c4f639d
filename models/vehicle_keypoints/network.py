"""A small residual U-Net from a vehicle's crop to twelve heatmaps and, for each keypoint, its four states.

Images are RGB, (N, 3, 128, 128). The heatmaps reach beyond the crop, so that points the picture truncates have a place.
State features are read under the heatmap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.crops import INPUT_PX, MAP_CELLS, REACH_CELLS, crop_square, from_cells, px_per_cell, squares_of
from models.frames import Frame
from models.layers import heatmaps
from models.layers.unet import ResidualUNet, scaled
from models.metrics.keypoints import pck_by_state, pck_radius_cells
from models.network import Batch, Network, counted
from models.vehicle_keypoints import KeypointSettings
from pipeline.core.instances import Instances
from pipeline.core.skeletons import VEHICLE_12
from pipeline.core.tables import KEYPOINT_STATES

KEYPOINTS, STATES = len(VEHICLE_12), len(KEYPOINT_STATES)
_STATE_WEIGHT = 0.5
_HIDDEN = 64  # channels between the features and a keypoint's states


class Maps(NamedTuple):
    """heat (N, 12, 40, 40) and state (N, 12, 4), both logits."""

    heat: Tensor
    state: Tensor


class KeypointNetwork(ResidualUNet, Network):
    """A batch holds image (N, 3, 128, 128) uint8 RGB, cells (N, 12, 2) heatmap coordinates, NaN where unknown, state
    (N, 12) int64 index of KEYPOINT_STATES, -1 where unknown, and radius (N,), the cells of PCK@0.1."""

    required: ClassVar = {
        "image": (3, INPUT_PX, INPUT_PX), "cells": (KEYPOINTS, 2), "state": (KEYPOINTS,), "radius": (),
    }  # fmt: skip

    def __init__(self, settings: KeypointSettings) -> None:
        super().__init__(settings.width, settings.blocks, REACH_CELLS)
        self.settings, widths = settings, self.widths
        self.heat = nn.Conv2d(widths[0], KEYPOINTS, 3, 1, 1)
        out = KEYPOINTS * STATES
        self.state = nn.Sequential(
            nn.Linear(widths[0] + widths[-1], _HIDDEN), nn.ReLU(inplace=True), nn.Linear(_HIDDEN, out)
        )

    def forward(self, batch: Batch) -> Maps:
        """The maps of a batch's images."""
        x, whole = self.features(scaled(batch["image"]))  # (N, C, 40, 40)
        heat = self.heat(x)
        return Maps(heat, self._states(heat, x, whole))

    def _states(self, heat: Tensor, features: Tensor, whole: Tensor) -> Tensor:
        """(N, 12, 4): each keypoint's own row of logits from the features under its heatmap and those of the whole."""
        where = heatmaps.distributions(heat.detach()).flatten(2).to(features.dtype)  # (N, 12, 1600)
        local = where @ features.flatten(2).transpose(1, 2)  # (N, 12, C)
        joined = torch.cat([local, whole[:, None].expand(-1, KEYPOINTS, -1)], -1)
        logits = self.state(joined).unflatten(-1, (KEYPOINTS, STATES))  # (N, 12, 12, 4)
        return torch.diagonal(logits, dim1=1, dim2=2).transpose(1, 2).float()

    def loss(self, pred: Maps, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of heatmaps and of states."""
        where = heatmaps.cross_entropy(pred.heat, heatmaps.gaussian_targets(batch["cells"], MAP_CELLS))
        which = F.cross_entropy(pred.state.flatten(0, 1), batch["state"].flatten(), ignore_index=-1, reduction="sum")
        which = _STATE_WEIGHT * which / (batch["state"] >= 0).sum().clamp_min(1)
        return {"total": where + which, "heatmap": where, "state": which}

    def metrics(self, pred: Maps, batch: Batch) -> dict[str, Tensor]:
        """PCK@0.1, of all and of every state, and how often the state is right."""
        distance = (heatmaps.peaks(heatmaps.distributions(pred.heat)) - batch["cells"]).norm(dim=-1)
        right = counted(pred.state.argmax(-1) == batch["state"], batch["state"] >= 0)
        return pck_by_state(distance, batch["radius"], batch["state"]) | {"state_accuracy": right}

    def encode(self, frames: Sequence[Frame]) -> Batch:
        """The crop of each frame's one box."""
        crops = np.stack([crop_square(f.image, s) for f, s in zip(frames, _squares(frames), strict=True)])
        return {"image": torch.from_numpy(np.ascontiguousarray(crops[..., ::-1])).permute(0, 3, 1, 2)}

    def decode(self, pred: Maps, frames: Sequence[Frame]) -> list[Instances]:
        """keypoints_2d (12, 2) px, keypoint_state, keypoint_score, the heatmap's fraction within a tenth of the box's
        longer side, and keypoint_sigma_px, its spread, of each frame's one box."""
        heat, state, squares = pred.heat.float().cpu(), pred.state.float().cpu(), _squares(frames)
        probability = heatmaps.distributions(heat)
        point = heatmaps.peaks(probability)
        radius = torch.full((len(point), 1), pck_radius_cells())
        xy = from_cells(point.numpy().astype(float), squares)
        score = heatmaps.mass_within(probability, point, radius).numpy().astype(float)
        sigma = heatmaps.spread(probability, point).numpy().astype(float) * px_per_cell(squares)[:, None]
        names = [[KEYPOINT_STATES[k] for k in row] for row in state.argmax(-1).tolist()]
        return [
            frame.objects.with_columns(
                {
                    "keypoints_2d": xy[i : i + 1],
                    "keypoint_state": names[i : i + 1],
                    "keypoint_score": score[i : i + 1],
                    "keypoint_sigma_px": sigma[i : i + 1],
                }
            )
            for i, frame in enumerate(frames)
        ]


def _squares(frames: Sequence[Frame]) -> np.ndarray:
    return squares_of(np.concatenate([frame.objects["bbox_xywh"] for frame in frames]))
