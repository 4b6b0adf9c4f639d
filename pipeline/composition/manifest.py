"""What a finished data set holds, in one JSON: counts, statistics, settings and their hash, every shard's digest."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.composition.hidden_fraction import (
    OPEN_TO,
    distributions,
    hidden_fraction,
    occluded_share,
    parse_wanted,
    partly_hidden,
    plain,
)
from pipeline.composition.pairs import PairTables
from pipeline.composition.pool import NEITHER, SPLITS, TRAIN, Pool
from pipeline.composition.sample import ComposeSettings
from pipeline.composition.shards import COLUMNS_VERSION, ShardJob, pair_tables
from pipeline.core.storage import mark_of, read_table, sha256_of
from pipeline.core.tables import CATEGORY_IDS

# A bucket with fewer cutouts of a category, to train with, can hide few of it.
_THIN = 30
# So much less than asked for, in shares of the objects, is worth telling; so much more use than allowed as well.
_SHORT, _OVERUSED = 0.05, 0.1


def of_one_data_set(jobs: Sequence[ShardJob]) -> list[ShardJob]:
    """The jobs of all its shards with the data set's hash: of its settings, and of every file that it is made from."""
    job = jobs[0]
    read = [
        job.camera_dir / kind for kind in ("background", "cutouts", "empty_frames", "empty_street", "reconstructed")
    ]
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
    columns = ["scene_id", "category", "visible_fraction", "cutout_id", "track_id"]
    objects = pa.concat_tables([read_table(j.paths[1], columns=columns) for j in jobs])
    images = pa.concat_tables([read_table(j.paths[0], columns=["scene_id", "split", "background"]) for j in jobs])
    parts = [
        {
            "name": j.name,
            "scenes": j.scenes,
            "bytes": [p.stat().st_size for p in j.paths],
            "sha256": [sha256_of(p) for p in j.paths],
        }
        for j in jobs
    ]
    tables = pair_tables(job)
    found = statistics(objects, scenes) | {"splits": _splits(images, tables.pool)}
    aim = _aim(objects, job.settings, tables)
    found |= {"hidden_fraction": aim, "most_used": _most_used(images, objects)}
    told = shortfall(aim, found["most_used"], job.settings.max_use)
    return {**_identity(jobs), "hash": job.data_set, "statistics": found, "shortfall": told, "parts": parts}


def _identity(jobs: Sequence[ShardJob]) -> dict:
    job = jobs[0]
    return {
        "camera": job.camera_id,
        "variant": job.variant,
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
    hidden = hidden_fraction(objects["visible_fraction"].to_numpy())
    categories = pc.value_counts(objects["category"]).to_pylist()
    return {
        "objects": len(objects),
        "objects_per_scene": round(len(objects) / max(scenes, 1), 3),
        "partly_hidden": round(float(partly_hidden(hidden).mean()), 4),
        "hidden_over_10_percent": round(float((hidden > OPEN_TO).mean()), 4),
        "hidden_over_40_percent": round(float((hidden > 0.4).mean()), 4),
        "wholly_hidden": int((hidden == 1).sum()),
        "categories": {c["values"]: c["counts"] for c in sorted(categories, key=lambda c: c["values"])},
        "cutouts_used": len(pc.unique(objects["cutout_id"])),
        "tracks_used": len(pc.unique(objects["track_id"])),
    }


def _aim(objects: pa.Table, settings: ComposeSettings, tables: PairTables) -> dict:
    """The distributions of hidden fractions that were asked for and reached, by category and tenth, and why they
    differ: the share of each category's cutouts that others may hide at all, cutouts to train with by time bucket."""
    category = np.array(objects["category"].to_pylist(), object)
    hidden = hidden_fraction(objects["visible_fraction"].to_numpy())
    allowed, cutouts = _allowed(tables)
    return {
        "asked": plain(parse_wanted(settings.hidden_fraction)),
        "reached": plain(distributions(category, hidden)),
        "may_be_hidden": allowed,
        "cutouts": cutouts,
    }


def _allowed(tables: PairTables) -> tuple[dict[str, float], dict[str, dict[str, int]]]:
    """By category the share of the cutouts that those who may stand before them can hide, and how many there are in
    each time bucket."""
    able: dict[str, list[bool]] = {name: [] for name in CATEGORY_IDS}
    cutouts: dict[str, dict[str, int]] = {name: {} for name in CATEGORY_IDS}
    for bucket in tables.rows(TRAIN):
        pairs = tables.get(bucket, TRAIN, 0)
        occludable = pairs.occludable()
        for number, name in enumerate(CATEGORY_IDS):
            mine = pairs.category == number
            able[name] += occludable[mine].tolist()
            cutouts[name][bucket] = int((tables.pool.category[tables.rows(TRAIN)[bucket]] == name).sum())
    return {name: round(float(np.mean(values)), 4) if values else 0.0 for name, values in able.items()}, cutouts


def _most_used(images: pa.Table, objects: pa.Table) -> dict[str, Any]:
    """The cutout that stands in the largest share of its time bucket's scenes."""
    bucket_of = dict(zip(images["scene_id"].to_pylist(), images["background"].to_pylist(), strict=True))
    scenes = Counter(bucket_of.values())
    uses = Counter(
        (bucket_of[scene], cutout)
        for scene, cutout in zip(objects["scene_id"].to_pylist(), objects["cutout_id"].to_pylist(), strict=True)
    )
    share = {key: count / scenes[key[0]] for key, count in uses.items()}
    bucket, cutout = max(share, key=lambda key: (share[key], key))
    return {"cutout_id": cutout, "bucket": bucket, "share_of_scenes": round(share[bucket, cutout], 4)}


def shortfall(aim: dict, most_used: dict, max_use: float) -> str:
    """One sentence on what of the aim was not reached and why; empty where all was."""
    parts = [part for name in CATEGORY_IDS if (part := _short_of(name, aim))]
    told = "hidden by more than 10 %: " + "; ".join(parts) if parts else ""
    if most_used["share_of_scenes"] > max_use + _OVERUSED:
        told += "; " if told else ""
        bucket = most_used["bucket"]
        told += (
            f"cutouts repeat: {most_used['cutout_id']} stands in {most_used['share_of_scenes']:.0%} of the scenes of "
            f"{bucket}, which has {sum(counts[bucket] for counts in aim['cutouts'].values())} cutouts to train with; "
            "take more frames or compose fewer scenes"
        )
    return told


def _short_of(name: str, aim: dict) -> str:
    asked, reached = (occluded_share(np.array(aim[key][name])) for key in ("asked", "reached"))
    cutouts = aim["cutouts"][name]
    if not sum(cutouts.values()):
        return f"no {name} of {asked:.0%} asked, there are no {name} cutouts to compose" if asked > _SHORT else ""
    if asked - reached <= _SHORT:
        return ""
    reasons = [f"others may stand before {aim['may_be_hidden'][name]:.0%} of its cutouts"]
    thin = [f"{count} in {bucket}" for bucket, count in cutouts.items() if count < _THIN]
    reasons += [f"few {name} cutouts: {', '.join(thin)}"] if thin else []
    return f"{reached:.0%} of {name} objects of {asked:.0%} asked ({'; '.join(reasons)})"
