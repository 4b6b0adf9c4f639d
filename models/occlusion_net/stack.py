"""Graphs trained alone on what heatmaps read: `python -m models.occlusion_net.stack --baseline FILE --crops DIR`.

Minutes on one core, where training all together takes the whole run again. What comes out is a weights file as
`make train MODEL=occlusion_net` writes it, and a start for it: `--init-from`.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from models.checkpoints import write_weights
from models.contract import Samples
from models.geometry.boxes import box_of_cells
from models.layers.heatmaps import means_about_peaks
from models.layers.unet import scaled as scaled_images
from models.metrics.hidden_keypoints import Scored, yaw_errors_deg
from models.metrics.keypoints import box_error
from models.occlusion_net import SPEC, SUPERVISION, OcclusionNetSettings
from models.occlusion_net.data import TRAINING, RenderedViews
from models.occlusion_net.network import Graphs, OcclusionNet
from models.synthetic.car_views import read_views

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
        cells, confidence = means_about_peaks(network.heatmaps(scaled_images(batch.pop("image"))))
        parts.append({**batch, "heat_xy": box_of_cells(cells, batch["aspect"]), "confidence": confidence})
    return {name: torch.cat([part[name] for part in parts]).clone() for name in parts[0]}


def fit_graphs(settings: OcclusionNetSettings, cached: Cached, training: GraphTraining) -> Graphs:
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
def scores_of(graphs: Graphs | None, cached: Cached, *, noise: float = 0.0, seed: int = 0) -> Scored:
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


def stacked(
    baseline: OcclusionNet, settings: OcclusionNetSettings, crops: Path, training: GraphTraining
) -> OcclusionNet:
    """The baseline's heatmaps, as they are, with graphs trained on what they read in every training view once.

    settings: of the graphs; width and blocks are the baseline's.
    """
    samples = RenderedViews(read_views(crops / "train"), training.seed, TRAINING, each=True)
    given = {name: getattr(baseline.settings, name) for name in ("width", "blocks")}
    network = OcclusionNet(dataclasses.replace(settings, **given))
    network.load_state_dict(baseline.state_dict(), strict=False)
    network.graphs = fit_graphs(network.settings, collect(baseline, samples, len(samples), workers=1), training)
    return network.eval()


def main(arguments: list[str] | None = None) -> int:
    """Write the weights file; 1 and one line on what cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--baseline", type=Path, required=True, help="weights of preset baseline")
    parser.add_argument("--crops", type=Path, required=True, help="folder that RenderCarViews wrote")
    parser.add_argument("--out", type=Path, required=True, help="the weights file to write")
    parser.add_argument("--supervision", choices=SUPERVISION, default="trifocal", help="of hidden points")
    parser.add_argument("--steps", type=int, default=GraphTraining.steps)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    if given.steps < 1:
        parser.error(f"--steps: expected 1 or more, got {given.steps}")
    from models.occlusion_net.evaluate import load_network  # it reads with what stands here

    torch.set_num_threads(1)
    settings = OcclusionNetSettings(supervision=given.supervision)
    training = GraphTraining(steps=given.steps, seed=given.seed)
    try:
        network = stacked(load_network(given.baseline), settings, given.crops, training)
    except (ValueError, OSError) as error:
        print(f"stack: {error}", file=sys.stderr)
        return 1
    config = SPEC.config(network.settings) | {"baseline": given.baseline.name}
    write_weights(given.out, network, config)
    print(f"{given.out}: heatmaps of {given.baseline}, graphs after {given.steps} steps")
    return 0


if __name__ == "__main__":
    sys.exit(main())
