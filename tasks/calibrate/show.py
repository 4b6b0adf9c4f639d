"""ShowCalibration: what the manifest's calibration claims, drawn over the empty street and over whom it showed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import luigi
import numpy as np

from calibration.camera import Camera, GroundPlane
from calibration.draw import draw_calibration
from calibration.draw_sizes import draw_ratios, draw_sizes
from calibration.rulers import weigh
from pipeline.core.frames import FrameReader, read_backgrounds
from pipeline.core.storage import read_table, write_bytes
from pipeline.self_calibration.sizes import busiest, in_frame, read_tracks, sentence_of, sightings_of
from tasks.common.console import Report
from tasks.common.stage import Stage
from tasks.frames import INDEX, MEDIANS, MedianBackground
from tasks.track import TRACKS

BUSY = "calibration_busy.jpg"
_FRAMES = 3


class ShowCalibration(Stage):
    """Write calibration.png in the camera's folder, and once there are tracks calibration_busy.jpg: wrong calibration
    is the commonest mistake."""

    outputs = ("calibration.png", BUSY)
    shows_only = True

    def requires(self) -> luigi.Task:
        """The backgrounds to draw over."""
        return self.clone(MedianBackground)

    def depends_on(self) -> Any:
        """The calibration: where there is none, that is told before anything runs."""
        return self.entry.calibration_identity()

    def complete(self) -> bool:
        """Drawn anew each time it is asked for: it costs nothing, and the user wants to be told where it is."""
        return False

    def work(self, report: Report) -> str:
        """Draw over the lightest of the backgrounds, and over the busiest frames of whatever tracks there are."""
        camera, plane = self.calibrated(read_table(self.folder / INDEX, columns=["height", "width"]))
        backgrounds = read_backgrounds(self.folder / MEDIANS)
        lightest = max(backgrounds.values(), key=lambda image: float(image.mean()))
        out = self.folder / "calibration.png"
        write_bytes(out, cv2.imencode(".png", draw_calibration(lightest, camera, plane))[1].tobytes())
        print(f"calibration drawn: {out}", flush=True)
        if not (self.folder / TRACKS).is_file():
            (self.folder / BUSY).unlink(missing_ok=True)
            return (
                "is a person as tall as a green pole, a car as large as an orange box? Once TrackObjects has run, "
                "people and cars are measured, too"
            )
        print(f"on busy frames: {self._busy(camera, plane)}", flush=True)
        return sentence_of(read_tracks(self.folder / TRACKS), camera, plane)

    def _busy(self, camera: Camera, plane: GroundPlane) -> Path:
        """Usual people and cars where the busiest frames have some, and how large all come out."""
        tracks, index = read_tracks(self.folder / TRACKS), read_table(self.folder / INDEX)
        frames = FrameReader(index, self.folder).read(sorted(busiest(tracks, _FRAMES)))
        shown = [draw_sizes(i, camera, plane, in_frame(tracks, number, camera.size_hw)) for number, i in frames]
        found = weigh(camera, plane, sightings_of(tracks, camera.size_hw))
        people, vehicles = (found.people, found.vehicles) if found else (np.zeros(0), np.zeros(0))
        picture = np.concatenate([*shown, draw_ratios(people, vehicles, camera.size_hw[1])])
        out = self.folder / BUSY
        write_bytes(out, cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
        return out
