"""Detections joined over time into tracks, with the ground point under each and its velocity.

A track is one object through one sequence; its id is unique over the camera. Ground points and velocities are in the
world frame of the ground plane, metres and metres a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from calibration.camera import Camera, GroundPlane
from pipeline.core.instances import RIDER
from pipeline.core.tables import TRACKS, matrix
from pipeline.tracking.appearance import colours
from pipeline.tracking.association import AssociationSettings, Trajectories, associate
from pipeline.tracking.ground_speed import foot_points, velocities
from pipeline.tracking.registry import tracker_of
from pipeline.tracking.subcategories import least_speed, voted

UNTRACKED = -1


@dataclass(frozen=True)
class TrackingSettings:
    """How boxes are joined, and what no street user can do. options: the tracker's own settings, where it has any."""

    tracker: str = field(default="bytetrack", metadata={"help": "name of the tracker"})
    lost_s: float = field(default=1.0, metadata={"help": "a track waits so long for its object to come back, seconds"})
    min_iou: float = field(default=0.15, metadata={"help": "least overlap of a box with the predicted one, IoU"})
    reach: float = field(
        default=0.25,
        metadata={"help": "boxes grow by this fraction of their size before they are compared: few frames a second"},
    )
    confident_score: float = field(
        default=0.5,
        metadata={"help": "boxes from this score are joined first (bytetrack), 0 to 1", "formerly": "sure_score"},
    )
    new_score: float = field(default=0.3, metadata={"help": "least score of a track's first box, 0 to 1"})
    max_vehicle_mps: float = field(default=45.0, metadata={"help": "a faster vehicle is two, metres a second"})
    max_person_mps: float = field(default=8.0, metadata={"help": "a faster person is two, metres a second"})
    rider_mps: float = field(
        default=4.0,
        metadata={"help": "a person who goes faster rides something, and is not composed, metres a second"},
    )
    foot_noise_px: float = field(
        default=3.0, metadata={"help": "how far a box's bottom may be off; at far range that is metres, pixels"}
    )
    smooth_s: float = field(default=0.5, metadata={"help": "velocity is fitted over so long before and after, seconds"})
    appearance: bool = field(
        default=False,
        metadata={"help": "join what an occlusion broke by colours and motion, for which frames are read"},
    )
    association: AssociationSettings = field(default_factory=AssociationSettings, metadata={"formerly": "relink"})

    options: Any = field(default=None, metadata={"apart": True})

    def __post_init__(self) -> None:
        own = tracker_of(self.tracker).settings
        if own is not None and self.options is None:
            object.__setattr__(self, "options", own())


@dataclass(frozen=True)
class _Boxes:
    """All detections, ordered by sequence and time: arrays of N rows."""

    row: np.ndarray  # row in the table they came from
    sequence: np.ndarray
    frame: np.ndarray  # number of the frame in time order
    time_s: np.ndarray
    xyxy: np.ndarray  # (N, 4) COCO edges
    score: np.ndarray
    person: np.ndarray


def track(
    detections: pa.Table,
    frames: pa.Table,
    camera: Camera | None,
    plane: GroundPlane | None,
    settings: TrackingSettings,
    progress: Callable[[int, int], None] | None = None,
    root: Path = Path(),
) -> pa.Table:
    """TRACKS of DETECTIONS, a row each and in their order; boxes that belong to no track have track_id -1.

    A track's boxes all get the category that has the higher sum of scores in it, and of its subcategories too.
    Without a camera and its plane there are no ground points, and nothing is too fast: ways are told in pixels alone.
    `root` is the camera's folder, whose frames only `appearance` reads. Raises ValueError for a detection whose frame
    is not in `frames`.
    """
    boxes, about = _boxes_in_time(detections, frames)
    ids = _joined_boxes(boxes, about, settings, progress)
    foot, slack = np.full((len(boxes.row), 2), np.nan), np.full(len(boxes.row), np.inf)
    if camera is not None and plane is not None:
        foot, slack = foot_points(boxes.xyxy, camera, plane, settings.foot_noise_px)
    person = _vote(boxes, ids)
    limit_mps = np.where(person, settings.max_person_mps, settings.max_vehicle_mps)
    ids = _split_at_leaps(ids, boxes, foot, slack, limit_mps)
    if settings.appearance:
        trajectories = Trajectories(ids, boxes.sequence, boxes.frame, boxes.time_s, foot, slack, limit_mps)
        ids = _associated(trajectories, boxes, detections, frames, root, settings.association)
    ids = _renumbered(ids)
    velocity = velocities(ids, boxes.time_s, foot, settings.smooth_s)
    person = _vote(boxes, ids)
    own = np.array(detections["subcategory"].to_pylist(), object)[boxes.row]
    fine = voted(own, boxes.score, ids, boxes.person == person)
    fine[person & (least_speed(ids, boxes.time_s, foot, slack) > settings.rider_mps)] = RIDER
    return _tracks_table(detections, about, boxes, ids, person, fine, foot, velocity)


def _boxes_in_time(detections: pa.Table, frames: pa.Table) -> tuple[_Boxes, pa.Table]:
    """The detections in time order, and FRAMES in time order."""
    about = frames.sort_by([("sequence", "ascending"), ("timestamp", "ascending"), ("frame_id", "ascending")])
    place = {frame_id: k for k, frame_id in enumerate(about["frame_id"].to_pylist())}
    frame_ids = detections["frame_id"].to_pylist()
    unknown = [i for i in frame_ids if i not in place]
    if unknown:
        raise ValueError(
            f"detections: frame {unknown[0]} is not in the table of frames; were they made of other frames?"
        )
    frame = np.array([place[i] for i in frame_ids], int)
    row = np.argsort(frame, kind="stable")
    box = matrix(detections["bbox_xywh"], 4)[row]
    time_s = about["timestamp"].cast(pa.int64()).to_numpy() / 1e6
    return _Boxes(
        row,
        about["sequence"].to_numpy()[frame[row]],
        frame[row],
        time_s[frame[row]],
        np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], axis=1),
        detections["score"].to_numpy()[row].astype(float),
        np.array([c == "person" for c in detections["category"].to_pylist()], bool)[row],
    ), about


def _joined_boxes(
    boxes: _Boxes, about: pa.Table, settings: TrackingSettings, progress: Callable[[int, int], None] | None
) -> np.ndarray:
    """Track ids (N,), counted through all sequences; -1 for boxes left alone."""
    ids = np.full(len(boxes.row), UNTRACKED)
    sequence, stamp = about["sequence"].to_numpy(), about["timestamp"].cast(pa.int64()).to_numpy() / 1e6
    starts = np.searchsorted(boxes.frame, np.arange(len(sequence) + 1))
    first = 0
    for done, members in enumerate(_runs(sequence), start=1):
        of_frames = [slice(int(starts[k]), int(starts[k + 1])) for k in members]
        ids_here = _join_sequence(boxes, of_frames, stamp[members], settings)
        whole = slice(of_frames[0].start, of_frames[-1].stop)
        ids[whole] = np.where(ids_here >= 0, ids_here + first, UNTRACKED)
        first = max(first, int(ids[whole].max(initial=-1)) + 1)
        if progress:
            progress(done, len(np.unique(sequence)))
    return ids


def _runs(values: np.ndarray) -> Iterator[np.ndarray]:
    """Index ranges of equal neighbours."""
    if len(values):
        yield from np.split(np.arange(len(values)), np.flatnonzero(np.diff(values)) + 1)


def _join_sequence(boxes: _Boxes, of_frames: list[slice], time_s: np.ndarray, settings: TrackingSettings) -> np.ndarray:
    """Track ids from 0 of the boxes of one sequence, whose frames hold the slices `of_frames`."""
    import supervision as sv
    from trackers.utils.iou import BIoU

    tracker = tracker_of(settings.tracker).make(settings, _frame_rate(time_s))
    overlap = BIoU(settings.reach)
    ids = np.full(of_frames[-1].stop - of_frames[0].start, UNTRACKED)
    begin, before, seen = of_frames[0].start, slice(0, 0), -1
    for part, stamp in zip(of_frames, time_s, strict=True):
        xyxy, here = boxes.xyxy[part], slice(part.start - begin, part.stop - begin)
        numbered = sv.Detections(xyxy, confidence=boxes.score[part], data={"number": np.arange(len(xyxy))})
        updated = tracker.update(numbered, timestamp=stamp - time_s[0])
        if len(updated):
            ids[here.start + updated.data["number"]] = updated.tracker_id
        fresh = here.start + np.flatnonzero(ids[here] > seen)
        _give_first_boxes(ids, boxes.xyxy[begin:], fresh, np.arange(before.start, before.stop), overlap)
        seen, before = max(seen, int(ids[here].max(initial=-1))), here
    return ids


def _frame_rate(time_s: np.ndarray) -> float:
    """Frames a second of a sequence's times."""
    steps = np.diff(time_s)
    steps = steps[steps > 0]
    return float(1 / np.median(steps)) if len(steps) else 1.0


def _give_first_boxes(ids: np.ndarray, xyxy: np.ndarray, fresh: np.ndarray, before: np.ndarray, overlap: Any) -> None:
    """Give each track that just began its very first box, of the frame before, which trackers report as untracked."""
    free = before[ids[before] == UNTRACKED]
    if not len(fresh) or not len(free):
        return
    shared = overlap.compute(xyxy[fresh], xyxy[free])
    for k in np.argsort(-shared.max(axis=1), kind="stable"):
        best = int(shared[k].argmax())
        if shared[k, best] > 0:
            ids[free[best]] = ids[fresh[k]]
            shared[:, best] = 0


def _split_at_leaps(
    ids: np.ndarray, boxes: _Boxes, foot: np.ndarray, slack: np.ndarray, limit_mps: np.ndarray
) -> np.ndarray:
    """Ids with a new one from every step that is too long for its time even when both feet are off by their slack."""
    order = np.argsort(ids, kind="stable")  # boxes are in time order already
    before, after = order[:-1], order[1:]
    step = np.linalg.norm(foot[after] - foot[before], axis=1) - slack[after] - slack[before]
    allowed = limit_mps[after] * (boxes.time_s[after] - boxes.time_s[before])
    # NaN compares false: without ground points nothing is known.
    begins = (ids[after] != ids[before]) | (step > allowed)
    tracklets = np.empty(len(ids), int)
    tracklets[order] = np.concatenate([[0], np.cumsum(begins)]) if len(ids) else 0
    return np.where(ids >= 0, tracklets, UNTRACKED)


def _associated(
    trajectories: Trajectories,
    boxes: _Boxes,
    detections: pa.Table,
    frames: pa.Table,
    root: Path,
    settings: AssociationSettings,
) -> np.ndarray:
    """Ids of the trajectories' boxes with broken tracks joined; the untracked stay so."""
    known = np.flatnonzero(trajectories.track >= 0)
    frame_ids = detections["frame_id"].to_numpy()[boxes.row[known]]
    rles = np.array(detections["mask_rle"].to_pylist(), object)[boxes.row[known]]

    def appearance(rows: np.ndarray) -> np.ndarray:
        return colours(frame_ids[rows], rles[rows].tolist(), frames, root)

    tracked = Trajectories(*(getattr(trajectories, f.name)[known] for f in fields(Trajectories)))
    ids = np.full(len(trajectories.track), UNTRACKED)
    ids[known] = associate(tracked, appearance, settings)
    return ids


def _renumbered(ids: np.ndarray) -> np.ndarray:
    """Ids counted from 0 in the order in which tracks first appear; a track of a single box is none."""
    unique, first, inverse, counts = np.unique(ids, return_index=True, return_inverse=True, return_counts=True)
    kept = (unique >= 0) & (counts > 1)
    number = np.full(len(unique), UNTRACKED)
    appearing = np.flatnonzero(kept)[np.argsort(first[kept], kind="stable")]
    number[appearing] = np.arange(len(appearing))
    return number[inverse]


def _vote(boxes: _Boxes, ids: np.ndarray) -> np.ndarray:
    """(N,) bool, person, by the sum of scores in each track; untracked boxes keep their own."""
    if not len(ids):
        return boxes.person
    balance = np.bincount(np.maximum(ids, 0), np.where(ids >= 0, np.where(boxes.person, 1, -1) * boxes.score, 0))
    return np.where(ids >= 0, balance[np.maximum(ids, 0)] > 0, boxes.person)


def _tracks_table(
    detections: pa.Table,
    about: pa.Table,
    boxes: _Boxes,
    ids: np.ndarray,
    person: np.ndarray,
    subcategory: np.ndarray,
    foot: np.ndarray,
    velocity: np.ndarray,
) -> pa.Table:
    """TRACKS in the order of the detections."""
    back = np.argsort(boxes.row, kind="stable")
    frame = about.take(pa.array(boxes.frame[back]))
    values = {name: detections[name] for name in ("detection_id", "frame_id", "score", "bbox_xywh", "mask_rle")}
    values |= {name: frame[name] for name in ("timestamp", "bucket", "sequence")}
    values["category"] = pa.array(np.where(person, "person", "vehicle")[back].tolist(), pa.string())
    values["subcategory"] = pa.array(subcategory[back].tolist(), pa.string())
    values["track_id"] = pa.array(ids[back], pa.int64())
    values["foot_xy_m"] = pa.array(foot[back].tolist(), TRACKS.field("foot_xy_m").type)
    values["velocity_xy_mps"] = pa.array(velocity[back].tolist(), TRACKS.field("velocity_xy_mps").type)
    return pa.table([values[name] for name in TRACKS.names], schema=TRACKS)
