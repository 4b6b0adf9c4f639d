"""Choose among the clean views of a track: few, spread along its path, and one for each time it stands still."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.core.boxes import box_iou, meeting_pairs
from pipeline.mining.observations import Observations, by_track


@dataclass(frozen=True)
class SelectionSettings:
    """How many views of one object are kept."""

    per_track: int = field(default=8, metadata={"help": "cutouts of one track, at most"})
    step_m: float = field(default=1.5, metadata={"help": "ground distance between cutouts of one track, metres"})
    stationary_m: float = field(default=0.5, metadata={"help": "standing still: moves less than this, metres"})
    stationary_s: float = field(default=2.0, metadata={"help": "standing still: for at least this long, seconds"})
    same_place_iou: float = field(
        default=0.85,
        metadata={"help": "stationary intervals of one bucket are one object's where their boxes overlap so much"},
    )


def stationary_intervals(track: Observations, settings: SelectionSettings) -> np.ndarray:
    """(N,) number of the stationary interval each detection of a track, sorted by time, belongs to; -1 while it moves.

    Far away a pixel is metres: moving by no more than two pixels counts as standing as well.
    """
    half = settings.stationary_s / 2
    before = np.searchsorted(track.time_s, track.time_s - half - 1e-6)
    after = np.searchsorted(track.time_s, track.time_s + half + 1e-6, side="right") - 1
    centre = track.box_xywh[:, :2] + track.box_xywh[:, 2:] / 2
    moved_m = np.linalg.norm(track.foot_xy_m[after] - track.foot_xy_m[before], axis=1)
    moved_px = np.linalg.norm(centre[after] - centre[before], axis=1)
    watched = track.time_s[after] - track.time_s[before]
    fraction = watched / settings.stationary_s
    # At the ends of a track the interval is truncated: what it shows must be long enough, and scaled down.
    still = ((moved_m < settings.stationary_m * fraction) | (moved_px < 2 * fraction)) & (fraction > 0.45)
    starts = np.diff(still.astype(int), prepend=0) == 1
    return np.where(still, np.cumsum(starts) - 1, -1)


def select(
    seen: Observations, quality: np.ndarray, clean: np.ndarray, settings: SelectionSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N,) bool each: what stands still; clean views of what stands that another shows as well; and clean ones that add
    nothing to the others of their track."""
    stationary, duplicate, similar = np.zeros((3, len(seen)), bool)
    best: list[int] = []
    for rows in by_track(seen):
        interval = stationary_intervals(seen.at(rows), settings)
        stationary[rows] = interval >= 0
        chosen = []
        for number in np.unique(interval[clean[rows] & (interval >= 0)]):
            mine = rows[clean[rows] & (interval == number)]
            chosen.append(int(mine[np.argmax(quality[mine])]))
            duplicate[mine] = mine != chosen[-1]
        views = np.concatenate([np.array(chosen, int), rows[clean[rows] & (interval < 0)]])
        kept = views[spread_out(quality[views], seen.foot_xy_m[views], settings)]
        similar[views] = True
        similar[kept] = False
        best += [i for i in chosen if i in set(kept.tolist())]
    alone = np.array(sorted(best), int)
    duplicate[alone] = repeated_intervals(seen.at(alone), quality[alone], settings)
    return stationary, duplicate, similar


def spread_out(quality: np.ndarray, foot_xy_m: np.ndarray, settings: SelectionSettings) -> np.ndarray:
    """Rows of the views of one object to keep: the best first, then the best ones a step away from all kept."""
    kept: list[int] = []
    for i in np.argsort(-quality, kind="stable"):
        if len(kept) == settings.per_track:
            break
        gap = np.linalg.norm(foot_xy_m[kept] - foot_xy_m[i], axis=1)
        if (gap >= settings.step_m).all():
            kept.append(int(i))
    return np.array(kept, int)


def repeated_intervals(best: Observations, quality: np.ndarray, settings: SelectionSettings) -> np.ndarray:
    """(N,) bool: stationary intervals (one best view each) that a better one of the bucket shows too: a parked car's
    many tracks."""
    pairs = meeting_pairs(best.bucket, best.box_xywh)
    same = pairs[box_iou(best.box_xywh[pairs[:, 0]], best.box_xywh[pairs[:, 1]]) > settings.same_place_iou]
    rank = np.empty(len(best), int)
    rank[np.argsort(-quality, kind="stable")] = np.arange(len(best))
    repeated = np.zeros(len(best), bool)
    repeated[np.where(rank[same[:, 0]] > rank[same[:, 1]], same[:, 0], same[:, 1])] = True
    return repeated
