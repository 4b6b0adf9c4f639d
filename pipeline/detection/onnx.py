"""Any YOLO segmentation network exported to ONNX, in each of the layouts that `onnx_outputs` knows.

Input [1, 3, S, S], RGB / 255, the picture fitted in and padded with grey 114. A mask is the sigmoid of a candidate's
coefficients times the prototypes, cropped to its box. What the classes are the export's own metadata say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from models.exported import Letterbox, letterbox, open_session
from models.labels.coco import CocoNames
from pipeline.core.instances import Instance, subcategory_of, tight
from pipeline.detection.onnx_outputs import COCO_80, COCO_NAMES, Metadata, split_outputs
from pipeline.detection.registry import Backend, Inputs


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
        self.session = _session(settings)
        self.metadata = Metadata.of(self.session.get_modelmeta().custom_metadata_map)
        if self.metadata.task not in ("", "segment"):
            raise ValueError(f"{settings.model}: is for {self.metadata.task}; objects are cut out by their masks, so "
                             "export a network that segments, such as yolo11n-seg")  # fmt: skip
        self.groups = class_groups(settings, self.metadata)
        self.input = self.session.get_inputs()[0]
        shape = self.input.shape
        if len(shape) != 4 or shape[1] != 3:
            raise ValueError(f"{settings.model}: expected an input [1, 3, S, S], got {shape}")
        # An export with free axes takes the size that it was trained at, the usual one where it does not say.
        trained = self.metadata.size_hw or (640, 640)
        self.size_hw = tuple(v if isinstance(v, int) else side for v, side in zip(shape[2:], trained, strict=True))

    def __call__(self, image_bgr: np.ndarray, bucket: str, frame_id: int) -> list[Instance]:
        """Instances of a frame (H, W, 3) uint8, best first."""
        tensor, fit = letterbox(image_bgr, self.size_hw)
        tensor = tensor.astype(np.float16 if "float16" in self.input.type else np.float32)
        outputs = self.session.run(None, {self.input.name: tensor})
        boxes, scores, coefficients, prototypes = split_outputs(
            outputs, self.settings.model, self.metadata, self.size_hw
        )
        if scores.shape[1] != COCO_80 and not self.metadata.names and _by_default(self.settings):
            raise ValueError(f"{self.settings.model}: has {scores.shape[1]} classes and names none; say person_classes "
                             "and vehicle_classes, by number")  # fmt: skip
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
        return self.metadata.names.get(number, COCO_NAMES.get(number, "") if classes == COCO_80 else "")

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


def class_groups(settings: OnnxSettings, metadata: Metadata) -> dict[str, list[int]]:
    """Class numbers of persons and of vehicles: as the settings list them, by number or by the export's names.

    Where these are the defaults, COCO's numbers, the names that the export gives its classes come before them.

    Raises ValueError where the export's names are of neither kind, or a setting lists an unknown name.
    """
    given = {"person": settings.person_classes, "vehicle": settings.vehicle_classes}
    if not _by_default(settings) or not metadata.names:
        return {category: _class_numbers(listed, metadata) for category, listed in given.items()}
    words = {"person": CocoNames.person_names.split(","), "vehicle": CocoNames.vehicle_names.split(",")}
    # Trains do not take to the road.
    groups = {
        category: [
            n for n, name in metadata.names.items() if name.strip().lower() in listed and name.lower() != "train"
        ]
        for category, listed in words.items()
    }
    if not any(groups.values()):
        raise ValueError(
            f"{settings.model}: none of its classes is known as a person or a vehicle: {_shortly(metadata.names)}; say "
            "person_classes and vehicle_classes, by number or name"
        )
    return groups


def _by_default(settings: OnnxSettings) -> bool:
    listed = settings.person_classes, settings.vehicle_classes
    return listed == (OnnxSettings.person_classes, OnnxSettings.vehicle_classes)


def _class_numbers(listed: str, metadata: Metadata) -> list[int]:
    by_name = {name.strip().lower(): number for number, name in metadata.names.items()}
    parts = [part.strip().lower() for part in listed.split(",") if part.strip()]
    unknown = [part for part in parts if not part.isdigit() and part not in by_name]
    if unknown:
        known = f", or names of {_shortly(metadata.names)}" if by_name else ""
        raise ValueError(f"detector onnx: expected class numbers, comma-separated{known}, got {listed!r}")
    return [int(part) if part.isdigit() else by_name[part] for part in parts]


def _shortly(names: Mapping[int, str]) -> str:
    listed = list(names.values())
    return ", ".join(listed[:6]) + (f" and {len(listed) - 6} more" if len(listed) > 6 else "")


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


def _told(settings: OnnxSettings, inputs: Inputs) -> list[str]:
    """Which classes are read as what."""
    detector = OnnxDetector(settings)
    named = [
        f"{category}: {', '.join(detector.metadata.names.get(n) or str(n) for n in numbers) or 'none'}"
        for category, numbers in detector.groups.items()
    ]
    whose = "its own names" if detector.metadata.names else "class numbers, for it names none"
    return [f"{settings.model}: {'; '.join(named)} (by {whose})"]


BACKEND = Backend("onnx", lambda settings, inputs: OnnxDetector(settings, inputs.ignore), OnnxSettings, told=_told)
