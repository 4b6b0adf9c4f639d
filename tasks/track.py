"""TrackObjects: who is who from frame to frame, and how fast they go over the ground."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import luigi
import pyarrow.parquet as pq

from pipeline.core.storage import read_parts, write_table
from pipeline.tracking.registry import tracker_of, trackers
from pipeline.tracking.track import TrackingSettings, track
from tasks.common.console import Report
from tasks.common.settings import collect_of, declare_each
from tasks.common.stage import Stage
from tasks.detect import DETECTIONS, DetectObjects
from tasks.frames import INDEX

TRACKS = "tracks.parquet"


class TrackObjects(Stage, settings=TrackingSettings):
    """Every detection with the track it belongs to."""

    outputs = (TRACKS,)

    def requires(self) -> luigi.Task:
        """The detections."""
        return self.clone(DetectObjects)

    def configure(self) -> TrackingSettings:
        """luigi.cfg's settings, with those of the tracker that it names."""
        settings = super().configure()
        return replace(settings, options=collect_of(self, tracker_of(settings.tracker)))

    def depends_on(self) -> Any:
        """The calibration: speeds are over the ground."""
        return self.entry.manifest.model_dump(mode="json")["calibration"]

    def work(self, report: Report) -> str:
        """All sequences of the camera."""
        frames = pq.read_table(self.folder / INDEX)
        camera, plane = self.calibrated(frames)
        detections = read_parts(self.folder / DETECTIONS)
        tracks = track(detections, frames, camera, plane, self.settings, report, self.folder)
        write_table(self.folder / TRACKS, tracks)
        known = {i for i in tracks["track_id"].to_pylist() if i >= 0}
        return f"{len(known)} tracks of {tracks.num_rows} detections"


declare_each(TrackObjects, "tracker", trackers())
