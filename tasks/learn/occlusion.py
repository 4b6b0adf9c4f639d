"""LabelOcclusion: a page to label a camera's own crops, for the occlusion classifier."""

from __future__ import annotations

import zlib
from threading import Event

import luigi

from pipeline.core.local_page import HOST, start
from readers.texts import expanded
from tasks.track import TrackObjects


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
        """Serve the page; nobody makes the detections again meanwhile."""
        with self.requires().reading():
            self._serve()

    def _serve(self) -> None:
        from models.labels.page import Session
        from models.labels.queue import Detections

        folder = self.requires().folder
        out = expanded(self.file, "--file").resolve() if self.file else folder / "occlusion_labels.csv"
        asked = Detections(folder, zlib.crc32(self.camera.encode()), self.count)
        session = Session(self.camera, asked.queue, asked.picture, out)
        server = start(session, self.port)
        print(f"label at http://{HOST}:{server.server_port}/ ; labels go to {out} ; Ctrl-C ends", flush=True)
        try:
            Event().wait()
        except KeyboardInterrupt:
            server.shutdown()
        print(f"{len(session.labels)} labels in {out}", flush=True)
