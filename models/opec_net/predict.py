"""People of pictures to batches, and what was found of them to columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from calibration.camera import edge_to_pixel, pixel_to_edge
from models.checkpoints import network_of
from models.contract import Spec
from models.crops import checked_boxes, crop_square, squares_of
from models.frames import Frame
from models.geometry.crop_frames import from_frame, to_frame
from models.network import Batch
from models.opec_net import OpecNetSettings
from models.opec_net.couples import couples_of, union_boxes
from models.predictor import Predictor
from pipeline.core.instances import Instances

if TYPE_CHECKING:
    from models.opec_net.correction import Found

_BATCH = 4  # frames, each with all of its people


class PeoplePredictor(Predictor):
    """Frames with all their people; one without any is not looked at."""

    def _units(self, frame: Frame) -> list[list[int]]:
        return super()._units(frame) if len(frame.objects) else []


def load(spec: Spec, weights: Path | None = None, device: str | None = None) -> PeoplePredictor:
    """See `models.predictor.load`; its Spec has the skeleton of the weights, and needs poses where these correct."""
    network = network_of(spec, weights or spec.shipped)
    settings, needs, gives = network.settings, spec.needs, spec.gives
    if settings.initial == "given":
        needs = (*needs, "keypoints_initial")
    if not settings.corrected:
        gives = tuple(name for name in gives if name != "keypoints_initial")
    own = replace(spec, skeleton=settings.joints, needs=needs, gives=gives)
    return PeoplePredictor(own, network, device or ("cuda" if torch.cuda.is_available() else "cpu"), _BATCH)


def encoded(frames: Sequence[Frame], settings: OpecNetSettings) -> Batch:
    """The people of all frames, one behind another, and which of their rows are couples: image (P, 3, H, W) uint8 RGB,
    square (P, 3), pairs (C, 2), union (C, 3), and the poses to correct where frames have them, as keypoints_initial.

    Raises ValueError, naming the picture, for a box outside it and for given poses of other joints.
    """
    boxes = [checked_boxes(frame.objects["bbox_xywh"]) for frame in frames]
    for frame, among in zip(frames, boxes, strict=True):
        _check_inside(frame, among)
    starts = np.cumsum([0, *map(len, boxes)])[:-1]
    pairs = np.concatenate([couples_of(among) + start for among, start in zip(boxes, starts, strict=True)])
    every = np.concatenate(boxes)
    squares = squares_of(every, settings.aspect)
    images = [frame.image for frame, among in zip(frames, boxes, strict=True) for _ in among]
    crops = [
        crop_square(image, square, settings.height_px, settings.aspect)[..., ::-1]
        for image, square in zip(images, squares, strict=True)
    ]
    union = squares_of(union_boxes(every[pairs[:, 0]], every[pairs[:, 1]]), settings.aspect)
    batch = {
        "image": torch.from_numpy(np.stack(crops).transpose(0, 3, 1, 2).copy()),
        "square": torch.from_numpy(squares),
        "pairs": torch.from_numpy(pairs),
        "union": torch.from_numpy(union),
    }
    return batch | (_given(frames, batch["square"], settings) if _corrects_given(frames, settings) else {})


def _check_inside(frame: Frame, boxes: np.ndarray) -> None:
    height, width = frame.size_hw
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    if len(bad := np.flatnonzero((high <= 0).any(1) | (low >= [width, height]).any(1))):
        raise ValueError(
            f"opec_net: picture {frame.name or '?'}: box {bad[0]} {boxes[bad[0]].tolist()} lies outside the picture, "
            f"{width} x {height} px; give boxes that meet it"
        )


def _corrects_given(frames: Sequence[Frame], settings: OpecNetSettings) -> bool:
    there = any("keypoints_initial" in frame.objects for frame in frames)
    return settings.corrected and (there or settings.initial == "given")


def _given(frames: Sequence[Frame], squares: Tensor, settings: OpecNetSettings) -> dict[str, Tensor]:
    """given (P, K, 2) in the crops' frame, NaN where nobody gives a joint, and given_score (P, K)."""
    count, poses, scores = len(settings.joints), [], []
    for frame in frames:
        if "keypoints_initial" in frame.objects:
            xy = np.asarray(frame.objects["keypoints_initial"], float)
            check_joints(xy.shape[1], settings.skeleton, count, f"picture {frame.name or '?'}: keypoints_initial")
        elif settings.initial == "given":
            raise ValueError(
                f"opec_net: picture {frame.name or '?'}: expected keypoints_initial, the poses to correct, of its "
                "objects; give them by --poses, or weights that find poses"
            )
        else:
            xy = np.full((len(frame.objects), count, 2), np.nan)
        there = "keypoint_score" in frame.objects
        poses.append(xy)
        scores.append(np.asarray(frame.objects["keypoint_score"], float) if there else np.isfinite(xy).all(-1))
    placed = to_frame(torch.from_numpy(pixel_to_edge(np.concatenate(poses))), squares, settings.aspect)
    return {"given": placed.float(), "given_score": torch.from_numpy(np.concatenate(scores)).float().nan_to_num(0.0)}


def check_joints(found: int, skeleton: str, count: int, where: str) -> None:
    """Raise ValueError where poses have another number of joints than a skeleton."""
    if found != count:
        raise ValueError(
            f"opec_net: {where}: expected {count} joints of {skeleton}, got {found}; give poses of these joints, or "
            "weights of another skeleton"
        )


def decoded(pred: Found, frames: Sequence[Frame], settings: OpecNetSettings) -> list[Instances]:
    """keypoints_2d (K, 2) px, keypoint_score (K,) 0 to 1, keypoint_state, pose_score, the mean of the joints' scores;
    keypoints_initial (K, 2), the pose before its correction; coupled, whether CoupleGraph had its part."""
    boxes = np.concatenate([frame.objects["bbox_xywh"] for frame in frames]).astype(float)
    squares = torch.from_numpy(squares_of(boxes, settings.aspect))
    score, visible = pred.confidence, torch.ones_like(pred.confidence)
    if pred.read is not None:
        score, visible = (torch.sigmoid(value) for value in (pred.read.score, pred.read.visible))
    if pred.couple_read is not None:
        score = pred.with_couples(score, torch.sigmoid(pred.couple_read.score))
        visible = pred.with_couples(visible, torch.sigmoid(pred.couple_read.visible))
    coupled = np.zeros(len(boxes), bool)
    coupled[pred.pairs.cpu().numpy().ravel()] = True
    before = pred.base
    if _corrects_given(frames, settings):
        given = [settings.initial == "given" or "keypoints_initial" in frame.objects for frame in frames]
        of_people = np.repeat(given, [len(frame.objects) for frame in frames])
        before = torch.where(torch.from_numpy(of_people).to(before.device)[:, None, None], pred.initial, before)
    found, initial = (
        edge_to_pixel(from_frame(xy.double().cpu(), squares, settings.aspect).numpy()) for xy in (pred.final, before)
    )
    columns = {
        "keypoints_2d": found, "keypoint_score": score.double().cpu().numpy(), "keypoints_initial": initial,
        "pose_score": score.double().mean(-1).cpu().numpy(), "coupled": coupled,
    }  # fmt: skip
    states = np.where(visible.cpu().numpy() >= 0.5, "visible", "occluded").tolist()
    result, start = [], 0
    for frame in frames:
        rows = slice(start, start + len(frame.objects))
        mine = {name: column[rows] for name, column in columns.items()} | {"keypoint_state": states[rows]}
        result.append(frame.objects.with_columns(mine))
        start = rows.stop
    return result
