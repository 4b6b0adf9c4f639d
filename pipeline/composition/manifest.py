"""What a finished data set holds, in one JSON: counts, statistics, settings and their hash, every shard's digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.composition.sample import Pool
from pipeline.composition.shards import COLUMNS_VERSION, ShardJob, read_pool
from pipeline.composition.splits import NEITHER, SPLITS
from pipeline.core.storage import mark_of, sha256_of


def of_one_data_set(jobs: Sequence[ShardJob]) -> list[ShardJob]:
    """The jobs of all its shards with the data set's hash: of its settings, and of every file that it is made from."""
    job = jobs[0]
    read = [job.camera_dir / kind for kind in ("background", "cutouts", "reconstructed")]
    files = sorted(path for folder in read for path in folder.glob("*.*") if not path.name.startswith("."))
    content = {
        **_identity(jobs),
        "made_from": {str(path.relative_to(job.camera_dir)): sha256_of(path) for path in files},
        "body": sha256_of(job.body_file) if job.body_file else None,
        "camera_and_plane": [job.camera.K.tolist(), job.camera.distortion.tolist(), job.plane.n.tolist(), job.plane.d],
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return [replace(one, data_set=digest) for one in jobs]


def build_manifest(jobs: Sequence[ShardJob]) -> dict:
    """What the finished shards hold: counts, statistics, settings, the version of the columns, the data set's hash.

    Raises ValueError for shards that are not of these jobs' data set.
    """
    job, scenes = jobs[0], sum(j.scenes for j in jobs)
    for path in (path for j in jobs for path in j.paths):
        if mark_of(path) != job.data_set:
            raise ValueError(f"{path}: was composed of other cutouts or with other settings than asked for now")
    columns = ["category", "visible_fraction", "cutout_id", "track_id"]
    objects = pa.concat_tables([pq.read_table(j.paths[1], columns=columns) for j in jobs])
    images = pa.concat_tables([pq.read_table(j.paths[0], columns=["split"]) for j in jobs])
    parts = [{"name": j.name, "scenes": j.scenes, "sha256": [sha256_of(path) for path in j.paths]} for j in jobs]
    found = statistics(objects, scenes) | {"splits": _splits(images, read_pool(job))}
    return {**_identity(jobs), "hash": job.data_set, "statistics": found, "parts": parts}


def _identity(jobs: Sequence[ShardJob]) -> dict:
    job = jobs[0]
    return {
        "camera": job.camera_id,
        "mode": job.mode,
        "seed": job.seed,
        "columns_version": COLUMNS_VERSION,
        "settings": {k: v for k, v in asdict(job.settings).items() if k != "sprite_cache_mb"},
        "shards": len(jobs),
        "scenes": sum(j.scenes for j in jobs),
    }


def _splits(images: pa.Table, pool: Pool) -> dict:
    """Scenes and cutouts of each split, and cutouts that stand in none because their track crosses the cut."""
    of_scene = np.array(images["split"].to_pylist(), object)
    counts = {name: [int((values == name).sum()) for values in (of_scene, pool.split)] for name in (*SPLITS, NEITHER)}
    by_split = {name: {"scenes": counts[name][0], "cutouts": counts[name][1]} for name in SPLITS}
    return by_split | {"cutouts_of_crossing_tracks": counts[NEITHER][1]}


def statistics(objects: pa.Table, scenes: int) -> dict:
    """Counts and shares over all objects of the shards."""
    seen = objects["visible_fraction"].to_numpy()
    categories = pc.value_counts(objects["category"]).to_pylist()
    return {
        "objects": len(objects),
        "objects_per_scene": round(len(objects) / max(scenes, 1), 3),
        "partly_hidden": round(float((seen < 1).mean()), 4),
        "hidden_over_10_percent": round(float((seen < 0.9).mean()), 4),
        "wholly_hidden": int((seen == 0).sum()),
        "categories": {c["values"]: c["counts"] for c in sorted(categories, key=lambda c: c["values"])},
        "cutouts_used": len(pc.unique(objects["cutout_id"])),
        "tracks_used": len(pc.unique(objects["track_id"])),
    }
