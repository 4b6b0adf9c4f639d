"""DetectObjects: people and vehicles in every frame, by the detector that the manifest or luigi.cfg names."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, get_type_hints

import luigi

from data_manifest import CameraEntry
from pipeline.core import masks
from pipeline.core.storage import count_rows, read_table
from pipeline.detection import Backend, DetectionSettings, DetectJob, Inputs, backends, detect_shard
from pipeline.detection.registry import backend_of
from readers.texts import expanded
from tasks.common.configuration import HOME
from tasks.common.console import Report
from tasks.common.contents import stamp
from tasks.common.settings import collect_of, declare_each, identity
from tasks.common.stage import Stage
from tasks.frames import COMPARED, MEDIANS, MedianBackground
from tasks.learn.weights import weights_folder

DETECTIONS = "detections"
_FRAMES_PER_PART = 50
# Their settings stand in every record, chosen or not, so that results stay valid which were made when all did.
_RECORDED = ("coco", "mmdet", "motion", "onnx")


class DetectObjects(Stage, settings=DetectionSettings):
    """One part of detections for each block of frames."""

    version = 3
    outputs = (f"{DETECTIONS}/part-*.parquet",)
    unit = "blocks of frames"

    def requires(self) -> luigi.Task:
        """The frames by way of their backgrounds."""
        return self.clone(MedianBackground)

    def configure(self) -> DetectionSettings:
        """luigi.cfg's settings, overridden by what the manifest says of its own camera."""
        settings, manifest = super().configure(), self.entry.manifest
        name, where = settings.detector, "[DetectObjects] detector"
        if manifest.detector:
            name, where = manifest.detector.backend, f"{self.entry.path}: detector.backend"
        backend = backend_of(name, where)
        options = named_by(self.entry, backend, collect_of(self, backend))
        options = backend.complete(options, weights_folder(self.data_root))
        kept = sorted(settings.kept & set(manifest.classes))
        return DetectionSettings(name, ",".join(kept), settings.min_score, options, settings.riders)

    def identity(self) -> dict[str, Any]:
        """What is kept, and the settings of detectors."""
        plain = identity(self.settings)
        own = {name: identity(collect_of(self, backends()[name])) for name in _RECORDED}
        chosen = backend_of(self.settings.detector)
        return own | {chosen.name: with_names(chosen, self.settings.options, plain.pop("options", None))} | plain

    def depends_on(self) -> Any:
        """Where to detect, the files that the detector reads, and the calibration if it measures in metres."""
        manifest, backend = self.entry.manifest.model_dump(mode="json"), backend_of(self.settings.detector)
        files = backend.files(self.settings.options).values()
        parts = {"calibration": self.calibration_if_any()} if backend.metric else {}
        parts |= {"roi": manifest["roi"], "ignore": manifest["ignore"]}
        return parts | {"files": [stamp(Path(file)) for file in files if Path(file).is_file()]}

    def complete(self) -> bool:
        """As of any stage; without the calibration that it needs, it says so before anything runs."""
        if backend_of(self.settings.detector).metric:
            self.entry.calibration_identity()
        return super().complete()

    def work(self, report: Report) -> str:
        """One shard for each block of frames."""
        index = self.folder / COMPARED
        frames = read_table(index)
        backend = backend_of(self.settings.detector)
        camera, plane = self.calibrated(frames) if backend.metric else (None, None)
        size_hw = (frames["height"][0].as_py(), frames["width"][0].as_py())
        ignored = self.entry.ignored(size_hw)
        rle = None if ignored is None else masks.encode(ignored, (0, 0), size_hw)
        for line in backend.told(self.settings.options, Inputs(camera, plane, None, frames, ignored)):
            report.say(line)
        ids, used = frames["frame_id"].to_pylist(), frames["status"].to_pylist().count("ok")
        jobs = []
        for number, first in enumerate(range(0, len(ids), _FRAMES_PER_PART)):
            block, name = ids[first : first + _FRAMES_PER_PART], f"part-{number:05d}"
            out = self.folder / DETECTIONS / f"{name}.parquet"
            backgrounds = self.folder / MEDIANS
            jobs.append(DetectJob(name, block, index, self.folder, backgrounds, out, self.settings, camera, plane, rle))
        self.fan_out(detect_shard, jobs, lambda job: job.out.exists(), report)
        rows = sum(count_rows(job.out) for job in jobs)
        return f"{rows} detections in {used} frames"


declare_each(DetectObjects, "detector", backends())


def with_names(backend: Backend, options: Any, plain: dict[str, Any] | None) -> dict[str, Any] | None:
    """Plain settings of a detector with the files' names in place of their paths: what they hold counts, not where."""
    return plain and plain | {key: Path(file).name for key, file in backend.files(options).items()}


def named_by(entry: CameraEntry, backend: Backend, options: Any, *, own: bool = True) -> Any:
    """A detector's settings with those that a manifest gives of its own camera put in, if `own`, and its files found.

    Relative paths belong to the manifest's folder or, out of luigi.cfg, to the repository. Raises ValueError for a
    setting that the detector does not have.
    """
    choice = entry.manifest.detector if own else None
    given = choice.options if choice else {}
    if options is None:
        return _checked_options(None, given, entry.path) or None
    options = dataclasses.replace(options, **_checked_options(type(options), given, entry.path))
    places = {
        key: entry.resolve(Path(file)) if key in given else (HOME / expanded(file, key)).resolve()
        for key, file in backend.files(options).items()
    }
    return dataclasses.replace(options, **{key: str(place) for key, place in places.items()})


def _checked_options(settings: type | None, options: dict[str, Any], where: Path) -> dict[str, Any]:
    hints = get_type_hints(settings) if settings else {}
    for key, value in options.items():
        if key not in hints:
            known = f"backend or one of {', '.join(hints)}" if hints else "backend alone"
            raise ValueError(f"{where}: detector.{key}: unknown setting; expected {known}")
        whole_for_float = hints[key] is float and isinstance(value, int) and not isinstance(value, bool)
        if not whole_for_float and type(value) is not hints[key]:
            raise ValueError(f"{where}: detector.{key}: expected {hints[key].__name__}, got {value!r}")
    return options
