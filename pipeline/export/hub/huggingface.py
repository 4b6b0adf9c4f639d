"""A folder that `datasets.load_dataset(folder, "images")` reads as it is, and that the Hub shows: Parquet and a card.

Two configurations, `images` and `objects`, each with the splits train and validation. README.md is the dataset card,
filled from what the data set was made of.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pipeline.core.storage import read_schema, write_bytes
from pipeline.core.tables import describe
from pipeline.export.hub.parts import Parted, write_parts
from pipeline.export.registry import ExportJob, Format, Written

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_TAGS = ["amodal", "occlusion", "clip-art", "traffic", "synthetic"]
_TASKS = ["object-detection", "image-segmentation", "keypoint-detection", "depth-estimation"]

_CARD = """# Composed scenes of {camera}

{pictures} pictures with {objects} objects, {mode}: cutouts of one stationary camera's own unoccluded vehicles and
people, put back at their places in true depth order, with labels of what is hidden.

```python
from datasets import load_dataset

images = load_dataset("{folder}", "images")
objects = load_dataset("{folder}", "objects")   # objects of a picture have its scene_id
```

| | pictures | objects |
|---|---|---|
{splits}

`train` and `validation` are apart by time and by track. Masks are COCO's run lengths of the whole picture
(`pycocotools.mask.decode({{"size": [height, width], "counts": rle}})`), boxes x, y, width and height, lengths metres in
the camera's frame (x right, y down, z forward). Names, mirror images and links of the keypoints are in the metadata
`skeletons` of the Parquet files of objects.

## Columns
```
images
{image_columns}

objects
{object_columns}
```

## How it was made
{made_of}

Data set {hash}.
"""


@dataclass(frozen=True)
class HuggingFaceSettings:
    """What the card says and nobody but the owner of the recording knows."""

    license: str = field(default="other", metadata={"help": "the Hub's name of the licence that the pictures have"})


def write(job: ExportJob) -> Written:
    """data/ and README.md."""
    parts = write_parts(job)
    write_bytes(job.out / "README.md", _card(job, parts).encode())
    rows = Counter[str]()
    for part in parts:
        rows[part.table] += part.rows
    return Written(f"{rows['images']} pictures and {rows['objects']} objects in {len(parts)} Parquet files", "nothing")


def manifest_of(clipart: Path) -> dict[str, Any]:
    """What describes the shards; empty where they are alone."""
    path = clipart / "clipart_manifest.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def _card(job: ExportJob, parts: list[Parted]) -> str:
    rows = Counter[tuple[str, str]]()
    for part in parts:
        rows[part.table, part.split] += part.rows
    splits = list(dict.fromkeys(part.split for part in parts))
    pictures, objects = (sum(rows[table, split] for split in splits) for table in ("images", "objects"))
    front = {
        "license": job.settings.license,
        "pretty_name": f"Composed scenes of {job.camera_id}",
        "task_categories": _TASKS,
        "tags": _TAGS,
        "size_categories": [next((name for most, name in _SIZES if pictures < most), "n>1M")],
        "configs": [_configuration(table, splits) for table in ("images", "objects")],
    }
    about = manifest_of(job.clipart)
    text = _CARD.format(
        camera=job.camera_id, mode=job.mode, pictures=pictures, objects=objects, folder=job.name,
        splits="\n".join(f"| {one} | {rows['images', one]} | {rows['objects', one]} |" for one in splits),
        made_of=_made_of(about), hash=about.get("hash", "without a name"),
        **{f"{name}_columns": describe(_schema(parts, f"{name}s")) for name in ("image", "object")},
    )  # fmt: skip
    return f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n\n{text}"


def _configuration(table: str, splits: list[str]) -> dict[str, Any]:
    files = [{"split": split, "path": f"data/{table}/{split}-*.parquet"} for split in splits]
    return {"config_name": table, **({"default": True} if table == "images" else {}), "data_files": files}


def _schema(parts: list[Parted], table: str) -> Any:
    return read_schema(next(part.path for part in parts if part.table == table))


def _made_of(about: dict[str, Any]) -> str:
    """Settings of the stages that composing rests on, a line each."""
    stages = about.get("made_of", {})
    lines = [f"- {name}: {yaml.safe_dump(one.get('settings', {}), default_flow_style=True, width=10**6).strip()}"
             for name, one in sorted(stages.items())]  # fmt: skip
    return "\n".join(lines) or "Nothing says how."


FORMAT = Format("huggingface", write, HuggingFaceSettings)
