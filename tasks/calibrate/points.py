"""CalibrateFromPoints: the camera from pixels whose places are known, written to a file that a manifest may name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import luigi
import numpy as np

from calibration.control_points import PointFit, calibrate_from_points, named
from calibration.draw import draw_calibration, draw_points
from calibration.points_file import ControlPoints, read_points
from data_manifest.calibration.found import text_of
from pipeline.core.frames import read_backgrounds
from pipeline.core.storage import read_table, write_bytes
from tasks.common.console import Report
from tasks.common.stage import Stage
from tasks.frames import INDEX, MEDIANS, MedianBackground

FOUND, PICTURE = "calibration_from_points.yaml", "calibration_from_points.png"
# Of the picture's width: no camera sees points so far from where they were clicked; those of so much are doubtful.
_REFUSED, _DOUBTFUL = 0.012, 0.006
_HARDLY_KNOWN = 0.1  # standard deviation of the focal length, as a fraction of it


@dataclass(frozen=True)
class PointSettings:
    """What is known beforehand."""

    focal_px: float = field(default=0.0, metadata={"help": "focal length in pixels where it is known, else 0"})
    distortion: str = field(
        default="auto", metadata={"help": "whether one distortion term is fitted: yes, no, or auto, by the points"}
    )

    def __post_init__(self) -> None:
        if self.distortion not in ("auto", "yes", "no"):
            raise ValueError(f"distortion: expected auto, yes or no, got {self.distortion!r}")


class CalibrateFromPoints(Stage, settings=PointSettings):
    """Fit the camera to control points, and say how well they fit and what they leave open."""

    points = luigi.Parameter(
        description="CSV of pixel_x, pixel_y and east_m, north_m or lat_deg, lon_deg, perhaps height_m, ground, name"
    )
    outputs = (FOUND, PICTURE)
    shows_only = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._given()  # a mistake is told before anything is ingested

    def _given(self) -> tuple[Path, ControlPoints]:
        path = Path(self.points).expanduser()
        if not path.is_file():
            raise ValueError(f"--points {path}: no such file; expected a CSV of control points")
        return path, read_points(path)

    def requires(self) -> luigi.Task:
        """The backgrounds to draw over: they need no calibration."""
        return self.clone(MedianBackground)

    def complete(self) -> bool:
        """Done anew each time it is asked for."""
        return False

    def work(self, report: Report) -> str:
        """Read, fit, write and draw."""
        index = read_table(self.folder / INDEX, columns=["height", "width"])
        size_hw = (index["height"][0].as_py(), index["width"][0].as_py())
        path, points = self._given()
        try:
            fit = calibrate_from_points(
                points.pixels, points.metres, size_hw, on_ground=points.on_ground,
                focal_px=self.settings.focal_px or None,
                distortion={"auto": None, "yes": True, "no": False}[self.settings.distortion],
            )  # fmt: skip
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        refuse_mismatched(path, points, fit)
        for line in in_words(points, fit):
            report.say(line)
        out = self.folder / FOUND
        write_bytes(out, text_of(fit.camera, fit.plane, fit.covariance, f"{len(points.names)} control points").encode())
        backgrounds = read_backgrounds(self.folder / MEDIANS)
        image = draw_calibration(max(backgrounds.values(), key=lambda one: float(one.mean())), fit.camera, fit.plane)
        seen = points.metres @ fit.R.T + fit.t
        draw_points(image, points.pixels, fit.camera.project(seen), fit.used, points.names)
        write_bytes(self.folder / PICTURE, cv2.imencode(".png", image)[1].tobytes())
        print(f"calibration found: {out}", flush=True)
        line = f"calibration: {{calibration_file: {out}}}"
        return f"look at {self.folder / PICTURE}, then write `{line}` into {self.entry.path}"


def refuse_mismatched(path: Path, points: ControlPoints, fit: PointFit) -> None:
    """Raises ValueError where no camera sees the points where they were clicked."""
    if fit.rms_px > _REFUSED * fit.camera.size_hw[1]:
        worst = int(np.argmax(fit.residual_px))
        raise ValueError(
            f"{path}: no camera sees the points where they are said to be: the best is {fit.rms_px:.1f} px off, most "
            f"at point {points.names[worst]} ({fit.residual_px[worst]:.0f} px); mend or remove what is mismatched"
        )


def in_words(points: ControlPoints, fit: PointFit) -> list[str]:
    """How well the points fit, what they say, and what they leave open: a sentence each."""
    focal, tilt, roll, height = named(fit.camera, fit.plane)
    sd = np.sqrt(np.diag(fit.covariance))
    told = [
        f"reprojection {fit.rms_px:.1f} px (root mean square of {int(fit.used.sum())} points)"
        + (f", {np.sqrt(np.nanmean(fit.left_out_px**2)):.1f} px where each is left out in turn"
           if np.isfinite(fit.left_out_px).any() else ", too few points to leave one out in turn"),
        f"focal {focal:.0f} ± {sd[0]:.0f} px, tilt {tilt:.2f} ± {sd[1]:.2f}, roll {roll:.2f} ± {sd[2]:.2f} degrees, "
        f"height {height:.2f} ± {sd[3]:.2f} m"
        + (f", distortion k1 {fit.camera.distortion[0]:.3f}" if fit.camera.distortion.any() else ""),
    ]  # fmt: skip
    out = [f"{points.names[i]} ({fit.residual_px[i]:.0f} px)" for i in np.flatnonzero(~fit.used)]
    if out:
        told.append(f"left out as mismatched: {', '.join(out)}")
    if fit.rms_px > _DOUBTFUL * fit.camera.size_hw[1]:
        worst = int(np.argmax(np.where(fit.used, fit.residual_px, 0)))
        told.append(f"the points hardly agree; look at point {points.names[worst]} first")
    if sd[0] > _HARDLY_KNOWN * focal:
        told.append("the points hardly tell the focal length: add some nearer, farther or above the road, or give it")
    return told
