"""Vehicles that end where others end: at a post, a sign or a trunk that hides their front or tail.

Who waits at a stop line behind a lamp post has a mask that ends there. The piece beyond it is small and gets lost,
nothing of the outline is missing as the track knows it, and the post is no hole. But vehicles differ, and stop at
different places: where the ends of many of them lie one above the other, upright, it is not the vehicles that end.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core import masks
from pipeline.core.boxes import box_iou
from pipeline.mining.observations import Observations, by_track

# Pixels of a frame whose longer side has REFERENCE_PX.
_REFERENCE_PX = 1280
_SPAN_PX = 3  # rows above and below in which an upright end does not move,
_STRAIGHT_PX = 1  # by more than this
_ABOUT_PX = 12  # to the left and right, at least: how many would end here if it were by chance
_FRAMES = 5  # a track that ends at a place in so many frames, or in all it has, is one witness
_WITNESSES, _PEAK = 2, 4  # so many witnesses, and so many times as many as about it, are not by chance
_SAME_IOU = 0.85  # of the boxes in which one vehicle stands
_MOST = 0.35  # of a vehicle's height that may end there

Ends = tuple[np.ndarray, np.ndarray]  # rows and columns (K,) of the frame


def cut_by_edges(seen: Observations, witnesses: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """(N,) bool: vehicles one of whose sides ends where others do; witnesses (N,) bool: whose ends are the mask's own,
    not the frame's border."""
    unit = max(size_hw) / _REFERENCE_PX
    cut = np.zeros(len(seen), bool)
    rows = np.flatnonzero(~seen.is_person)
    sides = {int(row): _sides(seen.rle[row], size_hw, unit) for row in rows}
    vehicles = _vehicles(seen, witnesses)
    for side in (0, 1):
        votes = np.zeros(size_hw, np.float32)
        for one in vehicles:
            _vote(votes, [sides[row][side] for row in one])
        peak = _peaks(votes, unit)
        for row in rows:
            ends = sides[int(row)][side]
            cut[row] |= peak[ends].sum() > _MOST * seen.box_xywh[row, 3]
    return cut


def _vehicles(seen: Observations, witnesses: np.ndarray) -> list[list[int]]:
    """Rows of the witnesses of each vehicle: of tracks, but that tracks of one place and size are of one that stood
    there while it was lost and found again."""
    found: list[list[int]] = []
    boxes = np.zeros((0, 4))
    for track in by_track(seen):
        rows = track[witnesses[track] & ~seen.is_person[track]]
        if not len(rows):
            continue
        box = np.median(seen.box_xywh[rows], axis=0)
        same = np.flatnonzero(box_iou(boxes, box) > _SAME_IOU)
        if len(same):
            found[same[0]] += rows.tolist()
        else:
            found.append(rows.tolist())
            boxes = np.vstack([boxes, box])
    return found


def _sides(rle: str, size_hw: tuple[int, int], unit: float) -> tuple[Ends, Ends]:
    """The upright ends of a mask, to the left and to the right."""
    crop, (x, y, _, _) = masks.decode(rle, size_hw)
    if not crop.size:
        nothing = np.zeros(0, int), np.zeros(0, int)
        return nothing, nothing
    left, right = crop.argmax(axis=1), crop.shape[1] - 1 - crop[:, ::-1].argmax(axis=1)
    there = crop.any(axis=1)
    return tuple(  # type: ignore[return-value]
        (upright + y, columns[upright] + x)
        for columns in (left, right)
        for upright in (_upright(np.where(there, columns, -1), unit),)
    )


def _upright(columns: np.ndarray, unit: float) -> np.ndarray:
    """(K,) rows of runs whose columns (h,), -1 for none, hardly move."""
    span, straight = max(round(_SPAN_PX * unit), 1), max(round(_STRAIGHT_PX * unit), 1)
    if len(columns) <= 2 * span:
        return np.zeros(0, int)
    windows = np.lib.stride_tricks.sliding_window_view(columns, 2 * span + 1)
    middles = np.flatnonzero((np.ptp(windows, axis=1) <= straight) & (windows >= 0).all(axis=1))
    inside = np.zeros(len(columns), bool)
    for shift in range(2 * span + 1):
        inside[middles + shift] = True
    return np.flatnonzero(inside)


def _vote(votes: np.ndarray, ends: list[Ends]) -> None:
    """Add one track's: a whole vote where it ends in _FRAMES of its frames, or in all."""
    cells = np.concatenate([row * votes.shape[1] + column for row, column in ends])
    place, count = np.unique(cells, return_counts=True)
    votes.ravel()[place] += np.minimum(count / min(len(ends), _FRAMES), 1)


def _peaks(votes: np.ndarray, unit: float) -> np.ndarray:
    """(H, W) bool: so many end at the column, or one beside it, and so few about it, that it is not by chance."""
    high, wide = 2 * max(round(_SPAN_PX * unit), 1) + 1, 2 * max(round(_ABOUT_PX * unit), _ABOUT_PX) + 1
    here = 3 * cv2.blur(votes, (3, high))
    about = 3 * cv2.blur(votes, (wide, high))
    return np.asarray((here >= _WITNESSES) & (here >= _PEAK * about))
