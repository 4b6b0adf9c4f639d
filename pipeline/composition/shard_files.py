"""The two tables of a shard, written as Parquet that the Hub's viewer, pandas and `datasets` open well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.composition.paint import Visible
from pipeline.composition.pool import Pool
from pipeline.core.storage import atomic_path, count_rows, marked
from pipeline.core.tables import CATEGORY_IDS, KEYPOINT_STATES, OBJECTS

# The Hub's convention for rows with pictures, so that a viewer fetches little; labels are small.
IMAGE_ROWS, OBJECT_ROWS = 100, 5000
_PICTURES = ("image.", "depth.", "normals.")


def write_images(path: Path, table: pa.Table, data_set: str = "") -> None:
    """Pictures as they are: a JPEG or PNG grows smaller by no general compression."""
    codecs = {name: "NONE" if name.startswith(_PICTURES) else "ZSTD" for name in _leaves(table.schema)}
    with atomic_path(path) as part:
        pq.write_table(
            marked(table, data_set), part, write_page_index=True, write_page_checksum=True, row_group_size=IMAGE_ROWS,
            compression=codecs, use_dictionary=_repeating(table.schema),
        )  # fmt: skip


def write_objects(path: Path, table: pa.Table, data_set: str = "") -> None:
    """Labels, compressed."""
    with atomic_path(path) as part:
        pq.write_table(
            marked(table, data_set), part, write_page_index=True, write_page_checksum=True, row_group_size=OBJECT_ROWS,
            compression="ZSTD", use_dictionary=_repeating(table.schema),
        )  # fmt: skip


def holds_scenes(path: Path, scenes: int) -> bool:
    """Whether a shard's file is a whole one: of images with as many scenes, of objects with any."""
    try:
        rows = count_rows(path)
    except ValueError:
        return False
    return rows == scenes if path.parent.name == "images" else rows > 0


def _leaves(schema: pa.Schema) -> list[str]:
    """Names of Parquet's columns: a struct's fields after a dot, a list's values after .list.element."""
    names = []
    for f in schema:
        if pa.types.is_struct(f.type):
            names += [f"{f.name}.{child.name}" for child in f.type]
        else:
            names.append(f"{f.name}.list.element" if pa.types.is_list(f.type) else f.name)
    return names


def _repeating(schema: pa.Schema) -> list[str]:
    """Columns of short texts, which a dictionary shrinks; pictures and masks never repeat."""
    texts = {f.name for f in schema if pa.types.is_string(f.type)} | {"keypoint_state"}
    return [name for name in _leaves(schema) if name.split(".")[0] in texts and not name.startswith("mask_")]


@dataclass(frozen=True)
class SceneLabels:
    """What composing adds to the objects of one scene, nearest first."""

    scene_id: str
    visible: list[Visible]
    area_px: list[int]
    states: list[np.ndarray]


def objects_table(pool: Pool, rows: np.ndarray, scenes: Sequence[SceneLabels]) -> pa.Table:
    """OBJECTS of all scenes, each nearest first; what is not new in a scene is taken from the pool's table."""
    known = pool.table.take(pa.array(rows))
    sizes = [len(scene.visible) for scene in scenes]
    place = np.concatenate([np.arange(size) for size in sizes])
    visible = [part for scene in scenes for part in scene.visible]
    area = np.array([px for scene in scenes for px in scene.area_px])
    seen = np.array([part.area_px for part in visible])
    # Object ids count from the nearest; the label map counts from the farthest.
    counted = np.repeat(sizes, sizes)
    occluders = [sorted(size - k for k in part.occluders) for part, size in zip(visible, counted, strict=True)]
    values: dict[str, Any] = {name: known[name] for name in OBJECTS.names if name in known.column_names}
    values |= {
        "scene_id": np.repeat([scene.scene_id for scene in scenes], sizes),
        "object_id": place,
        "source_frame": known["frame_id"],
        "split": pool.split[rows],
        "category_id": [CATEGORY_IDS[name] for name in known["category"].to_pylist()],
        "depth_order": place,
        "bbox_amodal_xywh": known["bbox_xywh"],
        "bbox_visible_xywh": [part.box_xywh for part in visible],
        "mask_amodal_rle": known["mask_rle"],
        "mask_visible_rle": [part.rle for part in visible],
        "px_count_all": area,
        "px_count_visib": seen,
        "visible_fraction": (seen / np.maximum(area, 1)).astype(np.float32),
        # Mining takes no object that leaves the frame.
        "truncation": np.zeros(len(rows), np.float32),
        "occluder_ids": occluders,
        "keypoint_state": [[KEYPOINT_STATES[c] for c in codes] for scene in scenes for codes in scene.states],
    }
    return pa.table({f.name: _column(values[f.name], f.type) for f in OBJECTS}, schema=OBJECTS)


def _column(values: Any, type_: pa.DataType) -> pa.Array | pa.ChunkedArray:
    return values.cast(type_) if isinstance(values, pa.ChunkedArray) else pa.array(values, type_)
