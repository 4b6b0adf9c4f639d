"""Measure a trained network of the house on the samples that its training kept for validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from models.checkpoints import network_of
from models.contract import Given, Preset, Progress, Spec, load_object
from models.network import Network
from models.train import evaluate


def measure(
    spec: Spec, preset: Preset, given: Given, weights: Path, *, device: str | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """A row for each metric of a weights file: its name, its mean, and the number of samples asked for.

    preset: how many samples, of which seed; the network's own settings come with its weights. Raises ValueError for
    weights of another model or architecture and for data that cannot be read.
    """
    network = network_of(spec, weights)
    return measured(spec, network, network.settings, preset, given, device)


def measured(
    spec: Spec, network: Network, settings: Any, preset: Preset, given: Given, device: str | None = None
) -> list[dict[str, Any]]:
    """The same of a network that has its weights already."""
    there = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    samples = load_object(spec.data)(settings, given, preset.train.seed).val
    found = evaluate(network.to(there), samples, preset.train, there)
    return [{"metric": name, "value": value, "samples": preset.train.val_samples} for name, value in found.items()]
