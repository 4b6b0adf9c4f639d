"""From what the heads find to the objects of a frame, with the columns of the table `objects`.

Boxes are COCO's edges, keypoints pixel centres of the frame; poses are in the frame's camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from calibration.camera import Camera, GroundPlane, edge_to_pixel
from models.body_model import load_body
from models.frames import Frame
from models.layers.regions import distinct, paste
from models.predictor import Predictor
from models.scenes.objects import CLASSES, GROUP_NAMES, SHAPES
from models.shape_basis import load_bases
from models.walt3d.heads import COUNTS, Inside, of_class
from models.walt3d.lifting import POINTS, Solid, places, solve
from pipeline.core import masks
from pipeline.core.instances import Instances
from pipeline.core.skeletons import SMPL_24
from pipeline.core.tables import KEYPOINT_STATES

if TYPE_CHECKING:
    from models.walt3d.network import Walt3d

_VEHICLE = CLASSES.index("vehicle")
_WHOLE, _VISIBLE = 0, 1
_SMPL = {"smpl_theta": 3 * len(SMPL_24), "smpl_beta": 10, "smpl_transl": 3}


@torch.no_grad()
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
        R, t, known = solve(solid, *here, frame.camera.K, frame.camera.five_terms)
        columns["R"][places_[known]], columns["t"][places_[known]] = R[known].numpy(), t[known].numpy()
    return columns


def with_bodies(objects: Instances, frame: Frame, mesh_network: Predictor) -> Instances:
    """smpl_theta (72,), smpl_beta (10,) and smpl_transl (3,) of people, NaN of others.

    A crop network does not know how far away a person is: where the camera and its plane are known the feet stand where
    the ray through the middle of the whole box's bottom edge meets the ground (WALT3D section 3), seen or not.
    """
    columns = {name: np.full((len(objects), size), np.nan) for name, size in _SMPL.items()}
    rows = [k for k in range(len(objects)) if objects["category"][k] == "person"]
    if rows:
        boxes = objects["bbox_amodal_xywh"][rows]
        (found,) = mesh_network.of_frames([replace(frame, objects=Instances(frame.size_hw, {"bbox_xywh": boxes}))])
        for name, column in columns.items():
            column[rows] = found[name]
        if frame.camera is not None and frame.plane is not None:
            theta, beta = (torch.from_numpy(columns[name][rows]) for name in ("smpl_theta", "smpl_beta"))
            placed = standing(theta, beta, boxes, frame.camera, frame.plane)
            known = np.isfinite(placed).all(axis=1)
            columns["smpl_transl"][np.array(rows)[known]] = placed[known]
    return objects.with_columns(columns)


def standing(theta: Tensor, beta: Tensor, boxes_xywh: np.ndarray, camera: Camera, plane: GroundPlane) -> np.ndarray:
    """(N, 3) SMPL's transl of bodies theta (N, 72), beta (N, 10) whose lowest vertex is on the plane and whose pelvis
    is above the ground point that the boxes' bottom edges show; NaN above the horizon."""
    posed = load_body()(theta.float().unflatten(1, (-1, 3)), beta.float())
    vertices, pelvis = posed.vertices.double().cpu().numpy(), posed.joints[:, 0].double().cpu().numpy()
    bottom = edge_to_pixel(boxes_xywh[:, :2] + boxes_xywh[:, 2:] * (0.5, 1.0))
    foot, n = plane.intersect(camera, bottom), plane.n
    level = pelvis - (pelvis @ n)[:, None] * n
    lowest = (vertices @ n).min(axis=1)
    # foot . n = -d: the foot's own height is the plane's.
    return foot - level - lowest[:, None] * n
