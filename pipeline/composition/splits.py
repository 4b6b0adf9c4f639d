"""Which cutouts train and which validate: apart by time and by track, so that no object is learnt and judged at once.

The last fifth of each time bucket's time span validates. A track that crosses that cut, in whatever bucket, is left out
of the later part.
"""

from __future__ import annotations

import numpy as np

TRAIN, VAL, NEITHER = "train", "val", ""
SPLITS = (TRAIN, VAL)
VAL_FRACTION = 0.2


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
