"""Every export read by its own consumer's code or rules, and those that are read back: is anything another than it was?

    python -m benchmarks.exchange [--check] [--quick] [--data DIR] [--camera NAME] [--manifests DIR] [--shards DIR]

--shards names a folder of shards in place of the camera's own. Of each format the processor's milliseconds and the
bytes a scene; the least intersection over union of a mask, where it has masks, as pycocotools, CVAT's rules or a PNG
give it; how far, in pixels, corners of boxes in space or a model's vertices are from where the shard's own project. Of
those that are read back, the objects in which a column differs that the format holds. What reads are pycocotools,
trimesh, webdataset, datasets and mlcroissant; KITTI's and Omni3D's corners follow their development kits' formulas.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common.exported import (
    bop_pairs,
    bop_px,
    coco_pairs,
    cocoa_pairs,
    cvat_pairs,
    kins_pairs,
    kitti_px,
    label_studio_pairs,
    omni3d_px,
    yolo_pairs,
)
from benchmarks.common.job import CHECKED_CAMERAS, Site
from benchmarks.common.report import Bar, Report, main
from pipeline.composition.meshes import COLUMNS
from pipeline.core.account import Account
from pipeline.export.registry import ExportJob, formats
from pipeline.export.shared.scenes import FLAT, KEYPOINTS, scenes
from pipeline.importing.registry import ReadJob, readers
from pipeline.importing.scenes import Shards, write_scenes

RUN_LENGTHS, POLYGONS, PIXELS = 1.0, 0.98, 1.0
_HELD = ("category", "mask_amodal_rle", "mask_visible_rle", "px_count_all", "px_count_visib", "split")
_HELD_BY = {
    "bop": (*_HELD, "R", "t", "dims_lwh_m"),
    **dict.fromkeys(
        ("coco", "kins", "cocoa"),
        (*_HELD, "object_id", "subcategory", "track_id", "depth_order", "occluder_ids", "bbox_amodal_xywh",
         "bbox_visible_xywh", "visible_fraction", "truncation"),
    ),
}  # fmt: skip
MASKS = {
    "coco": (coco_pairs, RUN_LENGTHS), "kins": (kins_pairs, POLYGONS), "cocoa": (cocoa_pairs, POLYGONS),
    "yolo": (yolo_pairs, POLYGONS), "label_studio": (label_studio_pairs, POLYGONS),
    "cvat": (cvat_pairs, RUN_LENGTHS), "bop": (bop_pairs, RUN_LENGTHS),
}  # fmt: skip
PLACES = {"kitti": kitti_px, "omni3d": omni3d_px, "bop": bop_px}


def rows_read(name: str, out: Path) -> int | None:
    """Objects that the format's own library reads; None where it has none, or that is not installed."""
    with contextlib.suppress(ImportError):
        if name == "webdataset":
            from webdataset import WebDataset

            urls = [str(path) for path in sorted(out.glob("*.tar"))]
            return sum(len(one["json"]["objects"]) for one in WebDataset(urls, shardshuffle=False).decode())
        if name == "huggingface":
            from datasets import load_dataset

            with tempfile.TemporaryDirectory() as cache:
                return sum(map(len, load_dataset(str(out), "objects", cache_dir=cache).values()))
        if name == "croissant":
            from mlcroissant import Dataset

            return sum(1 for _ in Dataset(str(out / "croissant.json")).records("objects"))
    return None


def differing(name: str, out: Path, clipart: Path, folder: Path) -> int:
    """Objects in which a column that the format holds is another after export and import."""
    reader = readers()[name]
    job = ReadJob(out, None, "back", reader.settings() if reader.settings else None, Account(str(out), "objects"))
    write_scenes(Shards(folder, "back", ""), reader.read(job))
    before, after = (pd.read_parquet(one / "objects") for one in (clipart, folder))
    key = "mask_amodal_rle" if name == "bop" else "scene_id"
    order = [key, "mask_visible_rle", "object_id"]
    first, second = (table.sort_values(order).to_dict("records") for table in (before, after))
    if len(first) != len(second):
        return abs(len(first) - len(second))
    pairs = zip(first, second, strict=True)
    return sum(any(not _same(a[column], b[column]) for column in _HELD_BY[name]) for a, b in pairs)


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return first.shape == second.shape and np.allclose(first, second, atol=1e-5)
    if isinstance(first, float) and isinstance(second, float):
        return bool(np.isclose(first, second, atol=1e-5, equal_nan=True))
    return bool(first == second or (pd.isna(first) and pd.isna(second)))


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of masks (H, W) bool; 1 of two empty ones."""
    union = (first | second).sum()
    return float((first & second).sum() / union) if union else 1.0


def measure(clipart: Path, camera: str) -> list[dict]:
    """A row a format."""
    nothing = ExportJob(clipart, clipart, camera, "walt3d")
    all_scenes = list(scenes(nothing, (*FLAT, *KEYPOINTS, *COLUMNS)))
    rows = []
    for name, kind in formats().items():
        with tempfile.TemporaryDirectory() as made:
            out = Path(made) / name
            out.mkdir()
            begun = time.process_time()
            kind.write(ExportJob(clipart, out, camera, "walt3d", kind.settings() if kind.settings else None))
            spent_ms = 1000 * (time.process_time() - begun)
            size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
            pairs = MASKS[name][0](out, all_scenes) if name in MASKS else ()
            least = min((overlap(*pair) for pair in pairs), default=None)
            read_back = name in readers()
            rows.append({
                "camera": camera, "format": name, "scenes": len(all_scenes),
                "objects": sum(len(scene.objects) for scene in all_scenes), "ms_a_scene": spent_ms / len(all_scenes),
                "kB_a_scene": size / len(all_scenes) / 1000, "least_iou": least,
                "worst_px": max(PLACES[name](out, all_scenes)) if name in PLACES else None,
                "read_by_library": rows_read(name, out),
                "differ_after_import": differing(name, out, clipart, Path(made) / "back") if read_back else None,
            })  # fmt: skip
    return rows


def bars_of(row: dict) -> Iterator[Bar]:
    """What binds of a row."""
    name = f"{row['camera']} {row['format']}"
    if row["least_iou"] is not None:
        yield Bar(f"{name} least IoU", row["least_iou"], at_least=MASKS[row["format"]][1])
    if row["worst_px"] is not None:
        yield Bar(f"{name} worst corner, px", row["worst_px"], at_most=PIXELS)
    if row["read_by_library"] is not None:
        yield Bar(f"{name} objects lost", row["objects"] - row["read_by_library"], at_most=0)
    if row["differ_after_import"] is not None:
        yield Bar(f"{name} objects that differ after import", row["differ_after_import"], at_most=0)


def first_parts(clipart: Path, count: int, folder: Path) -> Path:
    """A folder with the first parts alone."""
    for kind in ("images", "objects"):
        (folder / kind).mkdir(parents=True)
        for path in sorted((clipart / kind).glob("*.parquet"))[:count]:
            shutil.copy(path, folder / kind)
    return folder


def report(quick: bool, data: Path, sites: Sequence[Site], shards: Path | None) -> Report:
    """The first shard of each camera, or of the folder that is named all."""
    rows = []
    with tempfile.TemporaryDirectory() as made:
        for site in sites:
            folder = shards or first_parts(site.job(data) / "clipart", 1, Path(made) / site.camera)
            rows += measure(folder, site.camera)
    return Report(rows, [bar for row in rows for bar in bars_of(row)])


if __name__ == "__main__":
    main("exchange", __doc__, report, cameras=CHECKED_CAMERAS[:1], shards="folder of shards in place of a camera's job")
