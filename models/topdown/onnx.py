"""Any YOLO pose network exported to ONNX, looking at one box at a time: whole frames fail on small people.

Input [1, 3, S, S] as of models.exported; output [1, 56, N] or its transpose: cx cy w h in input pixels, score,
and x, y, visibility of COCO's 17 keypoints for each of N candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calibration.camera import edge_to_pixel
from models.exported import letterbox, open_session
from pipeline.core.boxes import box_iou
from pipeline.core.skeletons import COCO_17

_ENLARGED = 1.5  # the crop, of the box
_MIN_SCORE = 0.05
_MIN_OVERLAP = 0.3  # candidates that agree less with the box are of somebody else, IoU
_COLUMNS = 4 + 1 + len(COCO_17) * 3


class OnnxPose:
    """PersonPose that runs an exported network with onnxruntime."""

    def __init__(self, model_path: str | Path, threads: int = 1) -> None:
        """Raises ValueError for a file that is not there or is another network."""
        self.model = str(model_path)
        self.session = open_session(self.model, threads, "pose onnx", "expected a YOLO-pose export (.onnx)")
        self.input = self.session.get_inputs()[0]
        shape = self.input.shape
        if len(shape) != 4 or shape[1] != 3:
            raise ValueError(f"{self.model}: expected an input [1, 3, S, S], got {shape}")
        # An export with free axes takes the usual training size.
        self.size_hw = tuple(side if isinstance(side, int) else 640 for side in shape[2:])
        _check_columns(self.model, [output.shape for output in self.session.get_outputs()])

    def predict(self, images_bgr: Sequence[np.ndarray], boxes_xywh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See PersonPose."""
        boxes = np.asarray(boxes_xywh, float).reshape(-1, 4)
        shape = len(boxes), len(COCO_17)
        xy, score = np.full((*shape, 2), np.nan), np.zeros(shape)
        for i, (image, box) in enumerate(zip(images_bgr, boxes, strict=True)):
            found = self._in_box(image, box)
            if found is not None:
                xy[i], score[i] = found
        return xy, score

    def _in_box(self, image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Keypoints (17, 2) and scores (17,) of the person in a box; None where nobody is."""
        cropped = _crop(image, box)
        if cropped is None:
            return None
        crop, corner = cropped
        tensor, fit = letterbox(crop, self.size_hw)
        tensor = tensor.astype(np.float16 if "float16" in self.input.type else np.float32)
        rows = candidates(self.session.run(None, {self.input.name: tensor}), self.model)
        rows = rows[rows[:, 4] >= _MIN_SCORE]
        centre, size = (rows[:, :2] - fit.pad) / fit.scale + corner, rows[:, 2:4] / fit.scale
        overlap = box_iou(np.concatenate([centre - size / 2, size], axis=1), np.tile(box, (len(rows), 1)))
        # Many candidates are of the same person: among those that agree with the box the most confident.
        value = np.where(overlap >= _MIN_OVERLAP, overlap * np.sqrt(rows[:, 4]), -1.0)
        if value.max(initial=-1.0) < 0:
            return None
        best = rows[value.argmax()]
        points = best[5:].reshape(-1, 3)
        xy = edge_to_pixel((points[:, :2] - fit.pad) / fit.scale + corner)
        return xy, np.clip(points[:, 2], 0, 1)


def _crop(image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The box enlarged, as far as the image goes, and its top-left corner (2,); None where that is nothing."""
    if not np.isfinite(box).all():
        return None
    centre, half = box[:2] + box[2:] / 2, box[2:] * _ENLARGED / 2
    limits = image.shape[1::-1]
    left, top = np.clip(np.floor(centre - half), 0, limits).astype(int)
    right, bottom = np.clip(np.ceil(centre + half), 0, limits).astype(int)
    if right - left < 1 or bottom - top < 1:
        return None
    return image[top:bottom, left:right], np.array([left, top])


def candidates(outputs: Sequence[np.ndarray], model: str) -> np.ndarray:
    """(N, 56) float32 of a network's outputs, in either order of its axes; ValueError naming the shapes else."""
    _check_columns(model, [output.shape for output in outputs])
    rows = np.asarray(outputs[0][0], np.float32)
    return rows.T if rows.shape[0] == _COLUMNS else rows


def _check_columns(model: str, shapes: Sequence[Sequence[int | str]]) -> None:
    sides = shapes[0][1:] if shapes and len(shapes[0]) == 3 else [0]
    # Exports with free axes only name them.
    if _COLUMNS not in sides and all(isinstance(side, int) for side in sides):
        shown = [tuple(shape) for shape in shapes]
        raise ValueError(f"{model}: expected the output [1, {_COLUMNS}, N] of a YOLO-pose export, got {shown}")
