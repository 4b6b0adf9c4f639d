"""The TRACKS table as arrays, one row a detection.

Boxes are xywh in COCO's edge coordinates, ranges are metres along the ground from under the camera, sizes in metres
are (across the view, up) at the foot point, seen as if the object were a card standing there.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa

from calibration.camera import Camera, GroundPlane, edge_to_pixel
from calibration.ground import pixels_per_metre
from pipeline.core import masks
from pipeline.core.tables import matrix


@dataclass(frozen=True)
class Observations:
    """N detections; every field has N rows.

    scale_px (N, 2): pixels of a metre across and up at the foot, NaN without a ground point; area_m2: of the mask.
    """

    detection_id: np.ndarray
    frame_id: np.ndarray
    track_id: np.ndarray
    is_person: np.ndarray
    score: np.ndarray
    box_xywh: np.ndarray
    rle: np.ndarray
    time_s: np.ndarray
    bucket: np.ndarray
    foot_xy_m: np.ndarray
    scale_px: np.ndarray
    area_px: np.ndarray

    def __len__(self) -> int:
        return len(self.detection_id)

    def at(self, rows: np.ndarray) -> Observations:
        """The rows of an index or a bool mask."""
        return Observations(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @property
    def range_m(self) -> np.ndarray:
        """(N,) distance along the ground."""
        return np.hypot(self.foot_xy_m[:, 0], self.foot_xy_m[:, 1])

    @property
    def size_m(self) -> np.ndarray:
        """(N, 2) width and height of the box."""
        return self.box_xywh[:, 2:] / self.scale_px

    @property
    def area_m2(self) -> np.ndarray:
        """(N,) area of the mask."""
        return self.area_px / self.scale_px.prod(axis=1)


def foot_px(box_xywh: np.ndarray) -> np.ndarray:
    """Pixels (N, 2), centre coordinates, of the middle of the boxes' bottom edges."""
    return edge_to_pixel(box_xywh[:, :2] + box_xywh[:, 2:] * np.array([0.5, 1.0]))


def from_tracks(tracks: pa.Table, camera: Camera, plane: GroundPlane) -> Observations:
    """All rows of a TRACKS table, in its order."""
    boxes = matrix(tracks["bbox_xywh"], 4)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = pixels_per_metre(camera, plane, foot_px(boxes))
    rles = np.array(tracks["mask_rle"].to_pylist(), object)
    return Observations(
        detection_id=tracks["detection_id"].to_numpy(),
        frame_id=tracks["frame_id"].to_numpy(),
        track_id=tracks["track_id"].to_numpy(),
        is_person=np.array(tracks["category"].to_pylist(), object) == "person",
        score=tracks["score"].to_numpy(),
        box_xywh=boxes,
        rle=rles,
        time_s=tracks["timestamp"].cast(pa.int64()).to_numpy() / 1e6,
        bucket=np.array(tracks["bucket"].to_pylist(), object),
        foot_xy_m=matrix(tracks["foot_xy_m"], 2),
        scale_px=scale,
        area_px=np.array([masks.area(rle, camera.size_hw) for rle in rles], float),
    )


def by_track(seen: Observations) -> list[np.ndarray]:
    """Rows of each track, in time order; the untracked are left out."""
    order = np.lexsort((seen.time_s, seen.track_id))
    order = order[seen.track_id[order] >= 0]
    return np.split(order, np.flatnonzero(np.diff(seen.track_id[order])) + 1) if len(order) else []


def track_length(track_id: np.ndarray) -> np.ndarray:
    """(N,) detections of each one's track; 1 for the untracked."""
    ids, number, count = np.unique(track_id, return_inverse=True, return_counts=True)
    return np.where(ids[number] < 0, 1, count[number])
