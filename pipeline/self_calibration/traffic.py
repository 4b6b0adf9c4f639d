"""Who was seen, as evidence for a calibration that there is none of yet: out of a camera's tracks, in pixels alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from calibration.traffic.outlines import CAR, PERSON
from calibration.traffic.tracks import Tracks, tracks_of
from pipeline.core.tables import matrix

# Boxes of people are so many times as high as wide, of cars at most so many: what lies between may be either.
_UPRIGHT, _FLAT = 1.9, 1.2
_PEOPLE, _CARS = ("person", None), ("car", None)
_LEAST_BOXES = 3


def traffic_of(tracks: pa.Table, size_hw: tuple[int, int], *, by_shape: bool = False) -> Tracks:
    """Of TRACKS the people who walk and the cars; by_shape: who is which is told by their boxes' shapes alone, where
    the detector knew them by sizes in metres that nobody knows yet."""
    track = tracks["track_id"].to_numpy()
    box = matrix(tracks["bbox_xywh"], 4).astype(float).reshape(-1, 4)
    kind = _by_shape(box, track) if by_shape else _by_class(tracks)
    time_s = tracks["timestamp"].cast(pa.int64()).to_numpy() / 1e6
    # A track's number is of one sequence: times between sequences mean nothing, and are not looked at.
    fit = (kind >= 0) & (track >= 0)
    return tracks_of(box[fit], kind[fit], track[fit], time_s[fit] - time_s.min(initial=np.inf), size_hw)


def _by_class(tracks: pa.Table) -> np.ndarray:
    """(N,) PERSON, CAR or -1."""
    person = np.array(tracks["category"].to_pylist(), object) == "person"
    fine = np.array(tracks["subcategory"].to_pylist(), object)
    walks = np.array([one in _PEOPLE for one in fine], bool)
    drives = np.array([one in _CARS for one in fine], bool)
    return np.where(person & walks, PERSON, np.where(~person & drives, CAR, -1))


def _by_shape(box: np.ndarray, track: np.ndarray) -> np.ndarray:
    """(N,) PERSON, CAR or -1, one for a track, by the middle of its boxes' shapes."""
    shape = box[:, 3] / np.maximum(box[:, 2], 1)
    kind = np.full(len(box), -1)
    order = np.argsort(track, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(track[order])) + 1) if len(order) else []:
        middle = float(np.median(shape[rows]))
        if len(rows) >= _LEAST_BOXES:
            kind[rows] = PERSON if middle > _UPRIGHT else CAR if middle < _FLAT else -1
    return kind
