"""How good a classifier is on crops it never saw: `python -m models.occlusion_classifier.evaluate --crops DIR`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from models.occlusion_classifier.crops import CLASSES
from models.occlusion_classifier.data import split, stored
from models.occlusion_classifier.predict import WEIGHTS, load


def precision_recall(chosen: np.ndarray, whole: np.ndarray) -> tuple[float, float]:
    """Share of the chosen (N,) bool that are whole, and share of the whole ones that are chosen; NaN of none."""
    both, picked, there = (int(mask.sum()) for mask in (chosen & whole, chosen, whole))
    return both / picked if picked else float("nan"), both / there if there else float("nan")


def precision_at(recall: float, chance: np.ndarray, whole: np.ndarray) -> float:
    """Best precision of a threshold on chance (N,) that finds at least a share `recall` of the whole objects."""
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


def tables(chances: np.ndarray, right: np.ndarray) -> Iterable[str]:
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
        shares = [f"{(found == other).mean():.3f}" if len(found) else "-" for other in range(len(CLASSES))]
        yield f"{name} | {len(found)} | " + " | ".join(shares)


def main() -> None:
    """Print the tables of one weights file over the kept back crops."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--crops", type=Path, required=True, help="folder that OcclusionCrops wrote")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    given = parser.parse_args()
    kept = [split(pq.read_table(path))[1] for path in sorted(given.crops.glob("*.parquet"))]
    chances = np.concatenate([load(given.weights).predict(stored(table)) for table in kept])
    right = [[name in row for name in CLASSES] for table in kept for row in table["classes"].to_pylist()]
    print("\n".join(tables(chances, np.array(right))))


if __name__ == "__main__":
    main()
