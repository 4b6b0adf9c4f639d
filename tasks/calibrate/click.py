"""ClickPoints: a page on which control points are clicked, for CalibrateFromPoints."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import cv2
import luigi
import numpy as np

from pipeline.core.frames import read_backgrounds
from readers.pictures import read_image
from tasks.frames import MEDIANS, MedianBackground


class ClickPoints(luigi.Task):
    """Show the camera's picture on a local page and record the points that are clicked, until Ctrl-C."""

    camera = luigi.Parameter(description="id of the camera: a YAML of this name in data_manifest/cameras")
    data_root = luigi.Parameter(default="", description="folder of all results, else WALT3D_DATA, else data/")
    manifests = luigi.Parameter(default="", description="folder of the cameras' YAML, else data_manifest/cameras")
    points = luigi.Parameter(
        default="", description="CSV of the points, else control_points.csv in the camera's folder"
    )
    map = luigi.Parameter(default="", description="a map or satellite picture with north up, to click in")
    map_metres = luigi.FloatParameter(default=0.0, description="metres that a pixel of the map picture spans")
    port = luigi.IntParameter(default=8766, description="port of the page, on this machine only")

    def requires(self) -> MedianBackground:
        """The picture to click in."""
        return MedianBackground(camera=self.camera, data_root=self.data_root, manifests=self.manifests)

    def complete(self) -> bool:
        """Never: there are always more points."""
        return False

    def run(self) -> None:
        """Serve the page."""
        from pipeline.core.local_page import HOST, start
        from pipeline.self_calibration.click_page import ClickSession

        if bool(self.map) != (self.map_metres > 0):
            raise ValueError("--map and --map-metres: expected both or neither, a picture and the metres of its pixels")
        folder = self.requires().folder
        out = Path(self.points).expanduser().resolve() if self.points else folder / "control_points.csv"
        backgrounds = read_backgrounds(folder / MEDIANS)
        picture = max(backgrounds.values(), key=lambda one: float(one.mean()))
        plan = _jpeg(_read(Path(self.map).expanduser())) if self.map else None
        session = ClickSession(self.camera, _jpeg(picture), out, plan, self.map_metres)
        server = start(session, self.port)
        print(f"click at http://{HOST}:{server.server_port}/ ; points go to {out} ; Ctrl-C ends", flush=True)
        try:
            Event().wait()
        except KeyboardInterrupt:
            server.shutdown()
        line = f"luigi --module tasks CalibrateFromPoints --camera {self.camera} --points {out}"
        print(f"{len(session.rows)} points in {out}; now: {line}", flush=True)


def _read(path: Path) -> np.ndarray:
    try:
        return read_image(path)
    except OSError:
        raise ValueError(f"--map {path}: expected a picture that exists") from None


def _jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
