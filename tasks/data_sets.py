"""Datasets: what the cameras' data sets are and whether they are whole. Remove: one of them goes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import luigi
import pandas as pd

from tasks.common.stage import data_root_of
from tasks.common.variants import MANIFEST, DataSet, checked_name, data_sets


class Datasets(luigi.Task):
    """List the data sets below the data root: settings that are not the defaults, size, date, whole or not."""

    camera = luigi.Parameter(default="", description="only this camera's")
    data_root = luigi.Parameter(default="", description="folder of all results, else WALT3D_DATA, else data/")

    def complete(self) -> bool:
        """Never: the list is shown whenever it is asked for."""
        return False

    def run(self) -> None:
        """Print the table."""
        root = data_root_of(self.data_root)
        folders = sorted(path for path in root.glob("[!.]*") if path.is_dir())
        cameras = [folder for folder in folders if self.camera in ("", folder.name)]
        rows = [_row(one) for camera in cameras for one in data_sets(camera)]
        print(f"{root}: {len(rows) or 'no'} data sets of {self.camera or 'any camera'}", flush=True)
        if rows:
            print(pd.DataFrame(rows).to_string(index=False), flush=True)


class Remove(luigi.Task):
    """Remove one data set of a camera: its folder of shards and gallery. What it was composed of stays."""

    camera = luigi.Parameter(description="id of the camera")
    variant = luigi.Parameter(description="name of the data set, as Datasets lists it")
    data_root = luigi.Parameter(default="", description="folder of all results, else WALT3D_DATA, else data/")

    def complete(self) -> bool:
        """Never: asked for twice, the second time there is none."""
        return False

    def run(self) -> None:
        """Say what goes, and remove it."""
        name, root = checked_name(self.variant), data_root_of(self.data_root)
        if not self.camera or Path(self.camera).name != self.camera or self.camera.startswith("."):
            raise ValueError(f"--camera: expected an id as Datasets lists it, got {self.camera!r}")
        there = {one.name: one for one in data_sets(root / self.camera)}
        if name not in there:
            raise ValueError(
                f"{root / self.camera}: has no data set {name}; there are: {', '.join(there) or 'none'}. "
                "`luigi --module tasks Datasets` lists all"
            )
        about = _row(there[name])
        there[name].remove()
        print(
            f"removed {there[name].folder}: {about['scenes']} scenes, {about['MB']} MB, {about['settings']}", flush=True
        )


def _row(one: DataSet) -> dict[str, Any]:
    """What is told of a data set."""
    about = one.settings or one.manifest
    files = [path.stat() for path in one.folder.rglob("*") if path.is_file()]
    last = one.folder / MANIFEST if (one.folder / MANIFEST).exists() else one.folder
    return {
        "camera": one.camera_dir.name,
        "variant": one.name,
        "settings": _options(about),
        "scenes": about.get("scenes", "?"),
        "MB": round(sum(stat.st_size for stat in files) / 1e6, 1),
        "date": datetime.fromtimestamp(last.stat().st_mtime).strftime("%Y-%m-%d %H:%M"),
        "whole": "yes" if one.whole else "no",
    }


def _options(about: Mapping[str, Any]) -> str:
    if "options" not in about:
        return "not known: of an earlier version"
    own = [f"{key} {about[key]}" for key, usual in (("mode", "walt3d"), ("seed", 0)) if about[key] != usual]
    chosen = [f"{task} {key} {value}" for task, keys in about["options"].items() for key, value in keys.items()]
    return ", ".join(own + chosen) or "defaults"
