"""The tasks that make what networks learn from, one for each Source of a Spec: by rendering, or from simulated cameras.

`task_of(spec)` is the task of a network's Source; luigi knows it by the name that the Source gives it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import new_class
from typing import Any, ClassVar

import luigi

from models.contract import Collected, Rendered, Spec, specs
from pipeline.core.engine import map_shards
from pipeline.core.frames import StreetJob
from pipeline.core.storage import LISTING, listed, read_table, unlike_listing, write_json, write_table
from pipeline.mining.exact_masks import exact_masks_shard
from tasks.common.configuration import walt3d
from tasks.common.console import Report
from tasks.common.settings import collect, declare, identity
from tasks.common.stage import data_root_of
from tasks.frames import COMPARED
from tasks.track import TRACKS, EmptyStreet


class TrainingData(luigi.Task):
    """Files in a folder below training/, named by the Source's prefix and a hash. Subclasses have a `source`."""

    data_root = luigi.Parameter(default="", description="folder of all results, else WALT3D_DATA, else data/")

    settings_type: ClassVar[type | None] = None
    source: ClassVar[Any]

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
        content: list[Any] = [self.source.version]
        if self.settings_type:
            content.append(identity(self.settings))
        if upstream := luigi.task.flatten(self.requires()):
            content.append([task.fingerprint for task in upstream])
        mark = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
        return data_root_of(self.data_root) / "training" / f"{self.source.prefix}-{mark}"

    def complete(self) -> bool:
        """All is there, and every file as large as it was written."""
        return super().complete() and not unlike_listing(self.folder)


class RenderedData(TrainingData):
    """Pictures rendered one by one, in shards."""

    source: ClassVar[Rendered]
    cpus = luigi.IntParameter(default=0, significant=False, description="processes for shards, else [walt3d] cpus")

    def output(self) -> luigi.LocalTarget:
        """Written last: the settings, the number of shards, and what was written."""
        return luigi.LocalTarget(str(self.folder / LISTING))

    def run(self) -> None:
        """Render the shards that are not there yet."""
        batches = self.source.jobs(self.settings, self.folder)
        everything = [job for _, jobs in batches for job in jobs]
        report, total = Report(self, self.task_family, "shards"), len(everything)
        for path in unlike_listing(self.folder):
            path.unlink(missing_ok=True)
        for render, jobs in batches:
            before = sum(job.out.exists() for job in everything)
            map_shards(
                render, [job for job in jobs if not job.out.exists()],
                engine=walt3d().engine, cpus=self.cpus or walt3d().cpus,
                on_done=lambda done, _, before=before: report(before + done, total),  # type: ignore[misc]
            )  # fmt: skip
        files = listed(self.folder, [job.out for job in everything])
        write_json(self.folder / LISTING, {"settings": identity(self.settings), "shards": total, "files": files})
        report.close(f"{total} shards in {self.folder}")


class CollectedData(TrainingData):
    """Detections of the training cameras beside their exact truth, one Parquet file a camera."""

    source: ClassVar[Collected]

    def requires(self) -> list[EmptyStreet]:
        """The cameras' tracks and empty streets; their truth came with the frames."""
        return [EmptyStreet(camera=camera, data_root=self.data_root) for camera in self.source.cameras]

    def output(self) -> list[luigi.LocalTarget]:
        """One file a camera."""
        return [luigi.LocalTarget(str(self.folder / f"{camera}.parquet")) for camera in self.source.cameras]

    def run(self) -> None:
        """Collect from the cameras that have no file yet."""
        report, options = Report(self, self.task_family, "cameras"), (self.settings,) if self.settings_type else ()
        count = len(self.source.cameras)
        for path in unlike_listing(self.folder):
            path.unlink(missing_ok=True)
        for done, (camera, target) in enumerate(zip(self.requires(), self.output(), strict=True), start=1):
            if not target.exists():
                with camera.reading(), TemporaryDirectory() as folder:
                    given = [_exact_tracks(camera, Path(folder))] if self.source.exact_masks else []
                    write_table(Path(target.path), self.source.collect(camera.folder, *given, *options))
            report(done, count)
        files = listed(self.folder, [Path(target.path) for target in self.output()])
        write_json(self.folder / LISTING, {"files": files})
        report.close(f"{count} cameras in {self.folder}")


def _exact_tracks(camera: EmptyStreet, folder: Path) -> Path:
    """The file of a camera's tracks with exact masks, made in a folder."""
    index, tracks, out = camera.folder / COMPARED, camera.folder / TRACKS, folder / "tracks.parquet"
    ids = read_table(index, columns=["frame_id"])["frame_id"].to_pylist()
    exact_masks_shard(StreetJob("all", ids, index, camera.folder, tracks, out, camera.folder / "background"))
    return out


_KINDS: dict[type, type[TrainingData]] = {Rendered: RenderedData, Collected: CollectedData}


def task_of(spec: Spec) -> type[TrainingData] | None:
    """The task that makes what a network learns from; None where a Source makes no files of its own."""
    return _TASKS.get(getattr(spec.source, "task", ""))


def _tasks_of_sources() -> Iterator[tuple[str, type[TrainingData]]]:
    """A task for each Source; networks may share one. Raises ValueError for two of one name."""
    known: dict[str, Any] = {}
    for spec in specs().values():
        source = spec.source
        if not isinstance(source, Rendered | Collected):
            continue
        if known.get(source.task, source) != source:
            raise ValueError(
                f"{spec.name}: another network's source has a task {source.task}, too; give it its own name"
            )
        if source.task not in known:
            known[source.task] = source
            yield source.task, _made(source)


def _made(source: Rendered | Collected) -> type[TrainingData]:
    attributes = {"source": source, "__doc__": source.summary, "__module__": __name__}
    options = {} if source.settings is None else {"settings": source.settings}
    return new_class(source.task, (_KINDS[type(source)],), options, lambda body: body.update(attributes))


_TASKS = dict(_tasks_of_sources())
