"""From what the heads find to the objects of a frame, with the columns of the table `objects`.

Boxes are COCO's edges, keypoints pixel centres of the frame; poses are in the frame's camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from calibration.camera import edge_to_pixel
from models import predictor
from models.contract import Given, Preset, Progress, Spec
from models.frames import Frame
from models.layers.regions import distinct, paste
from models.predictor import Predictor
from models.scenes.evaluate import evaluate_scenes
from models.scenes.objects import CLASSES, GROUP_NAMES, SHAPES
from models.shape_basis import load_bases
from models.walt3d.data import splits
from models.walt3d.heads import COUNTS, Inside, of_class
from models.walt3d.lifting import POINTS, Solid, places, solve
from pipeline.core import masks
from pipeline.core.instances import Instances
from pipeline.core.tables import KEYPOINT_STATES

if TYPE_CHECKING:
    from models.walt3d.network import Walt3d

_VEHICLE = CLASSES.index("vehicle")
_WHOLE, _VISIBLE = 0, 1


def load(spec: Spec, weights: Path | None, device: str | None) -> Predictor:
    """A predictor that sees a frame at a time: pictures of any size do not wait for each other."""
    house = predictor.load(spec, weights, device)
    return Predictor(spec, house.network, house.device, batch=1)


def measure(
    spec: Spec, preset: Preset, given: Given, weights: Path, *, device: str | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows of `evaluate_scenes` on the scenes that training kept back, in their own size."""
    house, windows = load(spec, weights, device), splits(preset.network, given, preset.train.seed).val
    return evaluate_scenes(house.of_frames, windows.source, progress)  # type: ignore[attr-defined]


def objects_of(network: Walt3d, found: Any, frame: Frame) -> Instances:
    """The objects of one frame, best first, of what `AmodalRoIHead.predict` found in it.

    Two are one where both their whole and their visible masks agree: a hidden object has the whole mask of nobody, or
    sees what nobody sees.
    """
    inside = Inside(found.masks, found.heat, found.states)
    there, drawn = _drawn(inside.masks, found.regions, frame.size_hw)
    best = _distinct(found.labels[there], found.scores[there], drawn, frame.size_hw, network.settings.mask_overlap)
    rows, pairs = [there[k] for k in best], [drawn[k] for k in best]
    labels = found.labels[rows]
    kept = Inside(*(value[rows] for value in inside))
    columns = {
        "category": [CLASSES[k] for k in labels.tolist()],
        "score": found.scores[rows].double().cpu().numpy(),
        "bbox_amodal_xywh": _xywh(found.bboxes[rows]),
        "bbox_visible_xywh": _xywh(found.visible[rows]),
        "mask_amodal_rle": [whole for whole, _ in pairs],
        "mask_visible_rle": [seen for _, seen in pairs],
    }
    areas = [[masks.area(rle, frame.size_hw) for rle in pair] for pair in pairs]
    columns["visible_fraction"] = np.array([seen / max(whole, 1) for whole, seen in areas])
    xy, score = places(kept, labels, found.regions[rows])
    states = of_class(kept.states, labels).argmax(-1).cpu().numpy()
    pixels, counts = edge_to_pixel(xy.double().cpu().numpy()), [COUNTS[k] for k in labels.tolist()]
    columns["keypoints_2d"] = [one[:count] for one, count in zip(pixels, counts, strict=True)]
    columns["keypoint_score"] = [one[:n] for one, n in zip(score.double().cpu().numpy(), counts, strict=True)]
    columns["keypoint_state"] = [
        [KEYPOINT_STATES[k] for k in one[:count]] for one, count in zip(states, counts, strict=True)
    ]
    if network.heads.lift_head is not None:
        columns |= _solids(network, found.features[rows], labels, torch.from_numpy(pixels), score, frame)
    return Instances(frame.size_hw, columns)


def _drawn(logits: Tensor, regions: Tensor, size_hw: tuple[int, int]) -> tuple[list[int], list[tuple[str, str]]]:
    """Rows that have a whole mask, and of each the run-length strings of it and of what is seen, a part of it."""
    likely = logits[:, :2].sigmoid().cpu().numpy()
    likely[:, _WHOLE] = likely.max(axis=1)
    rows, pairs, nothing = [], [], (np.zeros((0, 0), bool), (0, 0))
    for row, (maps, box) in enumerate(zip(likely, regions.cpu().numpy().astype(float), strict=True)):
        whole, seen = (paste(one, box, size_hw) for one in maps)
        if whole is not None:
            rows.append(row)
            pairs.append((masks.encode(*whole, size_hw), masks.encode(*(seen or nothing), size_hw)))
    return rows, pairs


def _distinct(
    labels: Tensor, scores: Tensor, drawn: Sequence[tuple[str, str]], size_hw: tuple[int, int], most: float
) -> list[int]:
    """Rows, best first, of objects whose masks agree with no better one's of their class."""
    if not drawn:
        return []
    overlap = np.minimum(*(masks.iou(part, part, size_hw) for part in map(list, zip(*drawn, strict=True))))
    alike = torch.from_numpy(overlap).to(labels.device) * (labels[:, None] == labels[None])
    return distinct(scores, alike, most).tolist()


def _xywh(boxes: Tensor) -> np.ndarray:
    return torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1).double().cpu().numpy()


def _solids(
    network: Walt3d, features: Tensor, labels: Tensor, xy_px: Tensor, score: Tensor, frame: Frame
) -> dict[str, Any]:
    """shape_basis, shape, R, t, dims_lwh_m of vehicles, nothing of others; poses where the camera is known."""
    count, nan = len(labels), np.nan
    columns: dict[str, Any] = {
        "shape_basis": [None] * count, "shape": np.full((count, SHAPES), nan), "R": np.full((count, 3, 3), nan),
        "t": np.full((count, 3), nan), "dims_lwh_m": np.full((count, 3), nan),
    }  # fmt: skip
    rows = torch.nonzero(labels == _VEHICLE).flatten()
    if not len(rows):
        return columns
    solid = Solid(*(value.cpu() for value in network.heads.lift_head(features[rows])))
    group = solid.groups.argmax(1)
    shape = solid.shapes[torch.arange(len(rows)), group].double().numpy()
    places_ = rows.cpu().numpy()
    columns["shape"][places_] = shape
    for place, number, coefficients in zip(places_, group.tolist(), shape, strict=True):
        columns["shape_basis"][place] = GROUP_NAMES[number]
        columns["dims_lwh_m"][place] = load_bases()[GROUP_NAMES[number]].dims_lwh_m(coefficients)
    if frame.camera is not None:
        here = xy_px[places_, :POINTS].float(), score[rows, :POINTS].cpu()
        R, t, known = solve(solid, *here, frame.camera.K, frame.camera.distortion)
        columns["R"][places_[known]], columns["t"][places_[known]] = R[known].numpy(), t[known].numpy()
    return columns
