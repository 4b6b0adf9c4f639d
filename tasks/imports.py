"""Import: others' labels as a camera's data set, from which networks learn as from one that was composed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import luigi

from pipeline.core.account import Account
from pipeline.core.storage import atomic_folder, sha256_of, write_json
from pipeline.importing.registry import Reader, ReadJob, reader_of, readers
from pipeline.importing.scenes import MODE, ReadScene, Shards, write_scenes
from tasks.common.console import Report
from tasks.common.records import hash_of
from tasks.common.settings import collect_of, declare_each, identity
from tasks.common.stage import data_root_of
from tasks.common.variants import DEFAULT, MANIFEST, SETTINGS, DataSet, checked_name


class Import(luigi.Task):
    """Write <camera>/clipart, or that of a variant, of a folder of another format; the camera needs no YAML."""

    camera = luigi.Parameter(description="name of the data set's folder, as commands call cameras")
    format = luigi.Parameter(description="name of the format")
    source = luigi.Parameter(description="folder or file of the labels")
    images = luigi.Parameter(default="", description="folder of the pictures, else where the format has them")
    variant = luigi.Parameter(default=DEFAULT, description="name of the data set among the camera's")
    data_root = luigi.Parameter(default="", description="folder of all results, else WALT3D_DATA, else data/")
    unit = "pictures"

    @property
    def reader(self) -> Reader:
        """Of the format."""
        return reader_of(self.format)

    @property
    def data_set(self) -> DataSet:
        """What is written."""
        if not self.camera or Path(self.camera).name != self.camera or self.camera.startswith("."):
            raise ValueError(f"--camera: expected a name that a folder may have, got {self.camera!r}")
        return DataSet(data_root_of(self.data_root) / self.camera, checked_name(self.variant))

    @property
    def made_of(self) -> dict[str, Any]:
        """What the shards depend on: the labels' content, not their place."""
        source = Path(self.source)
        if not source.exists():
            raise ValueError(f"--source: {source}: no such file or folder")
        content = hashlib.sha256("".join(map(sha256_of, self.reader.labels(source))).encode()).hexdigest()
        settings = collect_of(self, self.reader)
        about = {"format": self.format, "version": self.reader.version, "labels": content}
        return {"Import": {"settings": identity(settings) if settings else {}, "depends_on": about}}

    def complete(self) -> bool:
        """Whether it is there. Raises ValueError where another data set has the folder."""
        made_of = self.made_of
        fingerprint = hash_of(made_of)
        if self.data_set.begun and not self.data_set.fits(fingerprint):
            raise ValueError(
                f"{self.data_set.folder} holds another data set; name this one with --variant, or remove that one: "
                f"luigi --module tasks Remove --camera {self.camera} --variant {self.variant}"
            )
        return self.data_set.whole

    def run(self) -> None:
        """Shards, settings and the manifest, and then the folder takes its name."""
        account = Account(self.source, "objects")
        report = Report(self, f"{self.camera} {self.task_family}", self.unit)
        images = Path(self.images) if self.images else None
        job = ReadJob(Path(self.source), images, self.camera, collect_of(self, self.reader), account)
        made_of = self.made_of
        about: dict[str, Any] = {
            "camera": self.camera, "mode": MODE, "seed": 0, "variant": self.variant, "made_of": made_of,
            "hash": hash_of(made_of),
        }  # fmt: skip
        with atomic_folder(self.data_set.folder) as out:
            parts = write_scenes(Shards(out, self.camera, about["hash"]), self._told(job, report))
            scenes = sum(part["scenes"] for part in parts)
            if not scenes:
                raise ValueError(f"{self.source}: no pictures in it")
            options = {"fingerprint": hash_of(made_of), "options": {}, "scenes": scenes}
            write_json(out / SETTINGS, about | options)
            write_json(out / MANIFEST, about | {"parts": parts, "scenes": scenes, "shards": len(parts)})
        account.tell()
        report.close(f"{scenes} scenes in {len(parts)} shards")
        print(f"shards:  {self.data_set.folder / 'images'}\n         {self.data_set.folder / 'objects'}", flush=True)

    def _told(self, job: ReadJob, report: Report) -> Iterator[ReadScene]:
        for number, scene in enumerate(self.reader.read(job), start=1):
            report(number, number)
            yield scene


declare_each(Import, "format", readers())
