"""Make one self-contained HTML page of the shards: scenes that peel off from near to far, their labels, statistics.

Labels in the page keep the frame's own pixels (boxes and outlines in COCO's edge coordinates); pictures are scaled
down by the scene's `scale`. The page asks the network for nothing.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.core import storage, tables
from pipeline.gallery import statistics as gallery_statistics
from pipeline.gallery.layers import Layers, load_layers, selected_rows
from pipeline.gallery.pictures import jpeg_base64, outlines, shrunk, spread_over
from pipeline.gallery.template import fill, json_data, text
from pipeline.gallery.viewer_3d import COLOURS, GRID_M, scene_glb, viewer

Progress = Callable[[int, int], None]
_SCRIPTS = [f"{name}.js" for name in ("start", "picture", "labels", "space", "panels", "pointer", "charts", "setup")]
_THUMBNAIL_WIDTH = 240
# The page's name of a column of OBJECTS.
_COLUMNS = {
    "id": "object_id",
    "cutout": "cutout_id",
    "track": "track_id",
    "frame": "source_frame",
    "category": "category",
    "order": "depth_order",
    "z": "z_m",
    "visible": "visible_fraction",
    "truncation": "truncation",
    "occluders": "occluder_ids",
    "boxAmodal": "bbox_amodal_xywh",
    "boxVisible": "bbox_visible_xywh",
    "keypoints": "keypoints_2d",
    "states": "keypoint_state",
    "R": "R",
    "t": "t",
    "dims": "dims_lwh_m",
    "residual": "fit_residual_px",
    "fitOk": "fit_ok",
    "score": "score",
}


@dataclass(frozen=True)
class GallerySettings:
    """How much of the shards the page shows."""

    scenes: int = field(default=40, metadata={"help": "scenes on the page, spread evenly over the shards"})
    max_width: int = field(default=1280, metadata={"help": "widest picture, px; wider scenes are scaled down"})
    jpeg_quality: int = field(default=85, metadata={"help": "of the page's pictures, 1 to 100"})
    max_megabytes: float = field(default=20.0, metadata={"help": "size of the page, MB; large scenes make it fewer"})


def build_gallery(
    clipart_dir: Path,
    out: Path,
    settings: GallerySettings = GallerySettings(),
    *,
    layers: Path | None = None,
    body_file: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the page of the shards in clipart_dir to `out`.

    `layers` is the camera's folder with `background/` and `cutouts/`: with it, peeling an object off shows what is
    behind it; without it, its place is left hatched. `body_file` is the user's body model, where it is not the one that
    ships. Raises FileNotFoundError where there is no shard.
    """
    images = storage.read_parts(clipart_dir / "images", gallery_statistics.IMAGE_COLUMNS)
    objects = storage.read_parts(clipart_dir / "objects", gallery_statistics.OBJECT_COLUMNS)
    chosen = {images["scene_id"][i].as_py(): i for i in spread_over(len(images), settings.scenes)}
    page = {
        "camera": ", ".join(sorted(set(images["camera_id"].to_pylist()))),
        "modes": sorted(set(images["mode"].to_pylist())),
        "seeds": sorted(set(images["seed"].to_pylist())),
        "total": len(images),
        "states": tables.KEYPOINT_STATES,
        "colours": COLOURS,
        "gridM": GRID_M,
        "viewer": viewer(),
        "facts": gallery_statistics.facts(images, objects),
        "charts": gallery_statistics.charts(images, objects),
        "scenes": _chosen_scenes(clipart_dir, chosen, settings, layers, body_file, progress),
    }
    storage.write_bytes(out, render(page).encode())
    return out


def render(page: Mapping[str, Any]) -> str:
    """The page's HTML; text of any kind may stand in the data."""
    return fill(
        "gallery.html",
        styles=["base.css", "gallery.css"],
        scripts=_SCRIPTS,
        title=text(f"{page['camera']} · clip-art gallery"),
        data=json_data(page),
    )


def _chosen_scenes(
    clipart_dir: Path,
    chosen: Mapping[str, int],
    settings: GallerySettings,
    camera_dir: Path | None,
    body_file: Path | None,
    progress: Progress | None,
) -> list[dict]:
    """The chosen scenes (scene_id to place in the shards), as many as the page may hold, in the order of the shards."""
    rows = {row["scene_id"]: row for row in _table_rows(clipart_dir / "images", chosen)}
    objects: dict[str, list[dict]] = {scene_id: [] for scene_id in chosen}
    for thing in sorted(_table_rows(clipart_dir / "objects", chosen), key=lambda thing: thing["depth_order"]):
        objects[thing["scene_id"]].append(thing)
    layers = None if camera_dir is None else _layers(camera_dir, rows, objects)
    scenes: list[dict] = []
    room = settings.max_megabytes * 1e6
    for number, scene_id in enumerate(chosen, 1):
        scene = _scene_entry(rows[scene_id], objects[scene_id], settings, layers, body_file)
        room -= len(json.dumps(scene))
        if room < 0 and scenes:
            break
        scenes.append(scene)
        if progress:
            progress(number, len(chosen))
    return sorted(scenes, key=lambda scene: chosen[scene["id"]])


def _layers(camera_dir: Path, rows: Mapping[str, Mapping], objects: Mapping[str, list[dict]]) -> Layers:
    cutout_ids = (thing["cutout_id"] for things in objects.values() for thing in things)
    return load_layers(camera_dir, {row["background"] for row in rows.values()}, cutout_ids)


def _table_rows(folder: Path, scene_ids: Iterable[str]) -> Iterable[dict]:
    parts = sorted(part for part in folder.glob("*.parquet") if not part.name.startswith("."))
    return selected_rows(parts, "scene_id", scene_ids)


def _scene_entry(
    row: Mapping, nearest_first: list[dict], settings: GallerySettings, layers: Layers | None, body_file: Path | None
) -> dict:
    """A row of IMAGES with its objects, as the page reads it."""
    picture = cv2.imdecode(np.frombuffer(row["image"]["bytes"], np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"scene {row['scene_id']}: its image is not a readable JPEG; compose its shard again")
    scale = min(1.0, settings.max_width / row["width"])
    shown = shrunk(picture, scale) if scale < 1 else picture
    objects = [_object(thing, (row["height"], row["width"]), 0.5 / scale) for thing in nearest_first]
    if layers is not None:
        patches = layers.behind(row["background"], [thing["cutout_id"] for thing in nearest_first], scale)
        for thing, (rect, pixels) in zip(objects, patches, strict=True):
            thing["behind"] = {"rect": rect, "jpeg": jpeg_base64(pixels, settings.jpeg_quality)}
    scene = {
        "id": row["scene_id"],
        "bucket": row["background"],
        "time": row["timestamp"] and row["timestamp"].strftime("%Y-%m-%d %H:%M"),
        "size": [row["width"], row["height"]],
        "scale": scale,
        "K": row["K"],
        "distortion": row["distortion"],
        "jpeg": jpeg_base64(shown, settings.jpeg_quality),
        "thumb": jpeg_base64(shrunk(picture, min(1.0, _THUMBNAIL_WIDTH / row["width"])), 70),
        "glb": _compressed(scene_glb(row, nearest_first, body_file)),
        "objects": objects,
    }
    return _plain_value(scene)


def _object(row: Mapping, size_hw: tuple[int, int], tolerance_px: float) -> dict:
    """A row of OBJECTS as the page reads it; `behind` is what its removal shows, when that is known."""
    return {short: row[column] for short, column in _COLUMNS.items()} | {
        "amodal": outlines(row["mask_amodal_rle"], size_hw, tolerance_px),
        "seen": outlines(row["mask_visible_rle"], size_hw, tolerance_px) if row["px_count_visib"] else [],
        "behind": None,
    }


def _compressed(data: bytes | None) -> str | None:
    """Base64 of the gzipped data; the same data give the same text."""
    return None if data is None else base64.b64encode(gzip.compress(data, mtime=0)).decode("ascii")


def _plain_value(value: Any) -> Any:
    """The same as JSON can say it: floats short, what is not a number as null."""
    if isinstance(value, Mapping):
        return {key: _plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_value(item) for item in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
