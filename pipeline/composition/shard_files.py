"""Write the two parts of a shard as Parquet that the Hub's viewer, pandas and `datasets` open well."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.storage import atomic_path, marked

# The Hub's convention for rows with pictures, so that a viewer fetches little; labels are small.
IMAGE_ROWS, OBJECT_ROWS = 100, 5000
_PICTURES = ("image.", "depth.", "normals.")


def write_images(path: Path, table: pa.Table, data_set: str = "") -> None:
    """Pictures as they are: a JPEG or PNG grows smaller by no general compression."""
    codecs = {name: "NONE" if name.startswith(_PICTURES) else "ZSTD" for name in _leaves(table.schema)}
    with atomic_path(path) as part:
        pq.write_table(
            marked(table, data_set), part, write_page_index=True, row_group_size=IMAGE_ROWS,
            compression=codecs, use_dictionary=_repeating(table.schema),
        )  # fmt: skip


def write_objects(path: Path, table: pa.Table, data_set: str = "") -> None:
    """Labels, compressed."""
    with atomic_path(path) as part:
        pq.write_table(
            marked(table, data_set), part, write_page_index=True, row_group_size=OBJECT_ROWS,
            compression="ZSTD", use_dictionary=_repeating(table.schema),
        )  # fmt: skip


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
