"""What the page knows of every scene before it is opened: enough to sort, to filter and to find it.

Columns in place of rows: a hundred thousand objects are a few numbers each. Scenes are numbered in the shards' order,
a scene's objects from the nearest; `hidden` is in thousandths of the object's pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.composition.hidden_fraction import OPEN_TO, hidden_fraction
from pipeline.core.storage import read_table
from pipeline.gallery.pictures import spread_over

_IMAGES = ["scene_id", "camera_id", "mode", "background", "seed", "n_objects", "split"]
_OBJECTS = ["scene_id", "cutout_id", "track_id", "category", "visible_fraction", "z_m", "depth_order"]
_FULLEST = 4  # of so many scenes shown large one is there for being full, the others for being spread


def read_shards(clipart_dir: Path) -> tuple[pa.Table, pa.Table, list[str]]:
    """IMAGES and OBJECTS of all shards without pixels, an image's shard in the column `part`, and the shards' names.

    Raises FileNotFoundError where there is none.
    """
    parts = sorted(p for p in (clipart_dir / "images").glob("*.parquet") if not p.name.startswith("."))
    if not parts:
        raise FileNotFoundError(f"{clipart_dir / 'images'}: no *.parquet there")
    images = [read_table(part, columns=_IMAGES) for part in parts]
    objects = [read_table(clipart_dir / "objects" / part.name, columns=_OBJECTS) for part in parts]
    numbers = np.repeat(np.arange(len(parts)), [len(table) for table in images])
    return (
        pa.concat_tables(images).append_column("part", pa.array(numbers)),
        pa.concat_tables(objects),
        [p.stem for p in parts],
    )


class Index:
    """The columns of IMAGES (n scenes) and OBJECTS (m objects, sorted by scene and depth order)."""

    def __init__(self, images: pa.Table, objects: pa.Table) -> None:
        self.images = images
        self.scene_ids: list[str] = images["scene_id"].to_pylist()
        place = {scene: number for number, scene in enumerate(self.scene_ids)}
        scene = np.array([place[name] for name in objects["scene_id"].to_pylist()], int)
        order = np.lexsort((objects["depth_order"].to_numpy(), scene))
        self.objects, self.scene = objects.take(order), scene[order]
        self.hidden = hidden_fraction(self.objects["visible_fraction"].to_numpy())

    def fullest_first(self) -> np.ndarray:
        """(n,) scenes, those with the most objects hidden first; among equals by how much is, then the earlier."""
        n = len(self.scene_ids)
        count = np.bincount(self.scene, self.hidden > OPEN_TO, minlength=n)
        total = np.bincount(self.scene, self.hidden, minlength=n)
        return np.lexsort((np.arange(n), -total.round(6), -count))

    def large(self, wanted: int) -> set[str]:
        """The scenes to show large: some of the fullest, the others spread over the shards."""
        n, fullest = len(self.scene_ids), self.fullest_first().tolist()
        chosen = dict.fromkeys(fullest[: -(-wanted // _FULLEST)])
        for number in spread_over(n, wanted) + fullest:
            if len(chosen) < min(wanted, n):
                chosen[number] = None
        return {self.scene_ids[number] for number in chosen}

    def columns(self, large: set[str], first_of_part: Sequence[int]) -> dict[str, Any]:
        """As JSON: `scenes` and `objects`, a list a column, with lists of the names that stand in them as numbers."""
        part = self.images["part"].to_numpy()
        buckets, bucket = _numbered(self.images["background"])
        splits, split = _numbered(self.images["split"])
        cutouts, cutout = np.unique(self.objects["cutout_id"].to_numpy(), return_index=True)
        categories, category = _numbered(self.objects["category"])
        return {
            "buckets": buckets,
            "splits": splits,
            "categories": categories,
            "scenes": {
                "id": self.scene_ids,
                "part": part.tolist(),
                "row": (np.arange(len(part)) - np.take(first_of_part, part)).tolist() if len(part) else [],
                "bucket": bucket,
                "split": split,
                "large": [int(scene in large) for scene in self.scene_ids],
                "count": np.bincount(self.scene, minlength=len(part)).tolist(),
            },
            "objects": {
                "cutout": np.searchsorted(cutouts, self.objects["cutout_id"].to_numpy()).tolist(),
                "hidden": np.rint(1000 * self.hidden).astype(int).tolist(),
            },
            "cutouts": {
                "id": cutouts.tolist(),
                "track": self.objects["track_id"].to_numpy()[cutout].tolist(),
                "category": np.take(category, cutout).tolist() if len(cutout) else [],
            },
        }


def _numbered(values: pa.ChunkedArray) -> tuple[list[str], list[int]]:
    """The different values, sorted, and of each value its place among them."""
    given = ["" if value is None else value for value in values.to_pylist()]
    names = sorted(set(given))
    place = {name: number for number, name in enumerate(names)}
    return names, [place[value] for value in given]
