"""The shards again, each file with the scenes of one split: data/images/train-00000-of-00004.parquet and so on.

Rows and columns are those of the shards. The schema's metadata names the keypoints, their mirror images and links.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.composition.shard_files import write_images, write_objects
from pipeline.core.skeletons import OF_CATEGORY
from pipeline.core.storage import count_rows, read_table
from pipeline.export.registry import ExportJob
from pipeline.export.shared.scenes import counts, parts_of

# The Hub's own names of splits.
SPLITS = {"train": "train", "val": "validation"}
_SKELETONS = {
    category: {"names": one.names, "flip": one.flip, "links": one.links, "sigmas": one.sigmas}
    for category, one in OF_CATEGORY.items()
}


@dataclass(frozen=True)
class Parted:
    """One written file: images or objects, its split under the Hub's name, its path and its rows."""

    table: str
    split: str
    path: Path
    rows: int


def write_parts(job: ExportJob) -> list[Parted]:
    """All files, in order. One part is in memory at a time."""
    pairs = parts_of(job.clipart)
    total, done = counts(job.clipart)[0], 0
    splits = [set(read_table(images, columns=["split"])["split"].to_pylist()) for images, _ in pairs]
    of_split = {split: [k for k, found in enumerate(splits) if split in found] for split in SPLITS}
    written: list[Parted] = []
    for number, pair in enumerate(pairs):
        for split in sorted(splits[number]):
            place, count = of_split[split].index(number), len(of_split[split])
            written += _write_pair(job.out, pair, split, f"{SPLITS[split]}-{place:05d}-of-{count:05d}.parquet")
        done += count_rows(pair[0])
        job.progress(done, total)
    return sorted(written, key=lambda one: (one.table, one.path.name))


def _write_pair(out: Path, pair: tuple[Path, Path], split: str, name: str) -> Iterator[Parted]:
    for table, part, write in zip(("images", "objects"), pair, (write_images, write_objects), strict=True):
        content = read_table(part)
        chosen = _described(content.filter(pc.equal(content["split"], split)), table)
        path = out / "data" / table / name
        write(path, chosen)
        yield Parted(table, SPLITS[split], path, chosen.num_rows)


def _described(table: pa.Table, name: str) -> pa.Table:
    about = dict(table.schema.metadata or {})
    if name == "objects":
        about[b"skeletons"] = json.dumps(_SKELETONS).encode()
    return table.replace_schema_metadata(about)
