"""How good a classifier is on crops it never saw: `python -m models.occlusion_classifier.evaluate --crops DIR`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import models
from models.labels.occlusion import CLASSES
from models.occlusion_classifier import SPEC
from models.occlusion_classifier.data import read_simulated, split, stored

if TYPE_CHECKING:
    from models.occlusion_classifier.network import OcclusionNetwork

_BATCH = 64


def precision_recall(chosen: np.ndarray, whole: np.ndarray) -> tuple[float, float]:
    """Fraction of the chosen (N,) bool that are whole, and fraction of the whole ones that are chosen; NaN of none."""
    both, picked, there = (int(mask.sum()) for mask in (chosen & whole, chosen, whole))
    return both / picked if picked else float("nan"), both / there if there else float("nan")


def precision_at(recall: float, chance: np.ndarray, whole: np.ndarray) -> float:
    """Best precision of a threshold on chance (N,) that finds at least a fraction `recall` of the whole objects."""
    _, precision, reached = curve(chance, whole)
    return float(precision[reached >= recall - 1e-12].max())


def curve(chance: np.ndarray, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thresholds (K,), falling, with the precision and the recall of `chance >= threshold`.

    Raises ValueError where no object is whole: there is no recall then.
    """
    if not whole.any():
        raise ValueError("precision and recall: expected at least one whole object, got none")
    order = np.argsort(-chance, kind="stable")
    last = np.flatnonzero(np.diff(chance[order], append=-np.inf))  # equal chances are chosen together
    hits = np.cumsum(whole[order])[last]
    return chance[order][last], hits / (last + 1), hits / whole.sum()


def quality_lines(chances: np.ndarray, right: np.ndarray) -> Iterable[str]:
    """Lines of text for chances (N, 6) beside the right classes (N, 6) bool: the curve, and what is taken for what."""
    whole = right[:, 0]
    yield "chance of unoccluded | precision | recall"
    for threshold in (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95):
        precision, recall = precision_recall(chances[:, 0] >= threshold, whole)
        yield f"{threshold:.2f} | {precision:.3f} | {recall:.3f}"
    yield "right class | crops | " + " | ".join(CLASSES)
    best = chances.argmax(axis=1)
    for index, name in enumerate(CLASSES):
        found = best[right[:, index]]
        fractions = [f"{(found == other).mean():.3f}" if len(found) else "-" for other in range(len(CLASSES))]
        yield f"{name} | {len(found)} | " + " | ".join(fractions)


def chances_of(network: OcclusionNetwork, crops: np.ndarray) -> np.ndarray:
    """(N, 6) of CLASSES for crops (N, STORED_PX, STORED_PX, 4): the mean over each and its mirror image."""
    import torch  # loads for seconds, callers that count alone do without it

    from models.occlusion_classifier.network import batch_of

    with torch.inference_mode():
        parts = [network(batch_of(crops[i : i + _BATCH])).chance.numpy() for i in range(0, len(crops), _BATCH)]
    return np.concatenate([np.zeros((0, len(CLASSES)), np.float32), *parts])


def main(arguments: list[str] | None = None) -> int:
    """Print the tables of one weights file over the kept back crops; 1 and one line on what cannot be read."""
    parser = argparse.ArgumentParser(prog="models.occlusion_classifier.evaluate", description=main.__doc__)
    parser.add_argument("--crops", type=Path, required=True, help="folder that OcclusionCrops wrote")
    parser.add_argument("--weights", type=Path, default=SPEC.weights)
    given = parser.parse_args(arguments)
    try:
        network = models.load(SPEC.name, given.weights, "cpu").network
        kept = [split(table)[1] for table in read_simulated(given.crops)]
    except (ValueError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    chances = np.concatenate([chances_of(network, stored(table)) for table in kept if len(table)])
    right = [[name in row for name in CLASSES] for table in kept for row in table["classes"].to_pylist()]
    print("\n".join(quality_lines(chances, np.array(right))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
