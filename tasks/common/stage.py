"""What all stages share: where a camera's files lie, when a stage is complete, how it resumes.

A stage is complete when `.stages/<name>.json` in the camera's folder holds its fingerprint, a hash of its settings,
the part of the manifest it depends on, its version and its upstream's fingerprints, with the state "done". Under the
same fingerprint a stage keeps the parts it finds and makes those that lack; anything else is removed first.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar

import luigi
from filelock import FileLock, Timeout

from calibration.camera import Camera, GroundPlane
from data_manifest import CAMERAS, CameraEntry, load_camera
from pipeline.core.engine import Progress, map_shards
from pipeline.core.storage import sha256_of, write_json
from tasks.common.configuration import HOME, walt3d
from tasks.common.console import Report
from tasks.common.settings import collect, declare, identity


class Stage(luigi.Task):
    """A stage of one camera. Subclasses say `settings=` their dataclass, `outputs` and `work`."""

    camera = luigi.Parameter(description="id of the camera: a YAML of this name in data_manifest/cameras")
    data_root = luigi.Parameter(default="", description="folder of all results, else WALT3D_DATA, else data/")
    manifests = luigi.Parameter(default="", description="folder of the cameras' YAML, else data_manifest/cameras")
    cpus = luigi.IntParameter(default=0, significant=False, description="processes for shards, else [walt3d] cpus")

    settings_type: ClassVar[type | None] = None
    version: ClassVar[int] = 1  # raised when the stage's code makes other bytes
    unit: ClassVar[str] = "parts"
    outputs: ClassVar[tuple[str, ...]] = ()  # glob patterns below the camera's folder
    shows_only: ClassVar[bool] = False  # for people to look at: the bytes of no other stage depend on it

    def __init_subclass__(cls, settings: type | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if settings is not None:
            cls.settings_type = settings
            declare(cls, settings)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.entry: CameraEntry = _load(self.camera, self.manifests or walt3d().manifests)
        self.settings: Any = self.configure()
        # Made now: a mistake in any upstream stage's settings is told before anything runs.
        self.fingerprint = self._fingerprint()

    def configure(self) -> Any:
        """The stage's settings, an instance of the dataclass it was declared with."""
        return collect(self, self.settings_type) if self.settings_type else None

    def work(self, report: Report) -> str:
        """Make the outputs and return what was made, in a few words."""
        raise NotImplementedError

    def depends_on(self) -> Any:
        """What beyond settings and upstream the bytes depend on, as JSON: parts of the manifest, files' stamps."""
        return None

    def identity(self) -> dict[str, Any] | None:
        """What of the settings the bytes depend on, as plain values."""
        return identity(self.settings) if self.settings else None

    @property
    def name(self) -> str:
        """Name of the stage's record; tasks that differ in other parameters have other names."""
        return self.task_family

    @cached_property
    def folder(self) -> Path:
        """The camera's folder."""
        return data_root_of(self.data_root) / self.camera

    @property
    def engine(self) -> str:
        """Name of the engine that runs shards."""
        return walt3d().engine

    @property
    def processes(self) -> int:
        """Processes that work on shards at a time."""
        return self.cpus or walt3d().cpus

    def _fingerprint(self) -> str:
        """Hash of all that the stage's bytes depend on."""
        content = {
            "stage": self.name,
            "version": self.version,
            "settings": self.identity(),
            "depends_on": self.depends_on(),
            "upstream": {t.name: t.fingerprint for t in luigi.task.flatten(self.requires()) if not t.shows_only},
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]

    @property
    def record(self) -> Path:
        """The file that says whose outputs these are and whether all of them are there."""
        return self.folder / ".stages" / f"{self.name}.json"

    def output(self) -> luigi.LocalTarget:
        """The record, for luigi's pages; `complete` looks into it."""
        return luigi.LocalTarget(str(self.record))

    def complete(self) -> bool:
        """Done under the present fingerprint, with every file still there."""
        recorded = self._recorded()
        done = recorded.get("fingerprint") == self.fingerprint and recorded.get("state") == "done"
        return done and recorded.get("files") == len(self.files())

    def files(self) -> list[Path]:
        """What the stage has written so far."""
        found = {path for pattern in self.outputs for path in self.folder.glob(pattern) if path.is_file()}
        return sorted(path for path in found if not path.name.startswith("."))

    def leftovers(self) -> list[Path]:
        """What goes when the stage starts over."""
        return self.files()

    def half_written(self) -> list[Path]:
        """What a killed run left under hidden names."""
        hidden = [f"{head}{mid}.{name}.part" for head, mid, name in (p.rpartition("/") for p in self.outputs)]
        return sorted(path for pattern in hidden for path in self.folder.glob(pattern))

    def run(self) -> None:
        """Resume or start over, then record that the stage is done."""
        with self._locked():
            if self.complete():
                return
            self._clear()
            report = Report(self, f"{self.camera} {self.name}", self.unit)
            done = self.work(report)
            self._write("done", len(self.files()))
            report.close(done)

    def fan_out(
        self, fn: Callable[[Any], Any], jobs: Sequence[Any], done: Callable[[Any], bool], report: Progress
    ) -> None:
        """Run fn on every job that is not done yet."""
        todo = [job for job in jobs if not done(job)]
        before = len(jobs) - len(todo)
        map_shards(
            fn,
            todo,
            engine=self.engine,
            cpus=self.processes,
            on_done=lambda number, _: report(before + number, len(jobs)),
        )

    def calibrated(self, frames: Any) -> tuple[Camera, GroundPlane]:
        """Camera and ground plane for frames as large as those of the FRAMES table."""
        return self.entry.calibrated((frames["height"][0].as_py(), frames["width"][0].as_py()))

    def _recorded(self) -> dict[str, Any]:
        try:
            return json.loads(self.record.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def _write(self, state: str, files: int) -> None:
        write_json(self.record, {"fingerprint": self.fingerprint, "state": state, "files": files})

    def _clear(self) -> None:
        """Remove half-written files, and whatever was made under another fingerprint."""
        for part in self.half_written():
            part.unlink()
        if self._recorded().get("fingerprint") == self.fingerprint:
            return
        # In this order: killed at any point, the next run starts over rather than trusts foreign parts.
        self.record.unlink(missing_ok=True)
        for path in self.leftovers():
            path.unlink()
        self._write("started", 0)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One run at a time writes a stage of a camera; the lock dies with its process."""
        self.record.parent.mkdir(parents=True, exist_ok=True)
        try:
            held = FileLock(self.record.with_suffix(".lock"), blocking=False).acquire()
        except Timeout:
            raise ValueError(
                f"another run is making {self.name} of {self.camera} in {self.folder}; run again when it has ended"
            ) from None
        with held:
            yield


@lru_cache
def _load(camera: str, manifests: str) -> CameraEntry:
    return load_camera(camera, Path(manifests).expanduser().resolve() if manifests else CAMERAS)


def data_root_of(given: str) -> Path:
    """The folder of all results: the given one, else WALT3D_DATA, else luigi.cfg's, else data/ of the repository.

    What was installed from a wheel has no repository: then data/ of the working folder.
    """
    root = given or os.environ.get("WALT3D_DATA") or walt3d().data_root or HOME / "data"
    return Path(root).expanduser().resolve()


def stamp(path: Path) -> list[Any]:
    """Name, size and time of a file that a stage reads from outside: another file there makes other results."""
    stat = path.stat()
    return [path.name, stat.st_size, stat.st_mtime_ns]


def digest(path: Path) -> str:
    """Of what a file holds, for files that ship with the project: the same in every checkout."""
    return sha256_of(path)[:16]
