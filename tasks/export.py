"""Export: a camera's composed shards in the format of another program."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import luigi

from pipeline.core.storage import atomic_folder, write_json
from pipeline.core.tables import MODES
from pipeline.export.registry import ExportJob, format_of, formats
from tasks.common.console import Report
from tasks.common.settings import collect_of, declare_each, identity
from tasks.compose import MANIFEST, GenerateClipArt, OfClipArt

EXPORT = "export.json"


class Export(OfClipArt):
    """The shards in <camera>/exports/<format>, whole or absent, with a manifest of what was written and left out."""

    version = 1
    format = luigi.Parameter(description="name of the format")
    unit = "pictures"

    def requires(self) -> luigi.Task:
        """The shards."""
        return self.clone(GenerateClipArt)

    @property
    def name(self) -> str:
        """Each format has its own record."""
        return f"{super().name}-{self.format}"

    @property
    def target(self) -> Path:
        """The export's folder."""
        return self.folder / "exports" / (self.format if self.mode == MODES[0] else f"{self.format}_{self.mode}")

    def configure(self) -> Any:
        """The format's own settings."""
        return collect_of(self, format_of(self.format))

    def depends_on(self) -> Any:
        """The shards, and how the format is written."""
        return super().depends_on() | {"format": format_of(self.format).version}

    def files(self) -> list[Path]:
        """All of the folder."""
        return sorted(path for path in self.target.rglob("*") if path.is_file())

    def work(self, report: Report) -> str:
        """The format's files, then the manifest, then the folder takes its name."""
        shards = self.folder / self.product
        with atomic_folder(self.target) as out:
            job = ExportJob(shards, out, self.camera, self.mode, self.settings, partial(report))
            written = format_of(self.format).write(job)
            sizes = [path.stat().st_size for path in out.rglob("*") if path.is_file()]
            about = {
                "format": self.format,
                "camera": self.camera,
                "mode": self.mode,
                "settings": identity(self.settings) if self.settings else {},
                "shards": json.loads((shards / MANIFEST).read_text())["hash"],
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
