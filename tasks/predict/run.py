"""Detect and predict a few frames at a time, and write what was found while the next are read."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from models.contract import Spec
from models.predictor import FramePredictor
from pipeline.core.instances import BatchDetector, Detector, Instances
from pipeline.core.storage import atomic_path, write_bytes
from tasks.predict.coco import results as coco_results
from tasks.predict.inputs import LeftOut, Read
from tasks.predict.overlay import overlay

_CHUNK = 8  # frames that are detected and predicted together
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 92]
_DIGITS = 5
Detect = Callable[[Sequence[Read]], list[Instances]]


@dataclass(frozen=True)
class Prediction:
    """A frame's objects as a network gives them, and how many more were detected that it is not for."""

    read: Read
    objects: Instances
    others: int


def detect_with(detector: Detector) -> Detect:
    """A detector of the pipeline over several frames."""

    def detect(reads: Sequence[Read]) -> list[Instances]:
        images = [one.frame.image for one in reads]
        if isinstance(detector, BatchDetector):
            size = detector.batch
            lists = [found for at in range(0, len(images), size) for found in detector.many(images[at : at + size])]
        else:
            lists = [detector(one.frame.image, "", one.number) for one in reads]
        return [Instances.detected(one.frame.size_hw, found) for one, found in zip(reads, lists, strict=True)]

    return detect


def predicted(
    items: Iterable[Read | LeftOut], spec: Spec, predictor: FramePredictor, detect: Detect | None
) -> Iterator[Prediction | LeftOut]:
    """Each frame's objects, or why it has none. detect: finds them first, else the frames have them."""
    rest = iter(items)
    while chunk := list(islice(rest, _CHUNK)):
        yield from (one for one in chunk if isinstance(one, LeftOut))
        yield from _tried([one for one in chunk if isinstance(one, Read)], spec, predictor, detect)


def _tried(
    reads: Sequence[Read], spec: Spec, predictor: FramePredictor, detect: Detect | None
) -> list[Prediction | LeftOut]:
    """All together, or one by one where one of them cannot be done."""
    try:
        return list(_found(reads, spec, predictor, detect))
    except ValueError as error:
        if len(reads) == 1:
            return [LeftOut(reads[0].frame.name, str(error))]
    return [result for one in reads for result in _tried([one], spec, predictor, detect)]


def _found(reads: Sequence[Read], spec: Spec, predictor: FramePredictor, detect: Detect | None) -> Iterator[Prediction]:
    known = detect(reads) if detect else [one.frame.objects for one in reads]
    meant = [objects.rows(_of_categories(spec, objects)) for objects in known]
    frames = [replace(one.frame, objects=objects) for one, objects in zip(reads, meant, strict=True)]
    found = predictor.of_frames(frames)
    for read, objects, detected, kept in zip(reads, found, known, meant, strict=True):
        yield Prediction(read, objects, len(detected) - len(kept))


def _of_categories(spec: Spec, objects: Instances) -> np.ndarray:
    """(N,) which objects are of the network's categories; all where nothing says what they are."""
    if not spec.categories or "category" not in objects:
        return np.ones(len(objects), bool)
    return np.array([category in spec.categories for category in objects["category"]], bool)


def write_predictions(out: Path, spec: Spec, weights: Path | None, results: Iterable[Prediction | LeftOut]) -> str:
    """Write predictions.json, coco_keypoints.json where there are keypoints with states, and a JPEG of each frame into
    a folder; what was read, predicted and left out, in a line.

    Raises ValueError, with that line, where nothing was read; no predictions.json is left then.
    """
    summary, taken = _Summary(), set[str]()
    head: dict[str, Any] = {"model": spec.name, "weights": str(weights) if weights else None}
    head |= {"keypoints": list(spec.skeleton.names) if spec.skeleton else None}
    coco = out / "coco_keypoints.json"
    with (
        atomic_path(out / "predictions.json") as part,
        part.open("w") as file,
        coco_results(coco, spec.skeleton) as add_coco,
    ):
        file.write(json.dumps(head)[:-1] + ', "pictures": [')
        for result in tqdm(results, unit="picture", disable=None):
            if isinstance(result, Prediction):
                row = _save_one(out, spec, result, taken)
                add_coco(row["image"], result.objects)
                file.write(("," if summary.read else "") + "\n" + json.dumps(row, allow_nan=False))
            summary.add(result)
        file.write("\n]}\n")
        if not summary.read:
            raise ValueError(summary.line())
    return f"{summary.line()}; in {out}"


def _save_one(out: Path, spec: Spec, result: Prediction, taken: set[str]) -> dict[str, Any]:
    frame = result.read.frame
    picture = f"{_apart(Path(frame.name).stem, taken)}.jpg"
    jpeg = cv2.imencode(".jpg", overlay(frame.image, result.objects, spec.skeleton), _JPEG)[1]
    write_bytes(out / picture, jpeg.tobytes())
    rows = [{name: _rounded_floats(value) for name, value in row.items()} for row in result.objects.plain()]
    return {"image": frame.name, "picture": picture, "size_hw": list(frame.size_hw), "objects": rows}


def _apart(stem: str, taken: set[str]) -> str:
    """The stem, or with a number behind it where another picture has it."""
    name, count = stem, 1
    while name in taken:
        count += 1
        name = f"{stem}-{count}"
    taken.add(name)
    return name


def _rounded_floats(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded_floats(one) for one in value]
    return round(value, _DIGITS) if isinstance(value, float) else value


class _Summary:
    """What there was, to be said at the end."""

    def __init__(self) -> None:
        self.read, self.objects, self.others, self.reasons = 0, 0, 0, Counter[str]()

    def add(self, result: Prediction | LeftOut) -> None:
        """Count it; what is left out is said at once."""
        if isinstance(result, LeftOut):
            self.reasons[result.reason] += 1
            tqdm.write(f"left out {result.name}: {result.reason}", file=sys.stderr)
        else:
            self.read, self.objects = self.read + 1, self.objects + len(result.objects)
            self.others += result.others

    def line(self) -> str:
        """In a sentence."""
        because = ", ".join(f"{reason} ({count})" for reason, count in self.reasons.most_common())
        others = f", passed over {self.others} of other categories" if self.others else ""
        left = f"left out {self.reasons.total()}" + (f" because: {because}" if because else "")
        return f"read {self.read}, predicted {self.objects} objects{others}, {left}"
