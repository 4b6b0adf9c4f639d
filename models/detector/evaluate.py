"""COCO's average precision of masks, by size of object and by how much of it is hidden.

Sizes are COCO's, by the pixels of the mask that is asked for: small below 32 x 32, medium below 96 x 96, large beyond.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from models.contract import Given, Preset, Progress, Spec
from models.detector.pictures import CLASSES, Pictures, open_pictures, source_of
from models.detector.predict import segmenter_of
from pipeline.core import masks
from pipeline.core.instances import Detector

SIZES = {"all": (0, 1e10), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}
# Fractions of an object that others hide.
BANDS = {"whole": (0.0, 0.02), "to 30 %": (0.02, 0.3), "to 70 %": (0.3, 0.7), "more": (0.7, 1.01)}
_MOST = 300  # detections of a picture that count


@dataclass(frozen=True)
class Wanted:
    """An object that a picture shows: its class, run-length mask, hidden fraction; ignored ones are neither right nor
    wrong."""

    category: str
    mask_rle: str
    hidden: float
    ignored: bool = False


@dataclass(frozen=True)
class Detected:
    """A detection of a picture."""

    category: str
    mask_rle: str
    score: float


class _Evaluation(COCOeval):
    """COCOeval that also leaves out what is marked to be."""

    def _prepare(self) -> None:
        super()._prepare()
        for objects in self._gts.values():
            for one in objects:
                one["ignore"] = one["ignore"] or one["skip"]


def average_precision(
    wanted: Sequence[Sequence[Wanted]], found: Sequence[Sequence[Detected]], size_hw: tuple[int, int]
) -> list[dict]:
    """A row for each size and band of hidden fraction: objects, AP at IoU 0.5 and at 0.5 to 0.95, recall at 0.5.

    Each is the mean over the categories that have objects there; NaN where none has. wanted and found: by picture.
    """
    rows = []
    for name in SIZES:
        rows.append({"objects of": name, **_precision(wanted, found, size_hw, name, (0.0, 1.01))})
    for name, band in BANDS.items():
        rows.append({"objects of": f"hidden {name}", **_precision(wanted, found, size_hw, "all", band)})
    return rows


def _precision(
    wanted: Sequence[Sequence[Wanted]], found: Sequence[Sequence[Detected]], size_hw: tuple[int, int], size: str,
    band: tuple[float, float],
) -> dict[str, float]:  # fmt: skip
    truth = _truth_of(wanted, size_hw, band)
    counted = [a for a in truth.anns.values() if not a["skip"] and SIZES[size][0] <= a["area"] < SIZES[size][1]]
    if not counted:
        return {"count": 0, "AP50": np.nan, "AP": np.nan, "recall": np.nan}
    run = _Evaluation(truth, _results(found, size_hw), "segm")
    run.params.maxDets, run.params.areaRng, run.params.areaRngLbl = [_MOST], [list(SIZES[size])], [size]
    run.params.imgIds = list(range(1, len(wanted) + 1))
    with contextlib.redirect_stdout(io.StringIO()):
        run.evaluate()
        run.accumulate()
    precision, recall = run.eval["precision"][..., 0, 0], run.eval["recall"][..., 0, 0]  # (T, R, K), (T, K); -1: none
    return {"count": len(counted), "AP50": _mean(precision[0]), "AP": _mean(precision), "recall": _mean(recall[0])}


def _mean(values: np.ndarray) -> float:
    kept = values[values > -1]
    return float(kept.mean()) if kept.size else float("nan")


def _truth_of(wanted: Sequence[Sequence[Wanted]], size_hw: tuple[int, int], band: tuple[float, float]) -> COCO:
    rows: list[dict] = []
    for number, objects in enumerate(wanted, start=1):
        for one in objects:
            inside = np.isnan(one.hidden) or band[0] <= one.hidden < band[1]
            rows.append(
                _entry_of(one, number, size_hw) | {"id": len(rows) + 1, "iscrowd": 0, "skip": one.ignored or not inside}
            )
    return _as_coco(rows, len(wanted), size_hw)


def _results(found: Sequence[Sequence[Detected]], size_hw: tuple[int, int]) -> COCO:
    rows: list[dict] = []
    for number, objects in enumerate(found, start=1):
        for one in objects:
            rows.append(
                _entry_of(one, number, size_hw) | {"id": len(rows) + 1, "iscrowd": 0, "score": one.score, "skip": 0}
            )
    return _as_coco(rows, len(found), size_hw)


def _entry_of(one: Wanted | Detected, image: int, size_hw: tuple[int, int]) -> dict:
    segmentation = masks.as_coco([one.mask_rle], size_hw)[0]
    _, box = masks.decode(one.mask_rle, size_hw)
    area = masks.area(one.mask_rle, size_hw)
    number = CLASSES.index(one.category) + 1
    return {
        "image_id": image, "category_id": number, "segmentation": segmentation, "area": area, "bbox": list(box)
    }  # fmt: skip


def _as_coco(rows: list[dict], pictures: int, size_hw: tuple[int, int]) -> COCO:
    data = COCO()
    height, width = size_hw
    data.dataset = {
        "images": [{"id": n, "height": height, "width": width} for n in range(1, pictures + 1)],
        "categories": [{"id": n, "name": name} for n, name in enumerate(CLASSES, start=1)],
        "annotations": rows,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        data.createIndex()
    return data


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
