"""ShowCalibration: what the manifest's calibration claims, drawn over the empty street."""

from __future__ import annotations

import cv2
import luigi

from calibration.draw import draw_calibration
from pipeline.core.frames import read_backgrounds
from pipeline.core.storage import read_table, write_bytes
from tasks.common.console import Report
from tasks.common.stage import Stage
from tasks.frames import INDEX, MEDIANS, MedianBackground


class ShowCalibration(Stage):
    """Write calibration.png in the camera's folder and say where: wrong calibration is the commonest mistake."""

    outputs = ("calibration.png",)
    shows_only = True

    def requires(self) -> luigi.Task:
        """The backgrounds to draw over."""
        return self.clone(MedianBackground)

    def complete(self) -> bool:
        """Drawn anew each time it is asked for: it costs nothing, and the user wants to be told where it is."""
        return False

    def work(self, report: Report) -> str:
        """Draw over the lightest of the backgrounds."""
        camera, plane = self.calibrated(read_table(self.folder / INDEX, columns=["height", "width"]))
        backgrounds = read_backgrounds(self.folder / MEDIANS)
        lightest = max(backgrounds.values(), key=lambda image: float(image.mean()))
        out = self.folder / "calibration.png"
        write_bytes(out, cv2.imencode(".png", draw_calibration(lightest, camera, plane))[1].tobytes())
        print(f"calibration drawn: {out}", flush=True)
        return "is a person as tall as a green pole, a car as large as an orange box?"
