"""The rendered pictures of linked objects that benchmarks share: a folder for every number of pictures."""

from __future__ import annotations

from pathlib import Path

from models.linked_objects.plan import LinkedSettings, linked_jobs
from pipeline.core.engine import map_shards


def folder_of(data: Path, settings: LinkedSettings) -> Path:
    """Where a set lies: sets of other settings never share a folder, for shards go by their number alone."""
    name = "full" if settings == LinkedSettings() else f"quick-{settings.pictures}"
    return data / "training" / f"linked_objects-{name}"


def rendered_in(data: Path, settings: LinkedSettings) -> Path:
    """That folder, with what was not there yet."""
    folder = folder_of(data, settings)
    for render, jobs in linked_jobs(settings, folder):
        map_shards(render, [job for job in jobs if not job.out.exists()])
    return folder
