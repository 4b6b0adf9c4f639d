"""Any YOLO segmentation network exported to ONNX, in both layouts: with and without an objectness column.

Input [1, 3, S, S], RGB / 255, the picture fitted in and padded with grey 114. Outputs: boxes cx cy w h in input pixels,
[objectness,] class scores and M mask coefficients per candidate, and prototypes [1, M, S/4, S/4]; a mask is the sigmoid
of coefficients times prototypes, cropped to its box.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from models.exported import Letterbox, letterbox, open_session
from pipeline.core.instances import Instance, subcategory_of, tight
from pipeline.detection.registry import Backend

# The 80 classes of COCO in the order of every YOLO export, and those of them that take to the road.
_COCO_80 = 80
_COCO_NAMES = {0: "person", 1: "bicycle", 2: "car", 3: "motorcycle", 5: "bus", 6: "train", 7: "truck"}


@dataclass(frozen=True)
class OnnxSettings:
    """The network's file and what is made of its output."""

    model: str = field(default="", metadata={"help": "path of the .onnx file", "file": True})
    min_score: float = field(default=0.35, metadata={"help": "lowest score of a candidate, 0 to 1"})
    nms_iou: float = field(
        default=0.6, metadata={"help": "boxes of one category that overlap more are one object, IoU"}
    )
    person_classes: str = field(default="0", metadata={"help": "class numbers that are a person, comma-separated"})
    vehicle_classes: str = field(
        default="1,2,3,5,7",
        metadata={"help": "class numbers that are a vehicle; by default COCO's bicycle, car, motorcycle, bus, truck"},
    )
    threads: int = field(default=1, metadata={"help": "threads inside one worker", "speed": True})
    min_area_px: int = field(default=40, metadata={"help": "smallest mask, pixels"})


class OnnxDetector:
    """Detector that runs an exported network with onnxruntime."""

    def __init__(self, settings: OnnxSettings, ignore: np.ndarray | None = None) -> None:
        self.settings, self.ignore = settings, ignore
        self.groups = {
            "person": _class_numbers(settings.person_classes),
            "vehicle": _class_numbers(settings.vehicle_classes),
        }
        self.session = _session(settings)
        self.names = class_names(self.session.get_modelmeta().custom_metadata_map.get("names", ""))
        self.input = self.session.get_inputs()[0]
        shape = self.input.shape
        if len(shape) != 4 or shape[1] != 3:
            raise ValueError(f"{settings.model}: expected an input [1, 3, S, S], got {shape}")
        # An export with free axes takes the usual training size.
        self.size_hw = tuple(v if isinstance(v, int) else 640 for v in shape[2:])

    def __call__(self, image_bgr: np.ndarray, bucket: str, frame_id: int) -> list[Instance]:
        """Instances of a frame (H, W, 3) uint8, best first."""
        tensor, fit = letterbox(image_bgr, self.size_hw)
        tensor = tensor.astype(np.float16 if "float16" in self.input.type else np.float32)
        outputs = self.session.run(None, {self.input.name: tensor})
        boxes, scores, coefficients, prototypes = split_outputs(outputs, self.settings.model)
        instances = []
        for category, numbers in self.groups.items():
            known = [n for n in numbers if n < scores.shape[1]]
            best = scores[:, known].max(axis=1, initial=0)
            for k in self._keep(boxes, best):
                frame_box = _to_frame(boxes[k], fit, image_bgr.shape[:2])
                found = box_mask(frame_box, coefficients[k], prototypes, fit, self.size_hw)
                number = known[int(scores[k, known].argmax())]
                instance = self._instance(category, float(best[k]), found, self._name(number, scores.shape[1]))
                if instance:
                    instances.append(instance)
        return sorted(instances, key=lambda i: -i.score)

    def _name(self, number: int, classes: int) -> str:
        """What the export calls a class, else COCO where it has COCO's classes."""
        return self.names.get(number, _COCO_NAMES.get(number, "") if classes == _COCO_80 else "")

    def _keep(self, boxes: np.ndarray, scores: np.ndarray) -> list[int]:
        """Numbers of the candidates left by the threshold and by non-maximum suppression, best first."""
        likely = np.flatnonzero(scores >= self.settings.min_score)
        corner = np.concatenate([boxes[likely, :2] - boxes[likely, 2:] / 2, boxes[likely, 2:]], axis=1)
        kept = cv2.dnn.NMSBoxes(
            corner.tolist(), scores[likely].tolist(), self.settings.min_score, self.settings.nms_iou
        )
        return [int(likely[i]) for i in kept]

    def _instance(
        self, category: str, score: float, found: tuple[np.ndarray, tuple[int, int]], name: str
    ) -> Instance | None:
        mask, (x, y) = found
        if self.ignore is not None:
            mask = mask & ~self.ignore[y : y + mask.shape[0], x : x + mask.shape[1]]
        tightened = tight(mask, (x, y))
        if tightened is None or np.count_nonzero(tightened[0]) < self.settings.min_area_px:
            return None
        return Instance(category, min(score, 1.0), *tightened, subcategory_of(name))


def _session(settings: OnnxSettings) -> Any:
    return open_session(settings.model, settings.threads, "detector onnx", "set `model` to a YOLO-seg export (.onnx)")


def class_names(listed: str) -> dict[int, str]:
    """Names by number of the metadata that Ultralytics writes into an export, `{0: 'person', ...}`; none of others."""
    try:
        found = ast.literal_eval(listed) if listed else {}
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {number: str(name) for number, name in found.items() if isinstance(number, int)}


def _class_numbers(listed: str) -> list[int]:
    try:
        return [int(part) for part in listed.split(",") if part.strip()]
    except ValueError:
        raise ValueError(f"detector onnx: expected class numbers, comma-separated, got {listed!r}") from None


def split_outputs(outputs: list[np.ndarray], model: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Boxes (N, 4), class scores (N, C), coefficients (N, M) and prototypes (M, h, w), all float32, of either layout.

    Raises ValueError naming the shapes for anything else.
    """
    shapes = [tuple(o.shape) for o in outputs]
    rows = next((o[0] for o in outputs if o.ndim == 3), None)
    prototypes = next((o[0] for o in outputs if o.ndim == 4), None)
    if rows is None or prototypes is None:
        raise ValueError(_wrong_layout(model, shapes))
    # Candidates outnumber columns in every export, so the longer axis tells the layouts apart.
    by_candidate = rows.shape[0] > rows.shape[1]
    rows = (rows if by_candidate else rows.T).astype(np.float32)
    classes = rows.shape[1] - 4 - prototypes.shape[0]
    objectness = classes == _COCO_80 + 1 or (by_candidate and classes != _COCO_80)
    if classes - objectness < 1:
        raise ValueError(_wrong_layout(model, shapes))
    scores = rows[:, 4 + objectness : 4 + classes]
    if objectness:
        scores = scores * rows[:, 4:5]
    return rows[:, :4], scores, rows[:, 4 + classes :], prototypes.astype(np.float32)


def _wrong_layout(model: str, shapes: list[tuple[int, ...]]) -> str:
    return f"{model}: expected the outputs [1, N, 4 + classes + M] and [1, M, h, w] of a YOLO-seg export, got {shapes}"


def _to_frame(box: np.ndarray, fit: Letterbox, size_hw: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the frame's pixels that a box cx cy w h of the input touches."""
    corners = np.array([box[:2] - box[2:] / 2, box[:2] + box[2:] / 2])
    corners = (corners - fit.pad) / fit.scale
    (left, top), (right, bottom) = np.floor(corners[0] + 0.5), np.ceil(corners[1] - 0.5)
    return max(int(left), 0), max(int(top), 0), min(int(right), size_hw[1]), min(int(bottom), size_hw[0])


def box_mask(
    frame_box: tuple[int, int, int, int],
    coefficients: np.ndarray,
    prototypes: np.ndarray,
    fit: Letterbox,
    input_hw: tuple[int, ...],
) -> tuple[np.ndarray, tuple[int, int]]:
    """The mask (h, w) bool inside a box of the frame, and the box's corner.

    Logits, not masks, are interpolated up to the frame's pixels, so that the outline keeps its sub-cell place.
    """
    left, top, right, bottom = frame_box
    if right <= left or bottom <= top:
        return np.zeros((1, 1), bool), (0, 0)
    logits = np.tensordot(coefficients, prototypes, axes=1)
    cell = prototypes.shape[2] / input_hw[1], prototypes.shape[1] / input_hw[0]
    # Pixel centres of the frame at cell centres of the prototypes.
    pick = np.array([
        [fit.scale * cell[0], 0, ((left + 0.5) * fit.scale + fit.pad[0]) * cell[0] - 0.5],
        [0, fit.scale * cell[1], ((top + 0.5) * fit.scale + fit.pad[1]) * cell[1] - 0.5],
    ])  # fmt: skip
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (right - left, bottom - top)
    return cv2.warpAffine(logits, pick, size, flags=flags, borderMode=cv2.BORDER_REPLICATE) > 0, (left, top)


BACKEND = Backend("onnx", lambda settings, inputs: OnnxDetector(settings, inputs.ignore), OnnxSettings)
