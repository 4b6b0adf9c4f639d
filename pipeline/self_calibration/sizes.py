"""Who was seen, as rulers for the calibration: out of a camera's tracks, whatever calibration they were made with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from calibration.camera import Camera, GroundPlane
from calibration.rulers import Sightings, sentence, sightings
from pipeline.core.storage import read_table
from pipeline.core.tables import matrix

_COLUMNS = ["track_id", "frame_id", "category", "subcategory", "bbox_xywh"]
# What is as large as people walking, and as cars; a detector that tells no more than "vehicle" mostly sees cars.
_PEOPLE, _CARS = ("person", None), ("car", None)
_MOST_TRACKS = 300
_APART = 10  # frames between two that are shown


def read_tracks(path: Path) -> pa.Table:
    """The columns of a TRACKS file that are needed here."""
    return read_table(path, columns=_COLUMNS)


def sightings_of(tracks: pa.Table, size_hw: tuple[int, int]) -> Sightings:
    """Of people who walk and cars, at most 300 tracks, evenly over the recording."""
    person = np.array(tracks["category"].to_pylist(), object) == "person"
    kind = np.array(tracks["subcategory"].to_pylist(), object)
    fit = np.where(person, [one in _PEOPLE for one in kind], [one in _CARS for one in kind]).astype(bool)
    track = tracks["track_id"].to_numpy()
    ids = np.unique(track[fit & (track >= 0)])
    kept = ids[np.unique(np.linspace(0, max(len(ids) - 1, 0), _MOST_TRACKS).astype(int))] if len(ids) else ids
    rows = np.flatnonzero(fit & np.isin(track, kept))
    boxes = matrix(tracks["bbox_xywh"], 4)[rows].astype(float)
    return sightings(boxes, person[rows], track[rows], tracks["frame_id"].to_numpy()[rows], size_hw)


def sentence_of(tracks: pa.Table, camera: Camera, plane: GroundPlane) -> str:
    """What a camera's people and cars say of its calibration, for people."""
    return sentence(camera, plane, sightings_of(tracks, camera.size_hw))


def busiest(tracks: pa.Table, count: int) -> list[int]:
    """Frame ids with most tracks, apart from each other, the busiest first."""
    ids, seen = np.unique(tracks["frame_id"].to_numpy()[tracks["track_id"].to_numpy() >= 0], return_counts=True)
    chosen: list[int] = []
    for frame in ids[np.argsort(-seen, kind="stable")]:
        if all(abs(int(frame) - other) >= _APART for other in chosen):
            chosen.append(int(frame))
        if len(chosen) == count:
            break
    return chosen


def in_frame(tracks: pa.Table, frame_id: int, size_hw: tuple[int, int]) -> Sightings:
    """All that a frame shows, with where each goes next."""
    track, frame = tracks["track_id"].to_numpy(), tracks["frame_id"].to_numpy()
    here = np.flatnonzero((frame == frame_id) & (track >= 0))
    near = np.flatnonzero(np.isin(track, track[here]) & (np.abs(frame - frame_id) <= 2 * _APART))
    boxes = matrix(tracks["bbox_xywh"], 4)[near].astype(float)
    person = np.array(tracks["category"].to_pylist(), object)[near] == "person"
    seen = sightings(boxes, person, track[near], frame[near], size_hw)
    shown = {tuple(box) for box in matrix(tracks["bbox_xywh"], 4)[here].astype(float)}
    return seen.at(np.array([n for n, box in enumerate(seen.box_xywh) if tuple(box) in shown], int))
