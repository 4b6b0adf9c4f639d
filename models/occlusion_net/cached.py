"""What a heatmap network reads from crops, kept, so that graphs are trained and judged on it in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from models.layers.heatmaps import means_about_peaks
from models.layers.unet import scaled
from models.metrics.keypoints import box_error
from models.occlusion_net.frames import box_of_cells
from models.occlusion_net.network import Graphs, NetworkSettings, OcclusionNet
from models.occlusion_net.scores import Scored, yaw_errors_deg
from models.train import Samples

Cached = Mapping[str, Tensor]  # a batch without its images, with heat_xy (N, 12, 2) and confidence (N, 12)


@dataclass(frozen=True)
class GraphTraining:
    """How graphs alone are trained."""

    steps: int = 1500
    batch: int = 64
    lr: float = 5e-3
    seed: int = 0


@torch.inference_mode()
def collect(network: OcclusionNet, samples: Samples, count: int, *, workers: int = 0) -> dict[str, Tensor]:
    """The first `count` samples as the network's heatmaps read them."""
    network.eval()
    chunks = [range(i, min(i + 32, count)) for i in range(0, count, 32)]
    parts: list[dict[str, Tensor]] = []
    for batch in DataLoader(samples, batch_sampler=chunks, num_workers=workers):  # type: ignore[arg-type]
        cells, confidence = means_about_peaks(network.heatmaps(scaled(batch.pop("image"))))
        parts.append({**batch, "heat_xy": box_of_cells(cells, batch["aspect"]), "confidence": confidence})
    return {name: torch.cat([part[name] for part in parts]).clone() for name in parts[0]}


def fit_graphs(settings: NetworkSettings, cached: Cached, training: GraphTraining) -> Graphs:
    """Graphs trained alone on what heatmaps read, as the training loop does: AdamW, warm-up, a cosine."""
    torch.manual_seed(training.seed)
    graphs = Graphs(settings).train()
    optimizer = torch.optim.AdamW(graphs.parameters(), lr=training.lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, training.lr, training.steps, pct_start=0.05)
    count = len(cached["heat_xy"])
    for step in range(training.steps):
        rows = torch.from_numpy(np.random.default_rng([training.seed, step]).integers(count, size=training.batch))
        batch = {name: value[rows] for name, value in cached.items()}
        graph, lifted = graphs(batch["heat_xy"], batch["confidence"], batch["aspect"])
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(graphs.losses(graph, lifted, batch).values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(graphs.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return graphs.eval()


@torch.inference_mode()
def judge(graphs: Graphs | None, cached: Cached, *, noise: float = 0.0, seed: int = 0) -> Scored:
    """Scores of heatmaps and graphs; noise: standard deviation, half boxes, added to the graphs' input points."""
    generator = torch.Generator().manual_seed(seed)
    xy, aspect = cached["heat_xy"], cached["aspect"]
    places = {"heatmap": xy}
    hidden = {"heatmap": 1 - cached["confidence"].numpy()}
    yaw = np.full(len(xy), np.nan)
    if graphs is not None:
        noisy = xy + noise * torch.randn(xy.shape, generator=generator)
        graph, lifted = graphs.eval()(noisy, cached["confidence"], aspect)
        places, hidden = {**places, "graph": graph.xy}, {**hidden, "graph": 1 - graph.visible.numpy()}
        if lifted is not None:
            places["lifted"] = lifted.xy
            pose = (value.double().numpy() for value in (lifted.rotation, cached["K"], cached["R"]))
            yaw = yaw_errors_deg(*pose)
    errors = {name: box_error(value, cached["xy"], aspect).numpy() for name, value in places.items()}
    return Scored(errors, cached["state"].numpy(), hidden, yaw, cached["instance"].numpy())
