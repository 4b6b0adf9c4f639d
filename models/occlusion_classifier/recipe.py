"""How the occlusion classifier is trained: its presets, and what the training loop needs of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from models.checkpoints import start_from
from models.labels.occlusion import read_labelled
from models.occlusion_classifier.data import Crops, split
from models.occlusion_classifier.network import NetworkSettings, OcclusionNetwork, build_network, config_of
from models.train import Recipe, TrainSettings

# tiny is what ships: minutes on two CPU cores. base wants a GPU.
PRESETS: dict[str, tuple[NetworkSettings, TrainSettings]] = {
    "tiny": (
        NetworkSettings(),
        TrainSettings(
            steps=2500, batch=64, lr=3e-3, warmup=100, ema=0.997, bfloat16=False, evaluate_every=500, val_samples=1024,
            workers=1, threads=2,
        ),
    ),
    "base": (
        NetworkSettings(width=48, blocks=2),
        TrainSettings(steps=20_000, batch=256, warmup=500, ema=0.999, val_samples=4096, workers=12),
    ),
}  # fmt: skip


def build(
    network: NetworkSettings, seed: int, crops: Path, *, init_from: Path | None = None, labels: Path | None = None,
    images: Path | None = None, **others: Any,
) -> Recipe:  # fmt: skip
    """The recipe over the CROPS tables of a folder, or over human labels: our CSV, or CVAT's XML with its pictures.

    Every tenth object (of CVAT's: picture) is kept for validation. Raises ValueError for weights of another
    architecture and for labels that cannot be read.
    """
    import torch

    unknown = [name for name, value in others.items() if value is not None]
    if unknown:
        raise ValueError(f"occlusion_classifier: has no use for {', '.join(unknown)}")
    torch.manual_seed(seed)
    net, config = OcclusionNetwork(network), config_of(network)
    start_from(net, config, init_from, build_network)
    if labels is None:
        # Actors of two cameras share numbers: each camera is split by itself.
        parts = [split(pq.read_table(path)) for path in sorted(crops.glob("*.parquet"))]
        if not parts:
            raise ValueError(f"{crops}: no crops there; run OcclusionCrops")
        train_table, val_table = (pa.concat_tables(tables) for tables in zip(*parts, strict=True))
    else:
        train_table, val_table = split(read_labelled(labels, images))
        config["labels"] = labels.name
    return Recipe(net, Crops(train_table, seed, vary=True), Crops(val_table, seed, vary=False), config)
