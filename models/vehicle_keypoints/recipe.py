"""How the vehicle keypoint network is trained: its presets, and what the training loop needs of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from models.checkpoints import start_from
from models.labels.keypoints import read_coco, read_deeplabcut
from models.synthetic.vehicle_shards import read_backdrops, read_library
from models.train import Recipe, Samples, TrainSettings
from models.vehicle_keypoints.data import LabelledCrops, RenderedCrops
from models.vehicle_keypoints.network import KeypointNetwork, NetworkSettings, build_network, config_of

# tiny is what ships: under an hour on two CPU cores. base wants a GPU.
PRESETS: dict[str, tuple[NetworkSettings, TrainSettings]] = {
    "tiny": (
        NetworkSettings(width=40, blocks=1),
        TrainSettings(steps=2800, batch=32, lr=1.5e-3, warmup=150, evaluate_every=700, workers=1, threads=1),
    ),
    "base": (
        NetworkSettings(width=96, blocks=2),
        TrainSettings(steps=60_000, batch=128, lr=1e-3, warmup=1000, ema=0.9995, val_samples=4096, workers=12),
    ),
}


def build(
    network: NetworkSettings, seed: int, crops: Path, *, init_from: Path | None = None, labels: Path | None = None,
    images: Path | None = None, backdrops: Path | None = None,
) -> Recipe:  # fmt: skip
    """The recipe over rendered crops, or over human labels where `labels` is a DeepLabCut CSV or a COCO JSON.

    Pictures in the folder `backdrops`, empty streets best, stand behind vehicles beside the procedural ones.
    The last tenth of the labelled vehicles is kept for validation. Raises ValueError for weights of another
    architecture and for labels that cannot be read.
    """
    import torch

    torch.manual_seed(seed)
    net, config = KeypointNetwork(network), config_of(network)
    start_from(net, config, init_from, build_network)
    train_set, val_set = _labelled(labels, images, seed) if labels else _rendered(crops, backdrops, seed)
    for name, value in (("labels", labels), ("backdrops", backdrops)):
        if value is not None:
            config[name] = value.name
    return Recipe(net, train_set, val_set, config)


def _rendered(crops: Path, backdrops: Path | None, seed: int) -> tuple[Samples, Samples]:
    library = read_library(crops / "train")
    if backdrops is not None:
        library = replace(library, backdrops=[*library.backdrops, *read_backdrops(backdrops)])
    return RenderedCrops(library, seed), RenderedCrops(read_library(crops / "val"), seed + 1)


def _labelled(labels: Path, images: Path | None, seed: int) -> tuple[Samples, Samples]:
    folder = images or labels.parent
    known = read_deeplabcut(labels, folder) if labels.suffix == ".csv" else read_coco(labels, folder)
    kept = max(1, len(known) // 10)
    if len(known) < 2:
        raise ValueError(f"{labels}: expected at least two labelled vehicles, got {len(known)}")
    return LabelledCrops(known[:-kept], seed), LabelledCrops(known[-kept:], seed, plain=True)
