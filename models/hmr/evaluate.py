"""How good a network's people are on composed crops: `make evaluate MODEL=hmr ARGS='--crops DIR'`.

MPJPE over the twelve limb joints from the middle of the hips, PA-MPJPE after the best similarity, the orientation's
angle, and PCK@0.1 of the projected joints, by the person's size in the picture and by whether the network knew about
where they face. Of the crops alone, without their mirror images.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

import models
from models.hmr import SPEC
from models.hmr.data import RenderedPeople
from models.hmr.network import Bodies, MeshNetwork
from models.synthetic.people_shards import PeopleLibrary, read_people

SIZE_BANDS_PX = ((24, 40), (40, 60), (60, 110), (110, 200))
_BATCH, _SEED = 64, 1  # validation's own


@torch.inference_mode()
def measure(network: MeshNetwork, library: PeopleLibrary, count: int) -> dict[str, dict[str, float]]:
    """Metrics of each band of sizes, and of all, over the first `count` crops of a library."""
    samples = RenderedPeople(library, _SEED, network.settings.backbone.height_px)
    totals: dict[str, dict[str, Tensor]] = {}
    batches = [range(i, min(i + _BATCH, count)) for i in range(0, count, _BATCH)]
    for batch in DataLoader(samples, batch_sampler=batches):  # type: ignore[arg-type]
        pred = network(batch)
        for name, chosen in _bands(batch["size"], batch["facing"].any(1)).items():
            if not chosen.any():
                continue
            picked = Bodies._make(None if value is None else value[chosen] for value in pred)
            found = network.metrics(picked, {key: value[chosen] for key, value in batch.items()})
            band = totals.setdefault(name, {})
            for metric, total in found.items():
                band[metric] = band.get(metric, torch.zeros(2, dtype=torch.float64)) + total
    return {name: {k: float(v[0] / v[1]) for k, v in band.items()} for name, band in totals.items()}


def _bands(size_px: Tensor, known: Tensor) -> dict[str, Tensor]:
    bands = {f"{low} to {high} px": (size_px >= low) & (size_px < high) for low, high in SIZE_BANDS_PX}
    return bands | {"facing known": known, "not known": ~known, "all": torch.ones_like(known)}


def main(arguments: list[str] | None = None) -> int:
    """Print a row for each band of sizes; 1 and one line on what cannot be read."""
    parser = argparse.ArgumentParser(prog="models.hmr.evaluate", description=main.__doc__)
    parser.add_argument("--crops", type=Path, required=True, help="folder that RenderPeopleCrops wrote")
    parser.add_argument("--weights", type=Path, default=SPEC.weights)
    parser.add_argument("--count", type=int, default=2000, help="validation crops")
    given = parser.parse_args(arguments)
    try:
        library, network = read_people(given.crops, "val"), models.load(SPEC.name, given.weights, "cpu").network
    except (ValueError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    found = measure(network, library, given.count)
    print("| people | " + " | ".join(found["all"]) + " |")
    print("|---" * (1 + len(found["all"])) + "|")
    for name, values in found.items():
        print(f"| {name} | " + " | ".join(f"{value:.3g}" for value in values.values()) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
