"""What the tasks share that make what a network of models/ learns from: by drawing it, or from simulated cameras."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import luigi
import pyarrow as pa

from pipeline.core.engine import map_shards
from pipeline.core.storage import write_json, write_table
from tasks.common.configuration import walt3d
from tasks.common.console import Report
from tasks.common.settings import collect, declare, identity
from tasks.common.stage import data_root_of
from tasks.track import TrackObjects

CAMERAS = ("cam03", "cam05")
Drawings = list[tuple[Callable[[Any], int], Sequence[Any]]]


class TrainingData(luigi.Task):
    """Files in a folder below training/, named `prefix` and a hash. Subclasses may say `settings=` their dataclass."""

    data_root = luigi.Parameter(default="", description="folder of all results, else WALT3D_DATA, else data/")

    settings_type: ClassVar[type | None] = None
    version: ClassVar[int] = 1  # raised when the code makes other bytes
    prefix: ClassVar[str]

    def __init_subclass__(cls, settings: type | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if settings is not None:
            cls.settings_type = settings
            declare(cls, settings)

    @property
    def settings(self) -> Any:
        """An instance of the dataclass that the task was declared with."""
        return collect(self, self.settings_type) if self.settings_type else None

    @property
    def folder(self) -> Path:
        """What changes the bytes changes their folder."""
        content: list[Any] = [self.version]
        if self.settings_type:
            content.append(identity(self.settings))
        if upstream := luigi.task.flatten(self.requires()):
            content.append([task.fingerprint for task in upstream])
        mark = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
        return data_root_of(self.data_root) / "training" / f"{self.prefix}-{mark}"


class DrawnData(TrainingData):
    """Pictures drawn one by one, in shards. Subclasses say `drawings`."""

    cpus = luigi.IntParameter(default=0, significant=False, description="processes for shards, else [walt3d] cpus")

    def drawings(self) -> Drawings:
        """Module-level functions that draw a shard, each with the shards it draws."""
        raise NotImplementedError

    def output(self) -> luigi.LocalTarget:
        """Written last: the settings and the number of shards."""
        return luigi.LocalTarget(str(self.folder / "manifest.json"))

    def run(self) -> None:
        """Draw the shards that are not there yet."""
        drawings = self.drawings()
        everything = [job for _, jobs in drawings for job in jobs]
        report, total = Report(self, self.task_family, "shards"), len(everything)
        for draw, jobs in drawings:
            before = sum(job.out.exists() for job in everything)
            map_shards(
                draw, [job for job in jobs if not job.out.exists()],
                engine=walt3d().engine, cpus=self.cpus or walt3d().cpus,
                on_done=lambda done, _, before=before: report(before + done, total),  # type: ignore[misc]
            )  # fmt: skip
        write_json(self.folder / "manifest.json", {"settings": identity(self.settings), "shards": total})
        report.close(f"{total} shards in {self.folder}")


class CollectedData(TrainingData):
    """Detections of the training cameras beside their exact truth, one Parquet file a camera."""

    def requires(self) -> list[TrackObjects]:
        """The cameras' tracks; their truth came with the frames."""
        return [TrackObjects(camera=camera, data_root=self.data_root) for camera in CAMERAS]

    def collect(self, folder: Path) -> pa.Table:
        """What a camera's folder holds to learn from."""
        raise NotImplementedError

    def output(self) -> list[luigi.LocalTarget]:
        """One file a camera."""
        return [luigi.LocalTarget(str(self.folder / f"{camera}.parquet")) for camera in CAMERAS]

    def run(self) -> None:
        """Collect from the cameras that have no file yet."""
        report = Report(self, self.task_family, "cameras")
        for done, (camera, target) in enumerate(zip(self.requires(), self.output(), strict=True), start=1):
            if not target.exists():
                write_table(Path(target.path), self.collect(camera.folder))
            report(done, len(CAMERAS))
        report.close(f"{len(CAMERAS)} cameras in {self.folder}")
