"""How Occlusion-Net is trained: its presets, and what the training loop needs of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from models.checkpoints import load_into, read_weights
from models.occlusion_net.car_views import CarViews, read_views
from models.occlusion_net.data import CAR_RENDER, Kept, RenderedViews
from models.occlusion_net.network import NetworkSettings, OcclusionNet, build_network, config_of
from models.train import Recipe, TrainSettings
from models.vehicle_keypoints.shards import read_backdrops

_TINY = TrainSettings(
    steps=2400, batch=32, lr=2e-3, warmup=100, evaluate_every=600, val_samples=360, workers=1, threads=1
)
_KEPT = 8192  # crops that are composed; composing costs as much as learning from them
_ON = replace(_TINY, steps=1200, lr=1e-3, seed=1)
_HEATMAPS = NetworkSettings(graph=False, lift=False)
# tiny trains all at once. What ships learns in turn: baseline, the heatmaps alone; graphs stacked on them (`stack`);
# both together, finetune with --init-from. finetune_baseline is what it is compared with: as many steps, no graphs.
# base wants a GPU.
PRESETS: dict[str, tuple[NetworkSettings, TrainSettings]] = {
    "tiny": (NetworkSettings(), _TINY),
    "baseline": (_HEATMAPS, _TINY),
    "finetune": (NetworkSettings(), _ON),
    "finetune_baseline": (_HEATMAPS, _ON),
    "base": (
        NetworkSettings(width=96, blocks=2, hidden=256),
        TrainSettings(steps=60_000, batch=128, lr=1e-3, warmup=1000, ema=0.9995, val_samples=4096, workers=12),
    ),
}


def build(
    network: NetworkSettings, seed: int, crops: Path, *, init_from: Path | None = None, labels: Path | None = None,
    images: Path | None = None, backdrops: Path | None = None,
) -> Recipe:  # fmt: skip
    """The recipe over Car-render.

    Pictures in the folder `backdrops`, empty streets best, stand behind vehicles beside the procedural ones. Weights to
    start from may be those of the baseline: then the graphs start anew. Raises ValueError for weights of another
    architecture, and for human labels, which single pictures cannot give the other views.
    """
    if labels is not None or images is not None:
        raise ValueError(
            "occlusion_net: --labels and --images are not read; views of one vehicle are what it learns from"
        )
    torch.manual_seed(seed)
    net, config = OcclusionNet(network), config_of(network)
    if init_from is not None:
        start_from(net, init_from)
        config["init_from"] = init_from.name
    train, val = read_views(crops / "train"), read_views(crops / "val")
    if backdrops is not None:
        train = CarViews(
            train.views, replace(train.library, backdrops=[*train.library.backdrops, *read_backdrops(backdrops)])
        )
        config["backdrops"] = backdrops.name
    return Recipe(
        net, Kept(RenderedViews(train, seed), _KEPT), RenderedViews(val, seed + 1, CAR_RENDER, each=True), config
    )


def start_from(net: OcclusionNet, path: Path) -> None:
    """Give a network the weights of a file, or, where the file holds the baseline, those of its heatmaps."""
    state, theirs = read_weights(path)
    build_network(theirs, path)
    graphs = {name: value for name, value in net.state_dict().items() if name.startswith("graphs.")}
    if not any(name.startswith("graphs.") for name in state):
        state = {**state, **graphs}
    load_into(net, state, path)
