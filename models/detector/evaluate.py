"""COCO's average precision of masks, by size of object and by how much of it is hidden.

Sizes are COCO's, by the pixels of the mask that is asked for: small below 32 x 32, medium below 96 x 96, large beyond.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.contract import Given, Preset, Progress, Spec
from models.detector.pictures import CLASSES, Pictures, open_pictures, source_of
from models.detector.predict import segmenter_of
from models.metrics.average_precision import SIZES, Detected, Judged, Wanted
from pipeline.core import masks
from pipeline.core.instances import Detector

# Fractions of an object that others hide.
BANDS = {"whole": (0.0, 0.02), "to 30 %": (0.02, 0.3), "to 70 %": (0.3, 0.7), "more": (0.7, 1.01)}
_COLUMNS = ("count", "AP50", "AP", "recall")


def average_precision(
    wanted: Sequence[Sequence[Wanted]], found: Sequence[Sequence[Detected]], size_hw: tuple[int, int]
) -> list[dict]:
    """A row for each size and band of hidden fraction: objects, AP at IoU 0.5 and at 0.5 to 0.95, recall at 0.5.

    Each is the mean over the categories that have objects there; NaN where none has. wanted and found: by picture.
    """
    judged = Judged(wanted, found, [size_hw] * len(wanted))
    parts = {name: judged.precision(size=size) for name, size in SIZES.items()}
    parts |= {f"hidden {name}": judged.precision(band=band) for name, band in BANDS.items()}
    return [{"objects of": name, **{column: row[column] for column in _COLUMNS}} for name, row in parts.items()]


def measure(
    spec: Spec, preset: Preset, given: Given, weights: Path, *, device: str | None = None,
    progress: Progress | None = None,
) -> list[dict]:  # fmt: skip
    """Rows of `average_precision` on the pictures that training kept back; the run's config lies beside the weights."""
    # Low scores count: average precision is over all of them.
    detector = segmenter_of(weights, device, min_score=0.02)
    return evaluate_on(detector, open_pictures(**source_of(given), split="val"), progress)


def evaluate_on(detector: Detector, pictures: Pictures, progress: Progress | None = None) -> list[dict]:
    """Rows of `average_precision` for a detector that sees each picture; all pictures have one size.

    What it finds mostly in regions to ignore is neither right nor wrong.
    """
    wanted: list[list[Wanted]] = []
    found: list[list[Detected]] = []
    size_hw = pictures[0].image_bgr.shape[:2]
    for number in range(len(pictures)):
        picture = pictures[number]
        if picture.image_bgr.shape[:2] != size_hw:
            raise ValueError(f"picture {number}: expected {size_hw} like the others, got {picture.image_bgr.shape[:2]}")
        seen = [i for i in detector(picture.image_bgr, "", number) if not picture.ignores(i.crop, i.xy)]
        wanted.append([
            Wanted(CLASSES[label.number], masks.encode(label.crop, label.xy, size_hw), label.hidden)
            for label in picture.labels
        ])  # fmt: skip
        found.append([Detected(i.category, masks.encode(i.crop, i.xy, size_hw), i.score) for i in seen])
        if progress:
            progress(number + 1, len(pictures))
    return average_precision(wanted, found, size_hw)
