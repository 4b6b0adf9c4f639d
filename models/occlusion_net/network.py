"""Occlusion-Net: heatmaps of visible keypoints, the graph that finds hidden ones, and the graph that lifts all to 3D.

Images are RGB, (N, 3, 96, 96), 0 to 1. Points are in their box's frame, see `frames`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.checkpoints import check_model
from models.layers import heatmaps
from models.layers.graph import Graph, KeypointGraph, edge_loss, node_features
from models.layers.heatmaps import means_about_peaks
from models.layers.unet import ResidualUNet, scaled
from models.metrics.keypoints import PCK_FRACTION, box_error
from models.network import counted
from models.occlusion_net.frames import CELL_PX, COARSE_PX, MAP_CELLS, REACH_COARSE, box_of_cells
from models.occlusion_net.lifting import FOCAL, Lifted, LiftingGraph
from models.occlusion_net.trifocal import transfer, trifocal_loss
from models.synthetic.vehicle_crops import VISIBLE
from pipeline.core.skeletons import VEHICLE_12

NAME = "occlusion_net"
SUPERVISION = ("truth", "trifocal", "transfer", "none")
_FINE = COARSE_PX // CELL_PX
_PRIOR = 4e-4
_SURE = 1e-4
_SOFT = 0.05  # half boxes: residuals well above it count linearly


@dataclass(frozen=True)
class NetworkSettings:
    """What the network's shape and its losses depend on; stored with its weights."""

    width: int = field(default=32, metadata={"help": "channels at a quarter of the window's resolution"})
    blocks: int = field(default=1, metadata={"help": "residual blocks at each of four resolutions, each way"})
    graph: bool = field(default=True, metadata={"help": "2D-KGNN on the heatmaps; without, the baseline"})
    hidden: int = field(default=64, metadata={"help": "width of the graphs' layers"})
    rounds: int = field(default=2, metadata={"help": "message rounds of the encoder, 1 or 2 (equations 2 and 4)"})
    dropout: float = field(default=0.0, metadata={"help": "in the graphs' layers, while training only"})
    lift: bool = field(default=True, metadata={"help": "3D-KGNN behind the 2D-KGNN"})
    supervision: str = field(default="trifocal", metadata={"help": "of hidden points: " + ", ".join(SUPERVISION)})
    edge_weight: float = field(default=0.25, metadata={"help": "of equation 5, beside the heatmaps' cross-entropy"})
    hidden_weight: float = field(default=1.0, metadata={"help": "of equation 9, or what stands in its place"})
    visible_weight: float = field(default=2.0, metadata={"help": "of the decoder's distance from visible labels"})
    reprojection_weight: float = field(default=1.0, metadata={"help": "of equation 10"})
    doubt: float = field(
        default=1.5, metadata={"help": "standard deviation by which a crop's confidences fall, in logits, in training"}
    )
    noise: float = field(default=0.0, metadata={"help": "standard deviation, half boxes, on the graph's input points"})

    def __post_init__(self) -> None:
        if self.supervision not in SUPERVISION:
            raise ValueError(f"network: supervision: expected {', '.join(SUPERVISION)}, got {self.supervision!r}")
        if self.rounds not in (1, 2):
            raise ValueError(f"network: rounds: expected 1 or 2, got {self.rounds}")
        if self.lift and not self.graph:
            raise ValueError("network: lift: the 3D graph stands on the 2D graph; expected graph with it")


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

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.flat = KeypointGraph(settings.hidden, settings.rounds, settings.dropout)
        self.lifting = LiftingGraph(settings.hidden, settings.dropout) if settings.lift else None

    def forward(self, xy: Tensor, confidence: Tensor, aspect: Tensor) -> tuple[Graph, Lifted | None]:
        """Of points (N, 12, 2), confidences (N, 12) and the boxes' width / height (N,)."""
        if self.training and self.settings.noise:
            xy = xy + self.settings.noise * torch.randn_like(xy) * torch.rand_like(aspect)[:, None, None]
        if self.training and self.settings.doubt:
            # Heatmaps are less sure of pictures unlike their own, of seen and of hidden points alike.
            fall = self.settings.doubt * torch.randn_like(aspect).abs()[:, None]
            confidence = torch.sigmoid(torch.logit(confidence, eps=_SURE) - fall)
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
            "hidden": s.hidden_weight * softened(square, weight),
            "visible": s.visible_weight * softened(square_error(graph.xy, batch["xy"]), visible.float()),
        }
        if lifted is not None:
            distance = square_error(lifted.xy, graph.xy)
            # Weak, and only where the points leave it open: an average shape, and a focal length for the size in view.
            prior = lifted.shape.square().sum(-1).mean() + (lifted.focal / FOCAL).log().square().mean()
            off = softened(distance, torch.ones_like(distance)) + _PRIOR * prior
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


def softened(square: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of sqrt(square + s^2) - s: quadratic for small distances, linear for large ones."""
    return (weight * ((square + _SOFT**2).sqrt() - _SOFT)).sum() / weight.sum().clamp_min(1)


class OcclusionNet(ResidualUNet):
    """Declares what the training loop asks for: `loss` and `metrics` of a batch, which `data` describes."""

    def __init__(self, settings: NetworkSettings | None = None) -> None:
        settings = settings or NetworkSettings()
        super().__init__(settings.width, settings.blocks, REACH_COARSE)
        self.settings = settings
        self.heat = nn.Conv2d(self.widths[0], len(VEHICLE_12) * _FINE**2, 3, 1, 1)
        self.graphs = Graphs(settings) if settings.graph else None

    def heatmaps(self, image: Tensor) -> Tensor:
        """Logits (N, 12, 56, 56) of images (N, 3, 96, 96), 0 to 1."""
        return F.pixel_shuffle(self.heat(self.features(image)[0]), _FINE)

    def forward(self, image: Tensor, aspect: Tensor) -> Found:
        """All there is to find in images (N, 3, 96, 96), 0 to 1, of boxes of width / height (N,)."""
        heat = self.heatmaps(image)
        cells, confidence = means_about_peaks(heat)
        xy = box_of_cells(cells, aspect)
        graph, lifted = (None, None) if self.graphs is None else self.graphs(xy, confidence, aspect)
        return Found(heat, xy, confidence, graph, lifted)

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """ "loss" to minimise, equation 11, and its parts."""
        found = self(scaled(batch["image"]), batch["aspect"])
        parts = {"heatmap": heatmap_loss(found.heat, batch)}
        if self.graphs is not None:
            with torch.autocast(found.heat.device.type, enabled=False):
                parts |= self.graphs.losses(found.graph, found.lifted, batch)
        return {"loss": torch.stack(list(parts.values())).sum(), **parts}

    def metrics(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each name's sum and count over the batch, (2,): PCK@0.1 of visible and hidden points by each network, and how
        often the graph is right about which is which."""
        found = self(scaled(batch["image"]), batch["aspect"])
        places = {"heatmap": found.xy}
        result: dict[str, Tensor] = {}
        if found.graph is not None:
            places["graph"] = found.graph.xy
            known = batch["state"] >= 0
            result["occlusion_accuracy"] = counted((found.graph.visible < 0.5) == (batch["state"] > 0), known)
        if found.lifted is not None:
            places["lifted"] = found.lifted.xy
        for name, xy in places.items():
            right = box_error(xy, batch["xy"], batch["aspect"]) <= PCK_FRACTION
            result[f"pck_visible_{name}"] = counted(right, batch["state"] == VISIBLE)
            result[f"pck_hidden_{name}"] = counted(right, batch["state"] > VISIBLE)
        return result


def heatmap_loss(heat: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Cross-entropy of the softmax over all cells, of visible keypoints only, whose targets are narrow Gaussians."""
    visible = batch["state"] == VISIBLE
    cells = torch.where(visible[..., None], batch["cells"], torch.nan)
    return heatmaps.cross_entropy(heat, heatmaps.gaussian_targets(cells, MAP_CELLS))


def config_of(settings: NetworkSettings) -> dict[str, Any]:
    """What `build_network` rebuilds the network from; stored with its weights."""
    return {"model": NAME, "network": asdict(settings)}


def build_network(config: dict[str, Any], path: Path) -> OcclusionNet:
    """The untrained network of a weights file's config.

    Raises ValueError where the file holds another model's weights.
    """
    check_model(config, NAME, path)
    return OcclusionNet(NetworkSettings(**config["network"]))
