"""Masks against exact truth: what of a cutout's mask is the headlights' beam, a cast shadow or somebody else, what of
the object is a hole or left out, and how good a vehicle's lower third is, where shadows and tyres meet.

    python -m benchmarks.mask_truth [--check] [--quick] [--data DIR] [--camera NAME] [--manifests DIR]

A pixel of the true visible mask's outline may be either: one pixel on both sides of it counts as nothing. What lies
beyond it on the street is beam where the frame is brighter than the background in its light, else shadow.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from benchmarks.common.job import CHECKED_CAMERAS, Site, frame_size_hw
from benchmarks.common.report import Bar, Report, main
from benchmarks.common.truth import match, truth_of
from pipeline.core import masks
from pipeline.core.illumination import Relit, relit_frames
from pipeline.core.storage import read_parts

FAULTS = ("beam", "shadow", "hole")
MOST = 0.02  # of the object's pixels: more of a fault is one
FAULTY_MOST = 0.03  # of the masks of a bucket
LOWER_THIRD_LEAST = 0.85
_LEAST_SEEN = 0.5  # of an object: less shows another one's mask, and the precision of mining counts it
_MARGIN_PX = 4
_EDGE = np.ones((3, 3), np.uint8)


def faults(mask: np.ndarray, true: np.ndarray, others: np.ndarray, brighter: np.ndarray) -> dict[str, float]:
    """Shares of an object's pixels: beam, shadow, hole, other (somebody else's pixels), lacking (of its outline).

    All (h, w) bool: the mask, the object's visible pixels, those of all others, and where the frame is brighter than
    the background.
    """
    core = cv2.erode(true.astype(np.uint8), _EDGE).astype(bool)
    beyond = mask & ~cv2.dilate(true.astype(np.uint8), _EDGE).astype(bool)
    street = beyond & ~others
    whole = filled(mask)
    parts = {
        "beam": street & brighter,
        "shadow": street & ~brighter,
        "hole": core & whole & ~mask,
        "other": beyond & others,
        "lacking": core & ~whole,
    }
    return {name: float(part.sum() / max(true.sum(), 1)) for name, part in parts.items()}


def filled(mask: np.ndarray) -> np.ndarray:
    """The mask (h, w) bool with what it surrounds."""
    framed = np.pad(mask, 1).astype(np.uint8)
    cv2.floodFill(framed, None, (0, 0), 2)
    return framed[1:-1, 1:-1] != 2


def lower_third_iou(mask: np.ndarray, true: np.ndarray) -> float:
    """Intersection over union of two masks (h, w) within the lowest third of the true one's rows."""
    rows = np.flatnonzero(true.any(axis=1))
    low = rows[-1] - (rows[-1] - rows[0] + 1) // 3 + 1 if len(rows) else 0
    both, either = (mask & true)[low:].sum(), (mask | true)[low:].sum()
    return float(both / either) if either else 1.0


def judged(camera_dir: Path) -> pd.DataFrame:
    """The cutouts of a simulated camera that show an actor: bucket, category, iou, lower_third and all faults."""
    truth, size_hw = truth_of(camera_dir), frame_size_hw(camera_dir)
    columns = ["cutout_id", "frame_id", "bucket", "category", "mask_rle"]
    cutouts = read_parts(camera_dir / "cutouts", columns=columns).to_pandas()
    cutouts = cutouts.join(match(cutouts, truth, size_hw))
    seen = truth["visible_fraction"].reindex(cutouts["truth_row"], fill_value=0.0).to_numpy() >= _LEAST_SEEN
    cutouts = cutouts[seen]
    by_frame, by_truth = cutouts.groupby("frame_id").indices, truth.groupby("frame_id").indices
    index = camera_dir / "frames" / "index.parquet"
    rows = []
    for relit, found in relit_frames(
        index, camera_dir, camera_dir / "background", camera_dir / "tracks.parquet", list(by_frame)
    ):
        frame_id = found["frame_id"][0].as_py()
        for row in cutouts.iloc[by_frame[frame_id]].to_dict("records"):
            rows.append(row | _compared(relit, row, truth.iloc[by_truth[frame_id]]))
    return pd.DataFrame(rows).drop(columns=["mask_rle"])


def _compared(relit: Relit, row: dict, actors: pd.DataFrame) -> dict:
    size_hw = relit.frame.shape[:2]
    true = masks.full(actors["mask_visible_rle"].loc[row["truth_row"]], size_hw)
    mask = masks.full(row["mask_rle"], size_hw)
    x, y, w, h = cv2.boundingRect((mask | true).astype(np.uint8))
    left, top = max(x - _MARGIN_PX, 0), max(y - _MARGIN_PX, 0)
    right, bottom = min(x + w + _MARGIN_PX, size_hw[1]), min(y + h + _MARGIN_PX, size_hw[0])
    place = np.s_[top:bottom, left:right]
    others = np.zeros(mask[place].shape, bool)
    for other, rle in actors["mask_visible_rle"].items():
        if other != row["truth_row"]:
            others |= masks.full(rle, size_hw)[place]
    frame, background = relit.crop((left, top, right - left, bottom - top))
    brighter = frame.mean(axis=2) > background.mean(axis=2)
    return {
        **faults(mask[place], true[place], others, brighter),
        "lower_third": lower_third_iou(mask[place], true[place]),
    }


def rows_of(camera: str, found: pd.DataFrame) -> list[dict]:
    """One row for each category and bucket, and for all buckets."""
    rows = []
    for category, mine in found.groupby("category"):
        for bucket, some in [*mine.groupby("bucket"), ("all", mine)]:
            faulty = some[list(FAULTS)] > MOST
            rows.append(
                {
                    "camera": camera,
                    "category": category,
                    "bucket": bucket,
                    "masks": len(some),
                    "faulty": float(faulty.any(axis=1).mean()),
                    **{name: float(faulty[name].mean()) for name in FAULTS},
                    **{f"{name}_10pct": float((some[name] > 0.1).mean()) for name in ("other", "lacking")},
                    "median_iou": float(some["iou"].median()),
                    "lower_third": float(some["lower_third"].median()),
                    "lower_third_p10": float(some["lower_third"].quantile(0.1)),
                }
            )
    return rows


def report(quick: bool, data: Path, sites: Sequence[Site]) -> Report:
    """The cameras' rows; bars on every bucket of both categories together, and on vehicles' lower thirds."""
    rows, bars = [], []
    for site in sites:
        found = judged(site.job(data))
        rows += rows_of(site.camera, found)
        for bucket, some in found.groupby("bucket"):
            faulty = float((some[list(FAULTS)] > MOST).any(axis=1).mean())
            bars.append(Bar(f"{site.camera} {bucket} faulty", faulty, at_most=FAULTY_MOST))
        low = found.loc[found["category"] == "vehicle", "lower_third"].median()
        bars.append(Bar(f"{site.camera} vehicles' lower third", float(low), at_least=LOWER_THIRD_LEAST))
    return Report(rows, bars)


if __name__ == "__main__":
    main("mask_truth", __doc__, report, cameras=CHECKED_CAMERAS)
