"""COCO's average precision of boxes and masks: of all objects, by size, and by how much of an object is hidden.

Two protocols for the tenths of hidden fraction. "ours": detections take objects as they do in the precision of all
objects; who took one that is hidden more or less is neither right nor wrong, and every other detection counts. (COCO's
own way of leaving objects out would give a hidden object to the detection of who hides it.) "walt": as WALT's code
(notes A5), the truth is that of the tenth alone, categories do not count, and of the detections only those whose box
overlaps one of these objects by more than 0.4: what is found where nothing is vanishes, so its numbers are higher and
compare with none of COCO's.
"""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipeline.core import masks
from pipeline.core.boxes import box_iou
from pipeline.core.tables import CATEGORY_IDS

ALL = (0.0, 1e10)
SIZES = {"all": ALL, "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}  # COCO's, px of the mask
TENTHS = {f"hidden {10 * k} to {10 * k + 10} %": (k / 10, (k + 1) / 10 + (k == 9)) for k in range(10)}
KINDS = ("segm", "bbox")
PROTOCOLS = ("ours", "walt")
_EVERY = (-1.0, 2.0)
_MOST = 300  # detections of a picture that count
_WALT_MOST = 1000
_WALT_IOU = 0.4


@dataclass(frozen=True)
class Wanted:
    """An object that a picture shows: its class, run-length mask, hidden fraction, NaN unknown, and box, that of the
    mask where there is none; ignored ones are neither right nor wrong."""

    category: str
    mask_rle: str
    hidden: float
    ignored: bool = False
    box_xywh: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Detected:
    """A detection of a picture."""

    category: str
    mask_rle: str
    score: float
    box_xywh: tuple[float, ...] | None = None


@dataclass
class Judged:
    """The truth and the detections of pictures of sizes (height, width): `precision` asks about any part of them."""

    wanted: Sequence[Sequence[Wanted]]
    found: Sequence[Sequence[Detected]]
    sizes_hw: Sequence[tuple[int, int]]
    _runs: dict = field(default_factory=dict)

    def precision(
        self, kind: str = "segm", size: tuple[float, float] = ALL, band: tuple[float, float] = _EVERY,
        protocol: str = "ours",
    ) -> dict[str, float]:  # fmt: skip
        """count of objects, AP at IoU 0.5 to 0.95, AP50, AP75 and recall at 0.5 of the objects of a size, px of the
        mask, and band of hidden fractions; each the mean over the categories that have objects there, NaN where none
        has."""
        if protocol not in PROTOCOLS or kind not in KINDS:
            raise ValueError(f"precision: expected one of {KINDS} and of {PROTOCOLS}, got {kind!r} and {protocol!r}")
        if protocol == "walt":
            run = _Run(*self._of_walt(band), self.sizes_hw, kind, categories=False)
        else:
            if kind not in self._runs:
                self._runs[kind] = _Run(self.wanted, self.found, self.sizes_hw, kind)
            run = self._runs[kind]
        return run.result(size, _EVERY if protocol == "walt" else band)

    def _of_walt(self, band: tuple[float, float]) -> tuple[list[list[Wanted]], list[list[Detected]]]:
        wanted = [[one for one in objects if _in_band(one, band)] for objects in self.wanted]
        found = []
        for mine, seen, size_hw in zip(wanted, self.found, self.sizes_hw, strict=True):
            boxes, others = (np.array([_box(o, size_hw) for o in part]).reshape(-1, 4) for part in (seen, mine))
            near = np.any(box_iou(boxes[:, None], others) > _WALT_IOU, axis=1).tolist()
            found.append([one for one, kept in zip(seen, near, strict=True) if kept])
        return wanted, found


def rows(judged: Judged) -> Iterator[dict]:
    """The table of an evaluation: masks and boxes, by size and by tenth, the tenths in both protocols."""
    for kind in KINDS:
        of = {"of": "masks" if kind == "segm" else "boxes"}
        for name, size in SIZES.items():
            yield {**of, "objects": name, "protocol": "ours", **judged.precision(kind, size)}
        for protocol in PROTOCOLS:
            for name, band in TENTHS.items():
                yield {**of, "objects": name, "protocol": protocol, **judged.precision(kind, ALL, band, protocol)}


class _Run(COCOeval):
    """COCO's evaluation, whose overlaps are computed once for whatever part of the objects is asked about."""

    def __init__(
        self, wanted: Sequence[Sequence[Wanted]], found: Sequence[Sequence[Detected]],
        sizes_hw: Sequence[tuple[int, int]], kind: str, *, categories: bool = True,
    ) -> None:  # fmt: skip
        truth, results = (_as_coco(part, sizes_hw) for part in (wanted, found))
        super().__init__(truth, results, kind)
        self.truth = truth
        self.params.maxDets = [_MOST if categories else _WALT_MOST]
        self.params.useCats = int(categories)
        self.params.imgIds = list(range(1, len(sizes_hw) + 1))
        self.params.areaRng, self.params.areaRngLbl = [list(ALL)], ["all"]
        with contextlib.redirect_stdout(io.StringIO()):
            self.evaluate()
        for one in truth.anns.values():  # COCO forgets what is to be ignored but for crowds
            one["ignore"] = int(one["ignored"])

    def result(self, size: tuple[float, float], band: tuple[float, float]) -> dict[str, float]:
        out = {
            n
            for n, one in self.truth.anns.items()
            if not (np.isnan(one["hidden"]) or band[0] <= one["hidden"] < band[1])
        }
        there = [one for n, one in self.truth.anns.items() if n not in out and not one["ignored"]]
        count = sum(size[0] <= one["area"] < size[1] for one in there)
        if not count:
            return {"count": 0, **dict.fromkeys(("AP", "AP50", "AP75", "recall"), float("nan"))}
        self.params.areaRng = [list(size)]
        categories = self.params.catIds if self.params.useCats else [-1]
        self.evalImgs = [
            _without(self.evaluateImg(image, category, list(size), self.params.maxDets[-1]), out)
            for category in categories
            for image in self.params.imgIds
        ]
        self._paramsEval = copy.deepcopy(self.params)
        with contextlib.redirect_stdout(io.StringIO()):
            self.accumulate()
        # (T, R, K) and (T, K); -1 where a category has no object there
        precision, recall = self.eval["precision"][..., 0, 0], self.eval["recall"][..., 0, 0]
        return {
            "count": count, "AP": _mean(precision), "AP50": _mean(precision[0]), "AP75": _mean(precision[5]),
            "recall": _mean(recall[0]),
        }  # fmt: skip


def _without(outcome: dict | None, out: set[int]) -> dict | None:
    """COCO's outcome of a picture, in which objects of these ids and those who took them are left out."""
    if outcome is None or not out:
        return outcome
    ids = list(out)
    outcome["gtIgnore"] = np.array(outcome["gtIgnore"], bool) | np.isin(outcome["gtIds"], ids)
    outcome["dtIgnore"] = np.array(outcome["dtIgnore"], bool) | np.isin(outcome["dtMatches"], ids)
    return outcome


def _mean(values: np.ndarray) -> float:
    kept = values[values > -1]
    return float(kept.mean()) if kept.size else float("nan")


def _in_band(one: Wanted, band: tuple[float, float]) -> bool:
    return not one.ignored and band[0] <= one.hidden < band[1]


def _box(one: Wanted | Detected, size_hw: tuple[int, int]) -> tuple[float, ...]:
    return masks.decode(one.mask_rle, size_hw)[1] if one.box_xywh is None else one.box_xywh


def _as_coco(pictures: Sequence[Sequence[Wanted | Detected]], sizes_hw: Sequence[tuple[int, int]]) -> COCO:
    entries: list[dict] = []
    for number, (objects, size_hw) in enumerate(zip(pictures, sizes_hw, strict=True), start=1):
        for one in objects:
            told = {"score": one.score} if isinstance(one, Detected) else {"ignored": one.ignored, "hidden": one.hidden}
            entries.append({
                "id": len(entries) + 1, "image_id": number, "category_id": CATEGORY_IDS[one.category], "iscrowd": 0,
                "segmentation": masks.as_coco([one.mask_rle], size_hw)[0], "area": masks.area(one.mask_rle, size_hw),
                "bbox": list(map(float, _box(one, size_hw))), "ignore": 0, **told,
            })  # fmt: skip
    data = COCO()
    data.dataset = {
        "images": [{"id": n, "height": h, "width": w} for n, (h, w) in enumerate(sizes_hw, start=1)],
        "categories": [{"id": n, "name": name} for name, n in CATEGORY_IDS.items()],
        "annotations": entries,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        data.createIndex()
    return data
