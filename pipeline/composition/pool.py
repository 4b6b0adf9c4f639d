"""The cutouts of a camera that may be composed, where they stand, and which of them train and which validate.

Footprints are convex polygons (N, C, 2) in world metres, boxes xywh in COCO's edges. Training and validation are apart
by time and by track, so that no object is learnt and judged at once: the last fifth of each time bucket's time span
validates, and a track that crosses that cut, in whatever bucket, is left out of the later part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from calibration.camera import Camera, GroundPlane
from pipeline.composition import depth_order
from pipeline.core.tables import matrix
from pipeline.reconstruction.uncertainty import ground_floor

TRAIN, VAL, NEITHER = "train", "val", ""
SPLITS = (TRAIN, VAL)
VAL_FRACTION = 0.2


@dataclass(frozen=True)
class Pool:
    """The N cutouts of a camera that may be composed, by cutout_id.

    table: columns of CUTOUTS (without pixels) and RECONSTRUCTED; footprints (N, C, 2); place (N, 2) and yaw's
    covariance (N, 3, 3) in the world frame, metres and radians; box_xywh (N, 4); category (N,); buckets: rows of each
    time bucket; split (N,); mask_rle: N run-length strings of frames of size_hw.
    """

    table: pa.Table
    footprints: np.ndarray
    place: np.ndarray
    covariance: np.ndarray
    z_m: np.ndarray
    box_xywh: np.ndarray
    track_id: np.ndarray
    cutout_id: np.ndarray
    category: np.ndarray
    buckets: dict[str, np.ndarray]
    split: np.ndarray
    mask_rle: list[str]
    size_hw: tuple[int, int]

    def footprint(self, row: int) -> np.ndarray:
        """(C, 2) corners of one, each once."""
        corners = self.footprints[row]
        return corners[np.r_[True, (np.diff(corners, axis=0) != 0).any(axis=1)]]


def make_pool(cutouts: pa.Table, reconstructed: pa.Table, camera: Camera, plane: GroundPlane) -> Pool:
    """Join CUTOUTS (without pixels) with RECONSTRUCTED, leaving out what has a refusal."""
    placed = reconstructed.filter(pc.is_null(reconstructed["refusal"]))
    # pyarrow's join knows no list columns.
    _, mine, theirs = np.intersect1d(
        cutouts["cutout_id"].to_numpy(), placed["cutout_id"].to_numpy(), assume_unique=True, return_indices=True
    )
    table, placed = cutouts.take(pa.array(mine)), placed.take(pa.array(theirs))
    for name in placed.column_names:
        if name != "refusal" and name not in table.column_names:
            table = table.append_column(placed.schema.field(name), placed[name])
    table = table.combine_chunks()
    bucket = np.array(table["bucket"].to_pylist(), object)
    time_s = table["timestamp"].cast(pa.int64()).to_numpy() / 1e6
    t = matrix(table["t"], 3)
    return Pool(
        table,
        _footprints(table, plane),
        plane.to_world(t)[:, :2],
        _covariance(table, camera, plane),
        table["z_m"].to_numpy(),
        matrix(table["bbox_xywh"], 4),
        table["track_id"].to_numpy(),
        table["cutout_id"].to_numpy(),
        np.array(table["category"].to_pylist(), object),
        {str(name): np.flatnonzero(bucket == name) for name in sorted(set(bucket))},
        split_cutouts(time_s, bucket, table["track_id"].to_numpy()),
        table["mask_rle"].to_pylist(),
        camera.size_hw,
    )


def _footprints(table: pa.Table, plane: GroundPlane) -> np.ndarray:
    """(N, C, 2) fitted outlines on the ground, the rectangle of the size where there is none; the last corner of those
    with fewer stands for the missing ones."""
    R, t, dims = (matrix(table[name], width) for name, width in (("R", 9), ("t", 3), ("dims_lwh_m", 3)))
    corners = list(depth_order.RECTANGLE * dims[:, None, :2])
    for row, given in enumerate(table["footprint_m"].to_pylist()):
        if given is not None:
            corners[row] = np.reshape(given, (-1, 2))
    most = max(map(len, corners), default=4)
    padded = [np.pad(c, ((0, most - len(c)), (0, 0)), "edge") for c in corners]
    return depth_order.placed(np.reshape(padded, (-1, most, 2)), R, t, plane)


def _covariance(table: pa.Table, camera: Camera, plane: GroundPlane) -> np.ndarray:
    """(N, 3, 3) of x, y and yaw; what a pixel's error does where the fit told none."""
    covariance = ground_floor(matrix(table["t"], 3), camera, plane)
    given = table["ground_cov"].to_pylist()
    known = [row for row, value in enumerate(given) if value is not None]
    covariance[known] = np.reshape([given[row] for row in known], (-1, 3, 3))
    return covariance


def split_cutouts(time_s: np.ndarray, bucket: np.ndarray, track_id: np.ndarray) -> np.ndarray:
    """(N,) `TRAIN`, `VAL` or `NEITHER` of cutouts at times (N,) of buckets (N,), of tracks (N,), -1 for the untracked.

    A bucket's span is from its first to its last cutout; one moment alone trains.
    """
    late = np.zeros(len(time_s), bool)
    for name in set(bucket.tolist()):
        rows = bucket == name
        first, last = time_s[rows].min(), time_s[rows].max()
        late[rows] = (time_s[rows] > last - VAL_FRACTION * (last - first)) & (last > first)
    crossing = late & np.isin(track_id, track_id[~late & (track_id >= 0)])
    return np.where(crossing, NEITHER, np.where(late, VAL, TRAIN))


def validates(scene: int) -> bool:
    """Whether the scene of this number in the data set validates: as many as of the time, evenly spread."""
    return int((scene + 1) * VAL_FRACTION) > int(scene * VAL_FRACTION)
