"""How the matting network is trained: its presets, what the training loop needs of it, and its export for OpenCV."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from models.checkpoints import check_model, load_into, read_weights
from models.matting.data import Windows
from models.matting.network import WIDTHS, MattingNetwork
from models.matting.predict import CHANNELS
from models.train import Recipe, TrainSettings

NAME = "matting"
# tiny is what ships: under half an hour on two CPU cores. base wants a GPU.
PRESETS: dict[str, tuple[tuple[int, ...], TrainSettings]] = {
    "tiny": (
        WIDTHS,
        TrainSettings(
            steps=2400, batch=16, lr=3e-3, weight_decay=0.01, ema=0.995, bfloat16=False, evaluate_every=400,
            val_samples=480, workers=1, threads=2,
        ),
    ),
    "base": (
        (32, 48, 80, 128),
        TrainSettings(steps=30_000, batch=128, lr=2e-3, warmup=500, weight_decay=0.01, ema=0.999, workers=12),
    ),
}  # fmt: skip


def build(widths: tuple[int, ...], seed: int, samples: Path, *, init_from: Path | None = None, **others: Any) -> Recipe:
    """The recipe over the SAMPLES tables of a folder, one a camera; every tenth actor is kept for validation.

    Raises ValueError where human labels or pictures are given, which this network has no use for.
    """
    import torch

    unknown = [name for name, value in others.items() if value is not None]
    if unknown:
        raise ValueError(f"matting: has no use for {', '.join(unknown)}; it is trained on simulated cameras alone")
    torch.manual_seed(seed)
    network, config = MattingNetwork(widths), {"model": NAME, "widths": list(widths)}
    if init_from is not None:
        load_into(network, read_weights(init_from)[0], init_from)
        config["init_from"] = init_from.name
    tables = [pq.read_table(path) for path in sorted(samples.glob("*.parquet"))]
    train_set, val_set = (
        Windows([t.filter((t["actor_id"].to_numpy() % 10 == 0) == kept) for t in tables], seed + kept, vary=not kept)
        for kept in (False, True)
    )
    return Recipe(network, train_set, val_set, config)


def export(weights: Path, out: Path) -> None:
    """Write a trained network as ONNX, which OpenCV runs at any size.

    Raises ValueError for the weights of another model or architecture.
    """
    import torch

    state, config = read_weights(weights)
    check_model(config, NAME, weights)
    network = MattingNetwork(tuple(config["widths"])).eval()
    load_into(network, state, weights)
    example = torch.zeros(1, CHANNELS, 64, 40)
    with warnings.catch_warnings():
        # The newer exporter fixes sizes into reshapes that OpenCV's reader then cannot change.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network, (example,), str(out), dynamo=False, opset_version=13, input_names=["inputs"],
            dynamic_axes={"inputs": {2: "height", 3: "width"}},
        )  # fmt: skip
