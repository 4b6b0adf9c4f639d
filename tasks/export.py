"""Export: a camera's composed shards in the format of another program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import luigi

from data_manifest import CameraEntry, ManifestError
from data_manifest.schema import Manifest
from pipeline.core.storage import atomic_folder, write_json
from pipeline.core.tables import MODES
from pipeline.export.registry import ExportJob, format_of, formats
from pipeline.importing.scenes import MODE as IMPORTED
from tasks.common.console import Report
from tasks.common.records import hash_of, read_record
from tasks.common.settings import collect_of, declare_each, identity
from tasks.common.stage import Stage, data_root_of
from tasks.common.variants import DEFAULT, DataSet, data_sets, name_of, taken
from tasks.compose import GenerateClipArt

EXPORT = "export.json"


class Export(Stage):
    """The shards in <camera>/exports/<format>, whole or absent, with a manifest of what was written and left out."""

    version = 2
    format = luigi.Parameter(description="name of the format")
    variant = luigi.Parameter(default="", description="name of the data set, else the one that is there")
    mode = luigi.ChoiceParameter(choices=("", *MODES), default="", description="another name, for one version, of "
                                 "--variant")  # fmt: skip
    unit = "pictures"

    @classmethod
    def entry_of(cls, camera: str, manifests: str, data_root: str) -> CameraEntry:
        """The camera's manifest; an empty one where there is none and its data sets were imported."""
        try:
            return super().entry_of(camera, manifests, data_root)
        except ManifestError:
            there = [one.manifest.get("mode") for one in data_sets(data_root_of(data_root) / camera)]
            if IMPORTED not in there:
                raise
            return CameraEntry(camera, Path(f"{camera}.yaml"), Manifest.model_construct(settings={}))

    def requires(self) -> list[luigi.Task]:
        """The shards, where there are none yet."""
        return [] if self._taken else [GenerateClipArt(**self._place)]

    @cached_property
    def _taken(self) -> DataSet | None:
        return taken(self.folder, self.variant or (name_of(self.mode, 0) if self.mode else ""))

    @property
    def _place(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("camera", "data_root", "manifests", "cpus")}

    @property
    def data_set(self) -> DataSet:
        """What is exported."""
        return self._taken or GenerateClipArt(**self._place).data_set

    @property
    def name(self) -> str:
        """Each export has its own record."""
        return f"{self.kind}-{self.target.name}"

    @property
    def target(self) -> Path:
        """The export's folder."""
        name = self.data_set.name
        return self.folder / "exports" / (self.format if name == DEFAULT else f"{self.format}_{name}")

    def configure(self) -> Any:
        """The format's own settings."""
        return collect_of(self, format_of(self.format))

    def depends_on(self) -> Any:
        """The shards, and how the format is written."""
        return {"data_set": self.data_set.manifest.get("hash"), "format": format_of(self.format).version}

    @property
    def content(self) -> dict[str, Any]:
        """What the bytes depend on now: the shards may be there only when it runs."""
        return {"version": self.version, "settings": self.identity(), "depends_on": self.depends_on()}

    @property
    def fingerprint(self) -> str:
        """Of the shards that are there, wherever they come from."""
        return hash_of({"stage": self.kind, **self.content})

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody removes the shards meanwhile."""
        with super()._locked(), self.data_set.read():
            yield

    def _in_the_way(self) -> bool:
        """Also one that is there without a record, of an earlier version."""
        unknown = (self.target / EXPORT).exists() and read_record(self.record) is None
        return super()._in_the_way() or (unknown and not self.redo)

    def files(self) -> list[Path]:
        """All of the folder."""
        return sorted(path for path in self.target.rglob("*") if path.is_file())

    def work(self, report: Report) -> str:
        """The format's files, then the manifest, then the folder takes its name."""
        shards, about_shards = self.data_set.folder, self.data_set.manifest
        with atomic_folder(self.target) as out:
            job = ExportJob(shards, out, self.camera, about_shards["mode"], self.settings, partial(report))
            written = format_of(self.format).write(job)
            sizes = [path.stat().st_size for path in out.rglob("*") if path.is_file()]
            about = {
                "format": self.format,
                "camera": self.camera,
                "mode": about_shards["mode"],
                "variant": self.data_set.name,
                "settings": identity(self.settings) if self.settings else {},
                "shards": about_shards["hash"],
                "written": written.what,
                "left_out": written.left_out,
                "files": len(sizes),
                "bytes": sum(sizes),
            }
            write_json(out / EXPORT, about)
        self.tell_where()
        return written.what

    def tell_where(self) -> None:
        """What the user came for, in a sentence."""
        about = json.loads((self.target / EXPORT).read_text())
        print(f"{self.target}: {about['written']}; left out: {about['left_out']}.", flush=True)


declare_each(Export, "format", formats())


@Export.event_handler(luigi.Event.DEPENDENCY_PRESENT)
def _exported_already(task: luigi.Task) -> None:
    if isinstance(task, Export):
        task.tell_where()
