"""How good a network's keypoints are on composed crops: `python -m models.vehicle_keypoints.evaluate --crops DIR`.

PCK@0.1: the fraction of keypoints within a tenth of the box's longer side of the truth, by state and by the
vehicle's size in the picture.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.camera import edge_to_pixel
from models.metrics.keypoints import PCK_FRACTION
from models.synthetic.vehicle_crops import compose_vehicle
from models.synthetic.vehicle_shards import VehicleLibrary, read_library
from models.topdown.keypoints import VehicleKeypoints, load_keypoints
from models.vehicle_keypoints import SPEC
from pipeline.core.skeletons import VEHICLE_12
from pipeline.core.tables import KEYPOINT_STATES

SIZE_BANDS_PX = ((28, 50), (50, 90), (90, 160), (160, 360))


@dataclass(frozen=True)
class KeypointScores:
    """Predictions beside the truth for N crops: error and sigma (N, 12) as fractions of the box's longer side; score
    (N, 12); state and found (N, 12), the true and the predicted one; size_px (N,)."""

    error: np.ndarray
    sigma: np.ndarray
    score: np.ndarray
    state: np.ndarray
    found: np.ndarray
    size_px: np.ndarray

    def pck(self, chosen: np.ndarray) -> float:
        """PCK@0.1 over chosen keypoints (N, 12); NaN where there are none."""
        return float((self.error[chosen] <= PCK_FRACTION).mean()) if chosen.any() else float("nan")


def score(predictor: VehicleKeypoints, library: VehicleLibrary, count: int, seed: int) -> KeypointScores:
    """Predict the first `count` crops of a seed and compare."""
    crops = [compose_vehicle(library, np.random.default_rng([seed, index])) for index in range(count)]
    boxes = np.stack([crop.box_xywh for crop in crops])
    found = predictor.predict([np.ascontiguousarray(crop.image[..., ::-1]) for crop in crops], boxes)
    true = np.stack([edge_to_pixel(crop.keypoints) for crop in crops])
    side = boxes[:, 2:].max(axis=1, keepdims=True)
    return KeypointScores(
        np.linalg.norm(found.xy - true, axis=-1) / side,
        found.sigma_px / side,
        found.score,
        np.stack([crop.state for crop in crops]),
        found.state,
        np.array([crop.size_px for crop in crops]),
    )


def score_lines(scored: KeypointScores) -> Iterable[str]:
    """Lines of text: PCK by size and state, the states' confusion, and how honest score and sigma are."""
    yield "PCK@0.1 | " + " | ".join(KEYPOINT_STATES) + " | all | state right"
    for low, high in (*SIZE_BANDS_PX, (0, 9999)):
        rows = ((scored.size_px >= low) & (scored.size_px < high))[:, None] & np.ones(len(VEHICLE_12), bool)
        cells = [scored.pck(rows & (scored.state == index)) for index in range(len(KEYPOINT_STATES))] + [
            scored.pck(rows)
        ]
        right = (scored.found == scored.state)[rows].mean()
        name = "all sizes" if low == 0 else f"{low} to {high} px"
        yield f"{name} | " + " | ".join(f"{cell:.3f}" for cell in cells) + f" | {right:.3f}"
    yield "true state | " + " | ".join(f"as {name}" for name in KEYPOINT_STATES)
    for index, name in enumerate(KEYPOINT_STATES):
        found = scored.found[scored.state == index]
        yield f"{name} | " + " | ".join(f"{(found == other).mean():.3f}" for other in range(len(KEYPOINT_STATES)))
    yield "score | fraction | PCK@0.1"
    for floor in (0.0, 0.2, 0.4, 0.6, 0.8, 0.9):
        ceiling = {0.8: 0.9, 0.9: 1.01}.get(floor, floor + 0.2)
        rows = (scored.score >= floor) & (scored.score < ceiling)
        yield f"{floor:.1f} to {min(ceiling, 1):.1f} | {rows.mean():.3f} | {scored.pck(rows):.3f}"
    ratio = scored.error / np.sqrt(2) / scored.sigma
    yield f"error / sigma, per axis: median {np.median(ratio):.2f}, root mean square {np.sqrt((ratio**2).mean()):.2f}"
    yield f"median error, fraction of the box: {np.median(scored.error):.4f}"


def main(arguments: list[str] | None = None) -> int:
    """Print the tables of one weights file over the validation crops; 1 and one line on what cannot be read."""
    parser = argparse.ArgumentParser(prog="models.vehicle_keypoints.evaluate", description=main.__doc__)
    parser.add_argument("--crops", type=Path, required=True, help="folder that RenderVehicleCrops wrote")
    parser.add_argument("--weights", type=Path, default=SPEC.weights)
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=77)
    given = parser.parse_args(arguments)
    try:
        library, network = read_library(given.crops / "val"), load_keypoints(given.weights)
    except (ValueError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    print("\n".join(score_lines(score(network, library, given.count, given.seed))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
