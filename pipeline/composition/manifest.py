"""What a finished data set holds, in one JSON: counts, statistics, settings and their hash, every shard's digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.composition.sample import Pool
from pipeline.composition.shards import COLUMNS_VERSION, ShardJob, read_pool
from pipeline.composition.splits import NEITHER, SPLITS
from pipeline.core.storage import sha256_of


def build_manifest(jobs: Sequence[ShardJob]) -> dict:
    """What the finished shards hold: counts, statistics, settings and their hash, the version of the columns."""
    job, scenes = jobs[0], sum(j.scenes for j in jobs)
    identity = {
        "camera": job.camera_id,
        "mode": job.mode,
        "seed": job.seed,
        "columns_version": COLUMNS_VERSION,
        "settings": {k: v for k, v in asdict(job.settings).items() if k != "sprite_cache_mb"},
        "shards": len(jobs),
        "scenes": scenes,
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    columns = ["category", "visible_fraction", "cutout_id", "track_id"]
    objects = pa.concat_tables([pq.read_table(j.paths[1], columns=columns) for j in jobs])
    images = pa.concat_tables([pq.read_table(j.paths[0], columns=["split"]) for j in jobs])
    parts = [{"name": j.name, "scenes": j.scenes, "sha256": [sha256_of(path) for path in j.paths]} for j in jobs]
    found = statistics(objects, scenes) | {"splits": _splits(images, read_pool(job))}
    return {**identity, "hash": digest, "statistics": found, "parts": parts}


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
