"""Tracking against exact truth of simulated cameras and, where the footage is at hand, PETS's annotations.

    python -m benchmarks.tracking [--check] [--quick] [--data DIR] [--camera NAME] [--manifests DIR]

MOTA, IDF1, HOTA and DetA of each tracker, by motion alone and with appearance. The truth are amodal boxes; of
simulated actors those who move and are more than 0.3 visible. How tracks are joined by appearance was chosen on cam07
and PETS; cam11 and junction21 chose nothing in it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.common.job import CAMERA, Site
from benchmarks.common.report import Bar, Report, main
from benchmarks.common.truth import truth_of
from benchmarks.perception.real_metrics import tracked
from benchmarks.pipeline.real_cameras import annotated_boxes, footage, missing
from calibration.camera import Camera, GroundPlane
from pipeline.core.storage import read_parts
from pipeline.tracking.registry import trackers
from pipeline.tracking.track import TrackingSettings, track

PETS = "pets-onnx"
# What appearance must at least add to the IDF1 of any tracker: about half of what it did when the bars were set.
LEAST_GAIN = {"cam11": 0.005, "junction21": 0.01}
_VISIBLE, _PIXELS = 0.3, 60  # less of an actor nobody can follow


def true_boxes(camera_dir: Path) -> pd.DataFrame:
    """frame, person (whoever it is), category, x, y, w, h of everyone to follow."""
    if camera_dir.name == PETS:
        boxes = annotated_boxes(footage(PETS).with_name("PETS2009-S2L1_frames0000-0399.xml"))
        return boxes.assign(category="person")
    truth = truth_of(camera_dir)
    truth = truth[truth["moving"] & (truth["visible_fraction"] > _VISIBLE) & (truth["px_count_all"] > _PIXELS)]
    box = pd.DataFrame(np.stack(truth["bbox_amodal_xywh"].to_list()), columns=list("xywh"), index=truth.index)
    return box.assign(frame=truth["frame_id"], person=truth["actor_id"], category=truth["category"])


def measure(camera_dir: Path, camera: Camera, plane: GroundPlane) -> list[dict]:
    """A row for each tracker, by motion alone and with appearance."""
    frames, detections = pq.read_table(camera_dir / "frames" / "index.parquet"), read_parts(camera_dir / "detections")
    truth, rows = true_boxes(camera_dir), []
    for name in trackers():
        for appearance in (False, True):
            settings, begun = TrackingSettings(tracker=name, appearance=appearance), time.monotonic()
            table = track(detections, frames, camera, plane, settings, root=camera_dir)
            row = {"camera": camera_dir.name, "tracker": name, "appearance": appearance}
            rows.append(row | tracked(truth, boxes_of(table, truth)) | {"seconds": round(time.monotonic() - begun, 1)})
    return rows


def boxes_of(tracks: pa.Table, truth: pd.DataFrame) -> pd.DataFrame:
    """frame, track_id, x, y, w, h of TRACKS, of the frames and categories that the truth has."""
    table = tracks.select(["frame_id", "track_id", "category", "bbox_xywh"]).to_pandas()
    table = table[(table["track_id"] >= 0) & (table["frame_id"] <= truth["frame"].max())]
    table = table[table["category"].isin(truth["category"].unique())]
    box = pd.DataFrame(np.stack(table["bbox_xywh"].to_list()), columns=list("xywh"), index=table.index)
    return box.assign(frame=table["frame_id"], track_id=table["track_id"])


def report(quick: bool, data: Path, sites: Sequence[Site]) -> Report:
    """Rows of the cameras; the bars: what appearance adds to each tracker's identities, nowhere less than nothing."""
    rows: list[dict] = []
    skipped: dict[str, str] = {}
    for site in sites:
        lacking = missing(site.camera) if site.camera == PETS else ""
        if lacking:
            skipped[f"{site.camera} skipped"] = f"no {lacking} on this machine"
            continue
        rows += measure(site.demand("DetectObjects", data), *site.calibrated(data))
    blind, seeing = ([row for row in rows if row["appearance"] is used] for used in (False, True))
    bars = [
        Bar(
            f"{b['camera']} {b['tracker']} IDF1 that appearance adds",
            a["IDF1"] - b["IDF1"],
            at_least=LEAST_GAIN.get(b["camera"], 0.0),
        )
        for b, a in zip(blind, seeing, strict=True)
    ]
    return Report(rows, bars, skipped)


if __name__ == "__main__":
    main("tracking", __doc__, report, cameras=(CAMERA, *LEAST_GAIN, PETS), quick_cameras=(PETS,))
