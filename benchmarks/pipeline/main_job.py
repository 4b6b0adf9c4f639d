"""The main job of cam07 with default settings, from nothing to the gallery.

    python -m benchmarks.main_job [--check] [--quick] [--data DIR] [--camera NAME] [--manifests DIR]

Wall time, peak memory summed over processes, and what came out. The camera's folder in the data root is made anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common.job import CAMERA, Site, clipart_dir, run
from benchmarks.common.report import Bar, Report, main
from pipeline.composition.hidden_fraction import hidden_fraction, partly_hidden
from pipeline.core.storage import read_parts


def product(camera_dir: Path) -> dict:
    """What the job made: cutouts, scenes, objects a scene, the fraction of objects partly hidden."""
    shards = clipart_dir(camera_dir, "walt3d")
    objects = read_parts(shards / "objects", columns=["visible_fraction"]).to_pandas()
    scenes = read_parts(shards / "images", columns=["scene_id"]).num_rows
    return {
        "cutouts": read_parts(camera_dir / "cutouts", columns=["cutout_id"]).num_rows,
        "scenes": scenes,
        "objects_per_scene": len(objects) / scenes,
        "partly_hidden": float(partly_hidden(hidden_fraction(objects["visible_fraction"])).mean()),
        "hidden_over_10_percent": float((objects["visible_fraction"] < 0.9).mean()),
    }


def report(quick: bool, data: Path, sites: Sequence[Site]) -> Report:
    """One run into an empty folder of the data root, which the truth benchmarks then find done."""
    (site,) = sites
    camera = site.camera
    if (data / camera).exists():
        (data / camera).rename(data / f"{camera}.before")
        shutil.rmtree(data / f"{camera}.before")
    job = run("GenerateClipArt", data, "--camera", camera, "--manifests", str(site.manifests), *site.options)
    if job.code:
        raise SystemExit(f"benchmarks.main_job: the job ended with {job.code}:\n{job.output[-2000:]}")
    row = {"minutes": job.wall_s / 60, "peak_gb": job.peak_bytes / 1e9, **product(data / camera)}
    bars = [
        Bar("minutes", row["minutes"], at_most=10),
        Bar("peak_gb", row["peak_gb"], at_most=3),
        Bar("cutouts", row["cutouts"], at_least=300),
        Bar("scenes", row["scenes"], at_least=200),
        Bar("objects_per_scene", row["objects_per_scene"], at_least=6),
        Bar("partly_hidden", row["partly_hidden"], at_least=0.30),
    ]
    return Report([row], bars)


if __name__ == "__main__":
    main("main_job", __doc__, report, cameras=(CAMERA,))
