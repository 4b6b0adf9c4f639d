"""OcclusionCrops: what the occlusion classifier is trained on. LabelOcclusion: a page to label a camera's own crops."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import luigi

from tasks.console import Report
from tasks.matting import CAMERAS
from tasks.settings import collect, declare, identity
from tasks.stage import data_root_of
from tasks.track import TrackObjects


@dataclass(frozen=True)
class CropSettings:
    """How many crops are kept."""

    per_actor: int = field(default=30, metadata={"help": "detections of one actor with one kind of label, at most"})

    def __post_init__(self) -> None:
        if self.per_actor < 1:
            raise ValueError(f"OcclusionCrops: per_actor: expected at least 1, got {self.per_actor}")


class OcclusionCrops(luigi.Task):
    """Detections of the training cameras with what hides them, one Parquet file a camera."""

    data_root = luigi.Parameter(default="", description="folder of all results, else WALT3D_DATA, else data/")
    version = 1  # raised when the code makes other bytes

    def requires(self) -> list[TrackObjects]:
        """The cameras' tracks; their truth came with the frames."""
        return [TrackObjects(camera=camera, data_root=self.data_root) for camera in CAMERAS]

    @property
    def settings(self) -> CropSettings:
        """How many of them."""
        return collect(self, CropSettings)

    @property
    def folder(self) -> Path:
        """What changes the crops changes their folder."""
        upstream = [task.fingerprint for task in self.requires()]
        content = json.dumps([self.version, identity(self.settings), upstream])
        mark = hashlib.sha256(content.encode()).hexdigest()[:8]
        return data_root_of(self.data_root) / "training" / f"occlusion_crops-{mark}"

    def output(self) -> list[luigi.LocalTarget]:
        """One file a camera."""
        return [luigi.LocalTarget(str(self.folder / f"{camera}.parquet")) for camera in CAMERAS]

    def run(self) -> None:
        """Cut the crops of the cameras that have none yet."""
        from models.occlusion_classifier.simulated import crops_of_camera
        from pipeline.storage import write_table

        report = Report(self, "OcclusionCrops", "cameras")
        for done, (camera, target) in enumerate(zip(self.requires(), self.output(), strict=True), start=1):
            if not target.exists():
                write_table(Path(target.path), crops_of_camera(camera.folder, self.settings.per_actor))
            report(done, len(CAMERAS))
        report.close(f"{len(CAMERAS)} cameras in {self.folder}")


declare(OcclusionCrops, CropSettings)


class LabelOcclusion(luigi.Task):
    """Show a camera's detections one by one on a local page and record what is said of them, until Ctrl-C."""

    camera = luigi.Parameter(description="id of the camera: a YAML of this name in data_manifest/cameras")
    data_root = luigi.Parameter(default="", description="folder of all results, else WALT3D_DATA, else data/")
    manifests = luigi.Parameter(default="", description="folder of the cameras' YAML, else data_manifest/cameras")
    file = luigi.Parameter(default="", description="label file, else occlusion_labels.csv in the camera's folder")
    count = luigi.IntParameter(default=1000, description="detections to ask for, at most")
    port = luigi.IntParameter(default=8765, description="port of the page, on this machine only")

    def requires(self) -> TrackObjects:
        """The detections, and which of them are one object."""
        return TrackObjects(camera=self.camera, data_root=self.data_root, manifests=self.manifests)

    def complete(self) -> bool:
        """Never: there is always more to label."""
        return False

    def run(self) -> None:
        """Serve the page."""
        from models.occlusion_classifier.label_page import HOST, Session, start
        from models.occlusion_classifier.label_queue import Detections

        folder = self.requires().folder
        out = Path(self.file).expanduser().resolve() if self.file else folder / "occlusion_labels.csv"
        asked = Detections(folder, zlib.crc32(self.camera.encode()), self.count)
        session = Session(self.camera, asked.queue, asked.picture, out)
        server = start(session, self.port)
        print(f"label at http://{HOST}:{server.server_port}/ ; labels go to {out} ; Ctrl-C ends", flush=True)
        try:
            Event().wait()
        except KeyboardInterrupt:
            server.shutdown()
        print(f"{len(session.labels)} labels in {out}", flush=True)
