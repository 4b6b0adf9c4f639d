"""TrackObjects: who is who from frame to frame, and how fast. EmptyStreet: the backgrounds without any of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import luigi

from pipeline.core import masks
from pipeline.core.frames import as_png, read_backgrounds
from pipeline.core.storage import count_rows, read_parts, read_table, write_bytes, write_table
from pipeline.detection import DetectionSettings, backends
from pipeline.detection.registry import backend_of
from pipeline.empty_street.compared_frames import LooksJob, looks_shard
from pipeline.empty_street.other_buckets import filled_in
from pipeline.empty_street.regions import FILE as IGNORED
from pipeline.empty_street.regions import RegionsJob, regions_shard
from pipeline.empty_street.uncovered import EmptyStreetSettings, UncoveredJob, read_sources, uncovered_shard
from pipeline.tracking.registry import tracker_of, trackers
from pipeline.tracking.track import TrackingSettings, track
from tasks.common.console import Report
from tasks.common.contents import stamp
from tasks.common.settings import collect_of, declare_each, identity
from tasks.common.stage import Stage
from tasks.detect import DETECTIONS, DetectObjects, named_by, with_names
from tasks.frames import COMPARED, MEDIANS
from tasks.learn.weights import weights_folder

TRACKS = "tracks.parquet"
BACKGROUND = "background"
EMPTY_STREET = "empty_street"
LOOKS, UNFILLED, SOURCES = (f"{EMPTY_STREET}/{name}" for name in ("looks", "unfilled", "source"))


class TrackObjects(Stage, settings=TrackingSettings):
    """Every detection with the track it belongs to."""

    outputs = (TRACKS,)
    unit = "sequences"

    def requires(self) -> luigi.Task:
        """The detections."""
        return self.clone(DetectObjects)

    def configure(self) -> TrackingSettings:
        """luigi.cfg's settings, with those of the tracker that it names."""
        settings = super().configure()
        return replace(settings, options=collect_of(self, tracker_of(settings.tracker)))

    def depends_on(self) -> Any:
        """The calibration: speeds are over the ground."""
        return self.calibration_if_any()

    def complete(self) -> bool:
        """As of any stage; without a calibration it says so before anything runs."""
        self.entry.calibration_identity()
        return super().complete()

    def work(self, report: Report) -> str:
        """All sequences of the camera."""
        frames = read_table(self.folder / COMPARED)
        camera, plane = self.calibrated(frames)
        detections = read_parts(self.folder / DETECTIONS)
        tracks = track(detections, frames, camera, plane, self.settings, report, self.folder)
        write_table(self.folder / TRACKS, tracks)
        known = {i for i in tracks["track_id"].to_pylist() if i >= 0}
        return f"{len(known)} tracks of {tracks.num_rows} detections"


declare_each(TrackObjects, "tracker", trackers())


class EmptyStreet(Stage, settings=EmptyStreetSettings):
    """The background of every time bucket without those who stood there, and the regions that no label tells of."""

    version = 2
    outputs = (
        *(f"{folder}/*.png" for folder in (LOOKS, UNFILLED, SOURCES, BACKGROUND, f"{EMPTY_STREET}/filled")),
        IGNORED,
    )  # fmt: skip
    unit = "buckets"

    def requires(self) -> luigi.Task:
        """Who is where."""
        return self.clone(TrackObjects)

    def configure(self) -> EmptyStreetSettings:
        """luigi.cfg's settings, with those of the detector that it names."""
        settings = super().configure()
        if not settings.detector:
            return settings
        backend = backend_of(settings.detector, "[EmptyStreet] detector")
        if backend.needs:
            raise ValueError(
                f"[EmptyStreet] detector: {backend.name} needs {', '.join(backend.needs)}; expected one that looks at "
                "single pictures, as onnx, mmdet and walt3d do"
            )
        options = named_by(self.entry, backend, collect_of(self, backend), own=False)
        return replace(settings, options=backend.complete(options, weights_folder(self.data_root)))

    def identity(self) -> dict[str, Any]:
        """The settings, with the files' names in place of their paths."""
        plain, settings = identity(self.settings), self.settings
        if not settings.detector:
            return plain
        return plain | {"options": with_names(backend_of(settings.detector), settings.options, plain.get("options"))}

    def depends_on(self) -> Any:
        """Where nothing is looked for, and the files of the detector that looks at the backgrounds."""
        manifest, settings = self.entry.manifest.model_dump(mode="json"), self.settings
        files = backend_of(settings.detector).files(settings.options).values() if settings.detector else ()
        parts = {key: manifest[key] for key in ("roi", "ignore")}
        return parts | {"files": [stamp(Path(file)) for file in files if Path(file).is_file()]}

    @property
    def looks(self) -> DetectionSettings:
        """Who looks at the backgrounds, and what is kept of it."""
        of_frames, own = self.clone(DetectObjects).settings, self.settings
        return replace(of_frames, detector=own.detector, options=own.options) if own.detector else of_frames

    def work(self, report: Report) -> str:
        """What frames show of the street where it is in doubt; one shard for each bucket; then each is filled in from
        the others, and looked at for what still stands."""
        jobs = [self._job(name) for name in read_backgrounds(self.folder / MEDIANS)]
        self.fan_out(
            looks_shard, [self._looks_job()], lambda _: all(job.shown.exists() for job in jobs), lambda done, of: None
        )
        self.fan_out(uncovered_shard, jobs, lambda job: job.out.exists(), report)
        pictures, sources = filled_in(
            read_backgrounds(self.folder / UNFILLED), read_sources(self.folder / SOURCES, [job.name for job in jobs])
        )
        for name, picture in pictures.items():
            write_bytes(self.folder / EMPTY_STREET / "filled" / f"{name}.png", as_png(sources[name]))
            write_bytes(self.folder / BACKGROUND / f"{name}.png", as_png(picture))
        self.fan_out(regions_shard, [self._regions_job()], lambda job: job.out.exists(), lambda done, of: None)
        found = count_rows(self.folder / IGNORED)
        if backend_of(self.looks.detector).needs:
            report.say(
                f"what stands there all day is in the backgrounds without a label: {self.looks.detector} finds what "
                "moves; --EmptyStreet-detector walt3d finds vehicles that stand, so that training leaves them out"
            )
        return f"{len(pictures)} backgrounds, {found} regions to ignore in them"

    def _job(self, name: str) -> UncoveredJob:
        return UncoveredJob(
            name=name,
            index=self.folder / COMPARED,
            root=self.folder,
            medians=self.folder / MEDIANS,
            tracks=self.folder / TRACKS,
            shown=self.folder / LOOKS / f"{name}.png",
            out=self.folder / UNFILLED / f"{name}.png",
            source=self.folder / SOURCES / f"{name}.png",
            settings=self.settings,
        )

    def _looks_job(self) -> LooksJob:
        return LooksJob(
            name="looks",
            index=self.folder / COMPARED,
            root=self.folder,
            medians=self.folder / MEDIANS,
            tracks=self.folder / TRACKS,
            out=self.folder / LOOKS,
        )

    def _regions_job(self) -> RegionsJob:
        camera, plane = self.calibrated(read_table(self.folder / COMPARED, columns=["height", "width"]))
        ignored = self.entry.ignored(camera.size_hw)
        return RegionsJob(
            name="regions",
            backgrounds=self.folder / BACKGROUND,
            sources=self.folder / EMPTY_STREET / "filled",
            index=self.folder / COMPARED,
            tracks=self.folder / TRACKS,
            out=self.folder / IGNORED,
            settings=self.looks,
            camera=camera,
            plane=plane,
            ignore_rle=None if ignored is None else masks.encode(ignored, (0, 0), camera.size_hw),
        )


_OF_PICTURES = {name: backend for name, backend in backends().items() if not backend.needs}
declare_each(EmptyStreet, "detector", _OF_PICTURES, ": who looks at the backgrounds, else the detector of the frames")
