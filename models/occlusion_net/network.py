"""Occlusion-Net: heatmaps of visible keypoints, the graph that finds hidden ones, and the graph that lifts all to 3D.

Images are RGB, (N, 3, 96, 96), 0 to 1. Points are in their box's frame, see `models.geometry.boxes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calibration.camera import edge_to_pixel
from models.crops import crop_square, squares_of
from models.frames import Frame
from models.geometry.boxes import CELL_PX, COARSE_PX, INPUT_PX, MAP_CELLS, REACH_COARSE, box_of_cells, from_box
from models.layers import heatmaps
from models.layers.graph import Graph, KeypointGraph, edge_loss, node_features
from models.layers.heatmaps import means_about_peaks
from models.layers.unet import ResidualUNet, scaled
from models.metrics.keypoints import PCK_FRACTION, box_error
from models.network import Batch, Network, counted
from models.occlusion_net import OcclusionNetSettings
from models.occlusion_net.lifting import FOCAL, Lifted, LiftingGraph
from models.occlusion_net.trifocal import transfer, trifocal_loss
from models.synthetic.vehicle_crops import VISIBLE
from pipeline.core.instances import Instances
from pipeline.core.skeletons import VEHICLE_12

_FINE = COARSE_PX // CELL_PX
_PRIOR = 4e-4
_LOGIT_EPS = 1e-4
_CHARBONNIER_SCALE = 0.05  # half boxes: residuals well above it count linearly


class Found(NamedTuple):
    """heat (N, 12, 56, 56) logits; xy (N, 12, 2) and confidence (N, 12) of the heatmaps; graph and lifted where the
    network has them."""

    heat: Tensor
    xy: Tensor
    confidence: Tensor
    graph: Graph | None
    lifted: Lifted | None


class Graphs(nn.Module):
    """Both graph networks and their losses, on points and confidences."""

    def __init__(self, settings: OcclusionNetSettings) -> None:
        super().__init__()
        self.settings = settings
        self.flat = KeypointGraph(settings.hidden, settings.iterations, settings.dropout)
        self.lifting = LiftingGraph(settings.hidden, settings.dropout) if settings.lift else None

    def forward(self, xy: Tensor, confidence: Tensor, aspect: Tensor) -> tuple[Graph, Lifted | None]:
        """Of points (N, 12, 2), confidences (N, 12) and the boxes' width / height (N,)."""
        if self.training and self.settings.noise:
            xy = xy + self.settings.noise * torch.randn_like(xy) * torch.rand_like(aspect)[:, None, None]
        if self.training and self.settings.confidence_noise:
            # Heatmaps are less confident on pictures unlike their own, of seen and of hidden points alike.
            fall = self.settings.confidence_noise * torch.randn_like(aspect).abs()[:, None]
            confidence = torch.sigmoid(torch.logit(confidence, eps=_LOGIT_EPS) - fall)
        graph = self.flat(xy, confidence)
        if self.lifting is None:
            return graph, None
        return graph, self.lifting(node_features(graph.xy, confidence), graph.visible, aspect)

    def losses(self, graph: Graph, lifted: Lifted | None, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Equations 5, 9 and 10, each with its weight, by name."""
        s = self.settings
        visible = (batch["state"] == VISIBLE) & batch["xy"].isfinite().all(-1)
        square, weight = hidden_loss(s.supervision, graph.xy, batch)
        parts = {
            "edge": s.edge_weight * edge_loss(graph.edge_logits, batch["state"]),
            "hidden": s.hidden_weight * charbonnier_loss(square, weight),
            "visible": s.visible_weight * charbonnier_loss(square_error(graph.xy, batch["xy"]), visible.float()),
        }
        if lifted is not None:
            distance = square_error(lifted.xy, graph.xy)
            # Weak, and only where the points leave it open: an average shape, and a focal length for the size in view.
            prior = lifted.shape.square().sum(-1).mean() + (lifted.focal / FOCAL).log().square().mean()
            off = charbonnier_loss(distance, torch.ones_like(distance)) + _PRIOR * prior
            parts["reprojection"] = s.reprojection_weight * off
        return parts


def hidden_loss(supervision: str, xy: Tensor, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Squared distance, half boxes, (N, 12) of points (N, 12, 2) labelled as hidden from where they should be, and its
    weight (N, 12), by the kind of supervision."""
    hidden = batch["state"] > VISIBLE
    if supervision == "truth":
        return square_error(xy, batch["xy"]), (hidden & batch["xy"].isfinite().all(-1)).float()
    views = batch["cameras"], batch["other_xy"], batch["other_visible"]
    if supervision == "trifocal":
        loss, weight = trifocal_loss(xy, *views, hidden)
        return loss.float(), (weight > 0).float()
    if supervision == "transfer":
        target, weight = transfer(*views)
        return square_error(xy, target.to(xy.dtype)), (hidden & (weight > 0)).float()
    return torch.zeros_like(xy[..., 0]), torch.zeros_like(xy[..., 0])


def square_error(xy: Tensor, target: Tensor) -> Tensor:
    """(N, 12) squared distances of points (N, 12, 2), 0 where the target is not known."""
    known = target.isfinite().all(-1, keepdim=True)
    return torch.where(known, xy - torch.where(known, target, 0), 0).float().square().sum(-1)


def charbonnier_loss(square: Tensor, weight: Tensor) -> Tensor:
    """Charbonnier loss, the weighted mean of sqrt(square + s^2) - s: quadratic for small distances, linear beyond s."""
    return (weight * ((square + _CHARBONNIER_SCALE**2).sqrt() - _CHARBONNIER_SCALE)).sum() / weight.sum().clamp_min(1)


class OcclusionNet(ResidualUNet, Network):
    """A batch holds image (N, 3, 96, 96) uint8 RGB and aspect (N,), the boxes' width / height; to learn from also xy
    (N, 12, 2) in the boxes' frames and cells (N, 12, 2), NaN where unknown, state (N, 12), -1 where unknown, and the
    other views that `data` describes."""

    required: ClassVar = {
        "image": (3, INPUT_PX, INPUT_PX), "aspect": (), "xy": (len(VEHICLE_12), 2), "cells": (len(VEHICLE_12), 2),
        "state": (len(VEHICLE_12),),
    }  # fmt: skip

    def __init__(self, settings: OcclusionNetSettings | None = None) -> None:
        settings = settings or OcclusionNetSettings()
        super().__init__(settings.width, settings.blocks, REACH_COARSE)
        self.settings = settings
        self.heat = nn.Conv2d(self.widths[0], len(VEHICLE_12) * _FINE**2, 3, 1, 1)
        self.graphs = Graphs(settings) if settings.graph else None

    def heatmaps(self, image: Tensor) -> Tensor:
        """Logits (N, 12, 56, 56) of images (N, 3, 96, 96), 0 to 1."""
        return F.pixel_shuffle(self.heat(self.features(image)[0]), _FINE)

    def forward(self, batch: Batch) -> Found:
        """All there is to find in the images of boxes of an aspect."""
        heat = self.heatmaps(scaled(batch["image"]))
        cells, confidence = means_about_peaks(heat)
        xy = box_of_cells(cells, batch["aspect"])
        graph, lifted = (None, None) if self.graphs is None else self.graphs(xy, confidence, batch["aspect"])
        return Found(heat, xy, confidence, graph, lifted)

    def loss(self, pred: Found, batch: Batch) -> dict[str, Tensor]:
        """Equation 11 and its parts."""
        parts = {"heatmap": heatmap_loss(pred.heat, batch)}
        if self.graphs is not None and pred.graph is not None:
            with torch.autocast(pred.heat.device.type, enabled=False):
                parts |= self.graphs.losses(pred.graph, pred.lifted, batch)
        return {"total": torch.stack(list(parts.values())).sum(), **parts}

    def metrics(self, pred: Found, batch: Batch) -> dict[str, Tensor]:
        """PCK@0.1 of visible and hidden points by each network, and how often the graph is right about which is
        which."""
        places = {"heatmap": pred.xy}
        result: dict[str, Tensor] = {}
        if pred.graph is not None:
            places["graph"] = pred.graph.xy
            known = batch["state"] >= 0
            result["occlusion_accuracy"] = counted((pred.graph.visible < 0.5) == (batch["state"] > 0), known)
        if pred.lifted is not None:
            places["lifted"] = pred.lifted.xy
        for name, xy in places.items():
            right = box_error(xy, batch["xy"], batch["aspect"]) <= PCK_FRACTION
            result[f"pck_visible_{name}"] = counted(right, batch["state"] == VISIBLE)
            result[f"pck_hidden_{name}"] = counted(right, batch["state"] > VISIBLE)
        return result

    def encode(self, frames: Sequence[Frame]) -> Batch:
        """The crop of each frame's one box, and its aspect."""
        boxes = _boxes(frames)
        crops = [crop_square(f.image, s, INPUT_PX)[..., ::-1] for f, s in zip(frames, squares_of(boxes), strict=True)]
        image = torch.from_numpy(np.stack(crops).transpose(0, 3, 1, 2).copy())
        return {"image": image, "aspect": torch.from_numpy(boxes[:, 2] / boxes[:, 3]).float()}

    def decode(self, pred: Found, frames: Sequence[Frame]) -> list[Instances]:
        """Of each frame's one box: keypoints_2d (12, 2) px by the 2D graph, by the heatmaps where there is none;
        keypoint_visible (12,), how likely each is seen, and keypoint_state by it; keypoint_score, the heatmaps'
        confidence. With the 3D graph also wire_xy (12, 2) px, the 3D keypoints projected; points_m (12, 3) in the
        vehicle's frame; quaternion (4,), real part first, and translation_m (3,) of the camera that looks along the
        box's centre ray, from the vehicle; focal_px."""
        boxes = _boxes(frames)[:, None]
        visible = pred.confidence if pred.graph is None else pred.graph.visible
        columns = {
            "keypoints_2d": _pixels(pred.xy if pred.graph is None else pred.graph.xy, boxes),
            "keypoint_visible": visible.double().cpu().numpy(),
            "keypoint_score": pred.confidence.double().cpu().numpy(),
        }
        if pred.lifted is not None:
            columns |= {
                "wire_xy": _pixels(pred.lifted.xy, boxes),
                "points_m": pred.lifted.points.double().cpu().numpy(),
                "quaternion": pred.lifted.quaternion.double().cpu().numpy(),
                "translation_m": pred.lifted.translation.double().cpu().numpy(),
                "focal_px": pred.lifted.focal.double().cpu().numpy() * boxes[:, 0, 2] / 2,
            }
        states = [["visible" if v >= 0.5 else "occluded" for v in row] for row in columns["keypoint_visible"].tolist()]
        return [
            frame.objects.with_columns(
                {**{name: column[i : i + 1] for name, column in columns.items()}, "keypoint_state": states[i : i + 1]}
            )
            for i, frame in enumerate(frames)
        ]

    def start_from(self, state: dict[str, Tensor], path: Path) -> None:
        """Weights of a file or, where it holds the baseline, those of its heatmaps: the graphs then start anew."""
        if not any(name.startswith("graphs.") for name in state):
            state = {**state, **{name: v for name, v in self.state_dict().items() if name.startswith("graphs.")}}
        super().start_from(state, path)


def _boxes(frames: Sequence[Frame]) -> np.ndarray:
    return np.concatenate([frame.objects["bbox_xywh"] for frame in frames]).astype(float)


def _pixels(xy: Tensor, boxes_xywh: np.ndarray) -> np.ndarray:
    return edge_to_pixel(from_box(xy.double().cpu().numpy(), boxes_xywh))


def heatmap_loss(heat: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Cross-entropy of the softmax over all cells, of visible keypoints only, whose targets are narrow Gaussians."""
    visible = batch["state"] == VISIBLE
    cells = torch.where(visible[..., None], batch["cells"], torch.nan)
    return heatmaps.cross_entropy(heat, heatmaps.gaussian_targets(cells, MAP_CELLS))
