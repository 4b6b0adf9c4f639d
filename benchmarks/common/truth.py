"""Match what the pipeline made of a simulated camera to the simulator's exact truth.

An instance belongs to the actor of its frame whose amodal mask it overlaps most, if that is at least MATCH_IOU;
an instance of no actor counts as wrong in every fraction below.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.common.job import frame_size_hw
from pipeline.core import masks
from pipeline.core.storage import read_parts
from pipeline.core.tables import CUTOUTS
from pipeline.simulate import read_truth

MATCH_IOU = 0.3
UNOCCLUDED_FRACTION = 0.98
# A mask that only touches the border loses a sliver of antialiased edge.
UNTRUNCATED_FRACTION = 0.005
LONG_VEHICLES = (
    "bus", "coach", "double_decker", "articulated_bus", "lorry", "tanker", "articulated_lorry",
)  # fmt: skip


def truth_of(camera_dir: Path) -> pd.DataFrame:
    """The exact truth of a simulated camera's folder; ends the benchmark, in one line, where there is none."""
    if not (camera_dir / "truth").is_dir():
        raise SystemExit(f"{camera_dir}: no exact truth; expected a camera whose source is of kind simulated")
    return read_truth(camera_dir / "truth").to_pandas()


def is_clean(truth: pd.DataFrame) -> pd.Series:
    """Which rows of the truth are wholly visible and wholly inside the frame."""
    return (truth["visible_fraction"] >= UNOCCLUDED_FRACTION) & (truth["truncation"] <= UNTRUNCATED_FRACTION)


def match(instances: pd.DataFrame, truth: pd.DataFrame, size_hw: tuple[int, int]) -> pd.DataFrame:
    """For each instance (columns frame_id, mask_rle; same index): truth_row (index into truth, -1 for none) and iou."""
    by_frame = truth.groupby("frame_id").indices
    result = pd.DataFrame({"truth_row": -1, "iou": 0.0}, index=instances.index)
    for frame_id, rows in instances.groupby("frame_id").indices.items():
        there = by_frame.get(frame_id)
        if there is None:
            continue
        iou = masks.iou(
            instances["mask_rle"].iloc[rows].tolist(), truth["mask_amodal_rle"].iloc[there].tolist(), size_hw
        )
        best, value = iou.argmax(axis=1), iou.max(axis=1)
        result.iloc[rows, 0] = np.where(value >= MATCH_IOU, truth.index[there[best]], -1)
        result.iloc[rows, 1] = np.where(value >= MATCH_IOU, value, 0.0)
    return result


def matched(camera_dir: Path, category: str, farthest_m: float) -> tuple[pd.DataFrame, pa.Table]:
    """Truth rows of a category's cutouts, by cutout_id, and all cutouts without their pixels."""
    columns = [name for name in CUTOUTS.names if not name.startswith(("sprite", "shadow", "halo"))]
    cutouts = read_parts(camera_dir / "cutouts", columns=columns)
    truth = truth_of(camera_dir)
    frame = cutouts.to_pandas()
    frame = frame[frame["category"] == category].reset_index(drop=True)
    found = match(frame[["frame_id", "mask_rle"]], truth, frame_size_hw(camera_dir))
    rows = truth.loc[found.loc[found["truth_row"] >= 0, "truth_row"]].reset_index(drop=True)
    rows["cutout_id"] = frame.loc[found["truth_row"] >= 0, "cutout_id"].to_numpy()
    near = np.array([np.linalg.norm(t) <= farthest_m for t in rows["t"]], bool) & (rows["category"] == category)
    return rows[near].set_index("cutout_id"), cutouts
