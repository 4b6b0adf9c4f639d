"""What the outputs of a YOLO segmentation export hold: by its metadata and its shapes, never by elimination.

Three layouts: [1, 4 + C + M, N] of cx cy w h, class scores and coefficients; the same with an objectness column,
[1, N, 5 + C + M]; and with non-maximum suppression inside, [1, N, 6 + M] of x1 y1 x2 y2, score, class and coefficients.
M prototypes [1, M, h, w] stand beside each.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# The 80 classes of COCO in the order of every YOLO export, and those of them that take to the road.
COCO_80 = 80
COCO_NAMES = {0: "person", 1: "bicycle", 2: "car", 3: "motorcycle", 5: "bus", 6: "train", 7: "truck"}
PLAIN, OBJECTNESS, SUPPRESSED = "plain", "with objectness", "with non-maximum suppression inside"
_STRIDES = (8, 16, 32)


@dataclass(frozen=True)
class Metadata:
    """What Ultralytics writes into an export; empty where it says nothing."""

    names: Mapping[int, str] = field(default_factory=dict)
    end2end: bool | None = None
    task: str = ""
    size_hw: tuple[int, int] | None = None

    @staticmethod
    def of(found: Mapping[str, str]) -> Metadata:
        """That of onnxruntime's custom_metadata_map, read as data."""
        size = _literal(found.get("imgsz", ""))
        sides = list(size) if isinstance(size, list | tuple) and len(size) == 2 else []
        sane = bool(sides) and all(isinstance(side, int) and 32 <= side <= 8192 for side in sides)
        end2end = found.get("end2end", found.get("nms", "")).strip().lower()
        return Metadata(
            class_names(found.get("names", "")),
            {"true": True, "false": False}.get(end2end),
            found.get("task", "").strip(),
            (sides[0], sides[1]) if sane else None,
        )

    @property
    def count(self) -> int | None:
        """How many classes the network has, where all are named."""
        return len(self.names) if self.names and set(self.names) == set(range(len(self.names))) else None


def class_names(listed: str) -> dict[int, str]:
    """Names by number of the metadata that Ultralytics writes into an export, `{0: 'person', ...}`; none of others."""
    found = _literal(listed)
    if not isinstance(found, dict):
        return {}
    return {number: str(name) for number, name in found.items() if isinstance(number, int)}


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text) if text else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def split_outputs(
    outputs: list[np.ndarray], model: str, metadata: Metadata | None = None, input_hw: tuple[int, ...] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Boxes cx cy w h (N, 4), class scores (N, C), coefficients (N, M) and prototypes (M, h, w), all float32.

    Raises ValueError naming the shapes for anything else.
    """
    shapes = [tuple(o.shape) for o in outputs]
    rows = next((o[0] for o in outputs if o.ndim == 3), None)
    prototypes = next((o[0] for o in outputs if o.ndim == 4), None)
    if rows is None or prototypes is None:
        raise ValueError(_wrong_layout(model, shapes))
    metadata = metadata or Metadata()
    layout = layout_of((rows.shape[0], rows.shape[1]), prototypes.shape[0], metadata, input_hw)
    if layout is None:
        raise ValueError(_wrong_layout(model, shapes))
    by_candidate = layout == SUPPRESSED or rows.shape[0] > rows.shape[1]
    rows = (rows if by_candidate else rows.T).astype(np.float32)
    prototypes = prototypes.astype(np.float32)
    if layout == SUPPRESSED:
        return *_suppressed(rows, metadata), rows[:, 6:], prototypes
    first, end = (5 if layout == OBJECTNESS else 4), rows.shape[1] - prototypes.shape[0]
    scores = rows[:, first:end] * (rows[:, 4:5] if layout == OBJECTNESS else 1)
    return rows[:, :4], scores, rows[:, end:], prototypes


def layout_of(
    shape: tuple[int, int], prototypes: int, metadata: Metadata, input_hw: tuple[int, ...] | None = None
) -> str | None:
    """The layout of an output of `shape`, None where it is none of the three.

    The metadata decide; else the number of candidates that an input of input_hw gives (three a cell where there is an
    objectness), else COCO's 80 classes, else 6 columns a candidate, else an objectness where candidates come first.
    """
    # Candidates outnumber columns in every export that does not suppress any.
    by_candidate = shape[0] > shape[1]
    count, columns = (shape[0], shape[1]) if by_candidate else (shape[1], shape[0])
    if shape[1] == 6 + prototypes and metadata.end2end is not False and _may_be_suppressed(shape, metadata, input_hw):
        return SUPPRESSED
    if metadata.end2end:
        return None
    classes = columns - 4 - prototypes
    if classes < 1:
        return None
    known = metadata.count or (COCO_80 if classes in (COCO_80, COCO_80 + 1) else None)
    if known is not None:
        return {known: PLAIN, known + 1: OBJECTNESS}.get(classes)
    cells = _cells(input_hw)
    objectness = count == 3 * cells if count in (cells, 3 * cells) else by_candidate
    return None if classes - objectness < 1 else OBJECTNESS if objectness else PLAIN


def _may_be_suppressed(shape: tuple[int, int], metadata: Metadata, input_hw: tuple[int, ...] | None) -> bool:
    """Whether 6 columns beside the coefficients are box, score and class: not where every cell has its candidates."""
    if metadata.end2end:
        return True
    cells = _cells(input_hw)
    return metadata.count in (None, *range(3, 10**4)) and not (cells and shape[0] in (cells, 3 * cells))


def _cells(input_hw: tuple[int, ...] | None) -> int:
    """Cells of the three grids over an input."""
    return sum((input_hw[0] // s) * (input_hw[1] // s) for s in _STRIDES) if input_hw else 0


def _suppressed(rows: np.ndarray, metadata: Metadata) -> tuple[np.ndarray, np.ndarray]:
    """Boxes cx cy w h and one-hot scores of rows x1 y1 x2 y2, score, class."""
    low, high = rows[:, :2], rows[:, 2:4]
    numbers = np.clip(np.round(rows[:, 5]), 0, 9999).astype(int)
    classes = max(metadata.count or COCO_80, int(numbers.max(initial=0)) + 1)
    scores = np.zeros((len(rows), classes), np.float32)
    scores[np.arange(len(rows)), numbers] = rows[:, 4]
    return np.concatenate([(low + high) / 2, high - low], axis=1), scores


def _wrong_layout(model: str, shapes: list[tuple[int, ...]]) -> str:
    return (
        f"{model}: expected the outputs [1, N, 4 + classes + M] or, with non-maximum suppression inside, [1, N, 6 + M] "
        f"and [1, M, h, w] of a YOLO-seg export, got {shapes}; its metadata must name as many classes as it has"
    )
