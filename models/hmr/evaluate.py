"""How good a network's people are on composed crops: `python -m models.hmr.evaluate --crops DIR`.

MPJPE over the twelve limb joints from the middle of the hips, PA-MPJPE after the best similarity, the orientation's
angle, and PCK@0.1 of the projected joints, by the person's size in the picture and by whether the network was told
about where they face.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from models.hmr.data import RenderedPeople
from models.hmr.network import HumanMeshNetwork
from models.hmr.predict import WEIGHTS, load
from models.synthetic.people_shards import read_people

SIZE_BANDS_PX = ((24, 40), (40, 60), (60, 110), (110, 200))
_BATCH, _SEED = 64, 1  # validation's own


def measure(network: HumanMeshNetwork, folder: Path, count: int) -> dict[str, dict[str, float]]:
    """Metrics of each band of sizes, and of all, over so many validation crops."""
    samples = RenderedPeople(read_people(folder, "val"), _SEED, network.settings.backbone.height_px)
    totals: dict[str, dict[str, Tensor]] = {}
    batches = [range(i, min(i + _BATCH, count)) for i in range(0, count, _BATCH)]
    for batch in DataLoader(samples, batch_sampler=batches):  # type: ignore[arg-type]
        for name, chosen in _bands(batch["size"], batch["facing"].any(1)).items():
            if not chosen.any():
                continue
            with torch.inference_mode():
                found = network.metrics({key: value[chosen] for key, value in batch.items()})
            band = totals.setdefault(name, {})
            for metric, total in found.items():
                band[metric] = band.get(metric, torch.zeros(2, dtype=torch.float64)) + total
    return {name: {k: float(v[0] / v[1]) for k, v in band.items()} for name, band in totals.items()}


def _bands(size_px: Tensor, told: Tensor) -> dict[str, Tensor]:
    bands = {f"{low} to {high} px": (size_px >= low) & (size_px < high) for low, high in SIZE_BANDS_PX}
    return bands | {"facing told": told, "not told": ~told, "all": torch.ones_like(told)}


def main() -> None:
    """Print a row for each band of sizes."""
    parser = argparse.ArgumentParser(prog="models.hmr.evaluate", description=main.__doc__)
    parser.add_argument("--crops", type=Path, required=True, help="what RenderPeopleCrops wrote")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--count", type=int, default=2000, help="validation crops")
    given = parser.parse_args()
    found = measure(load(given.weights, "cpu").network, given.crops, given.count)
    print("| people | " + " | ".join(found["all"]) + " |")
    print("|---" * (1 + len(found["all"])) + "|")
    for name, values in found.items():
        print(f"| {name} | " + " | ".join(f"{value:.3g}" for value in values.values()) + " |")


if __name__ == "__main__":
    main()
