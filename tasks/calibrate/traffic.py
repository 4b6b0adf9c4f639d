"""CalibrateFromTraffic: the camera from the people and cars it sees, written to a file that a manifest may name."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import luigi
import numpy as np
import pyarrow as pa

from calibration.camera import Camera, GroundPlane
from calibration.draw_sizes import draw_sizes
from calibration.traffic.draw import draw_directions
from calibration.traffic.evidence import Distance
from calibration.traffic.fit import TrafficFit, calibrate_from_traffic, usual_camera
from calibration.traffic.solver import Known
from calibration.traffic.words import distances_of, in_words
from data_manifest.calibration.found import text_of
from pipeline.core.frames import FrameReader
from pipeline.core.storage import read_parts, read_table, write_bytes
from pipeline.detection import DetectJob, detect_shard
from pipeline.detection.registry import backend_of
from pipeline.self_calibration.sizes import busiest, in_frame
from pipeline.self_calibration.traffic import traffic_of
from pipeline.tracking.track import track
from tasks.common.console import Report
from tasks.common.stage import Stage
from tasks.detect import DETECTIONS, DetectObjects
from tasks.frames import COMPARED, MEDIANS, MedianBackground
from tasks.track import TrackObjects

FOUND, PICTURE = "calibration_from_traffic.yaml", "calibration_from_traffic.jpg"
_BLOCK = 50  # frames


@dataclass(frozen=True)
class TrafficSettings:
    """What is known beforehand, and how much is looked at."""

    focal_px: float = field(default=0.0, metadata={"help": "focal length in pixels where it is known, else 0"})
    distortion: str = field(default="no", metadata={"help": "whether one distortion term is fitted: yes or no"})
    most_frames: int = field(
        default=600, metadata={"help": "frames that the motion detector looks at: it does so twice"}
    )

    def __post_init__(self) -> None:
        if self.distortion not in ("yes", "no"):
            raise ValueError(f"distortion: expected yes or no, got {self.distortion!r}")
        if self.focal_px < 0:
            raise ValueError(f"focal_px: expected pixels, or 0 where it is not known, got {self.focal_px:g}")
        if self.most_frames < _BLOCK:
            raise ValueError(f"most_frames: expected at least {_BLOCK}, got {self.most_frames}")


class CalibrateFromTraffic(Stage, settings=TrafficSettings):
    """Fit the camera to tracks of people and cars, and say how well it is known and what is not."""

    distance = luigi.Parameter(
        default="", description="x1,y1,x2,y2,metres: a distance on the road, several with ; between them"
    )
    outputs = (FOUND, PICTURE)
    unit = "blocks of frames"
    shows_only = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        distances_of(self.distance)  # a mistake is told before anything is ingested

    def requires(self) -> luigi.Task:
        """Detections of a network; what knows objects by their metres has none yet, then only the backgrounds."""
        detect = self.clone(DetectObjects)
        return self.clone(MedianBackground) if backend_of(detect.settings.detector).metric else detect

    def complete(self) -> bool:
        """Done anew each time it is asked for."""
        return False

    def work(self, report: Report) -> str:
        """Track, fit, write and draw."""
        frames = read_table(self.folder / COMPARED)
        size_hw = (frames["height"][0].as_py(), frames["width"][0].as_py())
        known = Known(self.settings.focal_px or None, distances_of(self.distance), self.settings.distortion == "yes")
        _check_inside(known.distances, size_hw)
        try:
            fit, tracks = self._fitted(frames, size_hw, known, report)
        except ValueError as error:
            raise ValueError(f"{self.camera}: {error}. Let it record for longer, or run CalibrateFromPoints") from None
        for line in in_words(fit):
            report.say(line)
        out = self.folder / FOUND
        write_bytes(out, text_of(fit.camera, fit.plane, fit.covariance, f"{len(fit.weight)} tracks").encode())
        write_bytes(self.folder / PICTURE, self._drawn(fit, tracks, frames))
        print(f"calibration found: {out}", flush=True)
        line = f"calibration: {{calibration_file: {out}}}"
        return f"look at {self.folder / PICTURE}, then write `{line}` into {self.entry.path}"

    def _fitted(
        self, frames: pa.Table, size_hw: tuple[int, int], known: Known, report: Report
    ) -> tuple[TrafficFit, pa.Table]:
        """The camera, and the tracks that it was found by."""
        detect = self.clone(DetectObjects)
        if not backend_of(detect.settings.detector).metric:
            tracks = self._tracked(read_parts(self.folder / DETECTIONS), frames)
            return calibrate_from_traffic(traffic_of(tracks, size_hw), known), tracks
        # What is found by its size in metres needs a camera: a usual one at first, then the one that this leads to.
        camera, plane = usual_camera(size_hw, known.focal_px)
        for first in (True, False):
            tracks = self._tracked(self._detected(frames, camera, plane, report), frames)
            fit = calibrate_from_traffic(traffic_of(tracks, size_hw, by_shape=first), known)
            camera, plane = fit.camera, fit.plane
        return fit, tracks

    def _detected(self, frames: pa.Table, camera: Camera, plane: GroundPlane, report: Report) -> pa.Table:
        """DETECTIONS of blocks of frames, evenly over the recording."""
        ids, backgrounds = frames["frame_id"].to_pylist(), self.folder / MEDIANS
        starts = list(range(0, len(ids), _BLOCK))
        most = self.settings.most_frames // _BLOCK
        some = [starts[i] for i in np.unique(np.linspace(0, len(starts) - 1, min(most, len(starts))).astype(int))]
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".calibrating-") as place:
            jobs = [
                DetectJob(
                    f"block {number}", ids[first : first + _BLOCK], self.folder / COMPARED, self.folder, backgrounds,
                    Path(place) / f"part-{number:05d}.parquet", self.clone(DetectObjects).settings, camera, plane,
                ) for number, first in enumerate(some)
            ]  # fmt: skip
            self.fan_out(detect_shard, jobs, lambda job: job.out.exists(), report)
            return read_parts(Path(place))

    def _tracked(self, detections: pa.Table, frames: pa.Table) -> pa.Table:
        settings = replace(self.clone(TrackObjects).settings, appearance=False)
        return track(detections, frames, None, None, settings, root=self.folder)

    def _drawn(self, fit: TrafficFit, tracks: pa.Table, frames: pa.Table) -> bytes:
        """A JPEG of the two busiest frames: ways and where they vanish; usual people and cars in their boxes."""
        first = FrameReader(frames, self.folder).read(busiest(tracks, 1))
        image, number = next((image, number) for number, image in first)
        sizes = draw_sizes(image, fit.camera, fit.plane, in_frame(tracks, number, fit.camera.size_hw))
        picture = np.concatenate([draw_directions(image, fit), sizes])
        return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def _check_inside(distances: tuple[Distance, ...], size_hw: tuple[int, int]) -> None:
    for one in distances:
        for x, y in (one.start_px, one.end_px):
            if not (-0.5 <= x < size_hw[1] - 0.5 and -0.5 <= y < size_hw[0] - 0.5):
                raise ValueError(
                    f"--distance: pixel {x:g},{y:g} lies outside the frames, which are {size_hw[1]}x{size_hw[0]}"
                )
