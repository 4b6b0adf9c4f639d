"""DetectObjects: people and vehicles in every frame, by the detector that the manifest or luigi.cfg names."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, get_type_hints

import luigi
import pyarrow.parquet as pq

from models.mm.configs import is_zoo_name
from models.mm.weights import zoo_file
from pipeline.core import masks
from pipeline.detection import DetectionSettings, DetectJob, detect_shard
from tasks.common.configuration import HOME
from tasks.common.console import Report
from tasks.common.stage import Stage, stamp
from tasks.frames import INDEX, MedianBackground
from tasks.learn.weights import weights_folder

DETECTIONS = "detections"
_FRAMES_PER_PART = 50
# Settings that name files: relative ones belong to the manifest's folder or, out of luigi.cfg, to the repository.
_FILES = {"onnx": ("model",), "mmdet": ("config", "checkpoint"), "coco": ("file", "images")}


class DetectObjects(Stage, settings=DetectionSettings):
    """One part of detections for each block of frames."""

    outputs = (f"{DETECTIONS}/part-*.parquet",)
    unit = "blocks of frames"

    def requires(self) -> luigi.Task:
        """The frames by way of their backgrounds."""
        return self.clone(MedianBackground)

    def configure(self) -> DetectionSettings:
        """luigi.cfg's settings, overridden by what the manifest says of its own camera."""
        settings = merged(super().configure(), self.entry)
        if settings.detector != "mmdet" or settings.mmdet.checkpoint:
            return settings
        return with_published_weights(settings, weights_folder(self.data_root))

    def depends_on(self) -> Any:
        """Where to look, the calibration, and the files that the detector reads."""
        manifest = self.entry.manifest.model_dump(mode="json")
        named = getattr(self.settings, self.settings.detector)
        files = [getattr(named, key) for key in _FILES.get(self.settings.detector, ())]
        parts = {key: manifest[key] for key in ("calibration", "roi", "ignore")}
        return parts | {"files": [stamp(Path(file)) for file in files if file and Path(file).is_file()]}

    def work(self, report: Report) -> str:
        """One shard for each block of frames."""
        index = self.folder / INDEX
        frames = pq.read_table(index)
        camera, plane = self.calibrated(frames)
        ignored = self.entry.ignored(camera.size_hw)
        rle = None if ignored is None else masks.encode(ignored, (0, 0), camera.size_hw)
        ids = frames["frame_id"].to_pylist()
        jobs = []
        for number, first in enumerate(range(0, len(ids), _FRAMES_PER_PART)):
            block, name = ids[first : first + _FRAMES_PER_PART], f"part-{number:05d}"
            out = self.folder / DETECTIONS / f"{name}.parquet"
            backgrounds = self.folder / "background"
            jobs.append(DetectJob(name, block, index, self.folder, backgrounds, out, self.settings, camera, plane, rle))
        self.fan_out(detect_shard, jobs, lambda job: job.out.exists(), report)
        rows = sum(pq.read_metadata(job.out).num_rows for job in jobs)
        return f"{rows} detections in {len(ids)} frames"


def merged(settings: DetectionSettings, entry: Any) -> DetectionSettings:
    """Settings with a manifest's detector and classes put in. Raises ValueError for an option no detector has."""
    choice, kept = entry.manifest.detector, sorted(settings.kept & set(entry.manifest.classes))
    backend = choice.backend if choice else settings.detector
    options = _checked(type(getattr(settings, backend)), choice.options, entry.path) if choice else {}
    named = dataclasses.replace(getattr(settings, backend), **options)
    for key in _FILES.get(backend, ()):
        file = getattr(named, key)
        if file and not (backend == "mmdet" and key == "config" and is_zoo_name(file)):
            base = entry.resolve(Path(file)) if key in options else (HOME / Path(file).expanduser()).resolve()
            named = dataclasses.replace(named, **{key: str(base)})
    return dataclasses.replace(settings, detector=backend, categories=",".join(kept), **{backend: named})


def with_published_weights(settings: DetectionSettings, folder: Path) -> DetectionSettings:
    """Settings whose checkpoint is the one that the model zoo publishes of their config.

    Raises ValueError for a config that is not of the zoo, and for weights that are not in the folder.
    """
    config = settings.mmdet.config
    if not is_zoo_name(config):
        raise ValueError(f"detector mmdet: checkpoint: expected the weights of {config}, got none")
    file = zoo_file(config, folder)
    if not file.is_file():
        raise ValueError(f"detector mmdet: no weights at {file}; run `make weights MODEL={config}`")
    return dataclasses.replace(settings, mmdet=dataclasses.replace(settings.mmdet, checkpoint=str(file)))


def _checked(settings: type, options: dict[str, Any], where: Path) -> dict[str, Any]:
    hints = get_type_hints(settings)
    for key, value in options.items():
        if key not in hints:
            raise ValueError(f"{where}: detector.{key}: unknown setting; expected backend or one of {', '.join(hints)}")
        whole_for_float = hints[key] is float and isinstance(value, int) and not isinstance(value, bool)
        if not whole_for_float and type(value) is not hints[key]:
            raise ValueError(f"{where}: detector.{key}: expected {hints[key].__name__}, got {value!r}")
    return options
