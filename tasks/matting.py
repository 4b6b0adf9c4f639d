"""MattingSamples: what the matting network is trained on, from the simulated cameras that are there for it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import luigi

from tasks.console import Report
from tasks.stage import data_root_of
from tasks.track import TrackObjects

CAMERAS = ("cam03", "cam05")


class MattingSamples(luigi.Task):
    """Detections of the training cameras beside their exact masks, one Parquet file a camera."""

    data_root = luigi.Parameter(default="", description="folder of all results, else WALT3D_DATA, else data/")
    version = 1  # raised when the code makes other bytes

    def requires(self) -> list[TrackObjects]:
        """The cameras' tracks; their truth came with the frames."""
        return [TrackObjects(camera=camera, data_root=self.data_root) for camera in CAMERAS]

    @property
    def folder(self) -> Path:
        """What changes the samples changes their folder."""
        content = json.dumps([self.version, [task.fingerprint for task in self.requires()]])
        mark = hashlib.sha256(content.encode()).hexdigest()[:8]
        return data_root_of(self.data_root) / "training" / f"matting-{mark}"

    def output(self) -> list[luigi.LocalTarget]:
        """One file a camera."""
        return [luigi.LocalTarget(str(self.folder / f"{camera}.parquet")) for camera in CAMERAS]

    def run(self) -> None:
        """Collect the samples of the cameras that have none yet."""
        from models.matting.data import samples_of  # torch loads for seconds, other stages do without it
        from pipeline.storage import write_table

        report = Report(self, "MattingSamples", "cameras")
        for done, (camera, target) in enumerate(zip(self.requires(), self.output(), strict=True), start=1):
            if not target.exists():
                write_table(Path(target.path), samples_of(camera.folder))
            report(done, len(CAMERAS))
        report.close(f"{len(CAMERAS)} cameras in {self.folder}")
