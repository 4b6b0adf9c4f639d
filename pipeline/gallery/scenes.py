"""Write the scenes of one shard as files that the gallery's page reads one by one, from a disk as from a server.

`00012.js` holds scene 12 of the shard, base64 of gzipped JSON in a call of `addScene`, and `00012.jpg` its thumbnail:
a page that was opened as a file may load scripts and pictures of its folder, and nothing else. Labels keep the frame's
own pixels (boxes and outlines in COCO's edge coordinates); the scene's picture is scaled down by its `scale`.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import simplejpeg

from pipeline.core.storage import atomic_folder, read_batches, read_table
from pipeline.gallery.layers import Layers, load_layers
from pipeline.gallery.pictures import jpeg, jpeg_base64, outlines, shrunk
from pipeline.gallery.viewer_3d import ground_camera, scene_glb, seen_by

_THUMBNAIL_WIDTH, _THUMBNAIL_QUALITY = 240, 70
_AT_ONCE = 16  # pictures of a shard in memory
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
    """How much of the shards the page shows; every scene is there."""

    scenes: int = field(
        default=40,
        metadata={
            "help": "scenes with a large picture, what is behind each object and a 3D view: the fullest, and others "
            "spread over the shards; the rest has a small picture and its labels"
        },
    )
    max_width: int = field(default=1280, metadata={"help": "widest large picture, px; wider scenes are scaled down"})
    small_width: int = field(default=640, metadata={"help": "width of the small pictures, px"})
    jpeg_quality: int = field(default=80, metadata={"help": "of the gallery's pictures, 1 to 100"})


@dataclass(frozen=True)
class GalleryJob:
    """The scenes of one shard: its two Parquet files, the folder to fill, which scenes are shown large, what they were
    painted from (the camera's folder, where it is at hand), and the user's body model."""

    name: str
    images: Path
    objects: Path
    out: Path
    large: frozenset[str]
    settings: GallerySettings
    camera_dir: Path | None = None
    body_file: Path | None = None

    @property
    def done(self) -> bool:
        """The folder is filled at once or not at all."""
        return next(self.out.glob("*.js"), None) is not None


def write_scenes(job: GalleryJob) -> int:
    """Fill the job's folder; the number of its scenes."""
    objects = read_table(job.objects)
    rows_of = _rows_by_scene(objects)
    layers = _layers(job, objects)
    number = 0
    with atomic_folder(job.out) as folder:
        for batch in read_batches(job.images, _AT_ONCE):
            for image in batch.to_pylist():
                mine = objects.take(rows_of.get(image["scene_id"], np.zeros(0, int))).to_pylist()
                things = sorted(mine, key=lambda thing: thing["depth_order"])
                _write_scene(folder / f"{number:05d}", image, things, job, layers)
                number += 1
    return number


def script(call: str, key: Any, value: Any) -> bytes:
    """A script that calls a function of the page with a key and the base64 of a value's gzipped JSON; the same value
    gives the same bytes."""
    packed = gzip.compress(json.dumps(value, separators=(",", ":"), allow_nan=False).encode(), 6, mtime=0)
    return f"{call}({json.dumps(key)},{json.dumps(base64.b64encode(packed).decode('ascii'))});\n".encode()


def _rows_by_scene(objects: pa.Table) -> dict[str, np.ndarray]:
    ids = np.array(objects["scene_id"].to_pylist(), object)
    order = np.argsort(ids, kind="stable")
    names, starts = np.unique(ids[order], return_index=True)
    return dict(zip(names.tolist(), np.split(order, starts[1:]), strict=True)) if len(ids) else {}


def _layers(job: GalleryJob, objects: pa.Table) -> Layers | None:
    """What the large scenes were painted from."""
    if job.camera_dir is None or not job.large:
        return None
    images = read_table(job.images, columns=["scene_id", "background"]).to_pylist()
    buckets = {row["background"] for row in images if row["scene_id"] in job.large}
    large = np.array([scene in job.large for scene in objects["scene_id"].to_pylist()], bool)
    return load_layers(job.camera_dir, buckets, objects["cutout_id"].to_numpy()[large].tolist())


def _write_scene(stem: Path, image: Mapping, nearest_first: list[dict], job: GalleryJob, layers: Layers | None) -> None:
    large = image["scene_id"] in job.large
    picture = _shown_picture(image, job.settings.max_width if large else job.settings.small_width)
    scene = scene_entry(image, picture, nearest_first, job.settings.jpeg_quality)
    if large:
        scene |= {"glb": _glb(image, nearest_first, job.body_file), "ground": ground_camera(image)}
        if layers is not None:
            _add_what_is_behind(scene, image, nearest_first, layers, job.settings.jpeg_quality)
    stem.with_suffix(".js").write_bytes(script("addScene", image["scene_id"], _plain_value(scene)))
    thumbnail = shrunk(picture, min(1.0, _THUMBNAIL_WIDTH / picture.shape[1]))
    stem.with_suffix(".jpg").write_bytes(jpeg(thumbnail, _THUMBNAIL_QUALITY))


def _shown_picture(image: Mapping, width: int) -> np.ndarray:
    """The scene, at most so wide."""
    data, scale = image["image"]["bytes"], min(1.0, width / image["width"])
    try:  # libjpeg decodes at 1/2, 1/4 and 1/8 of the size in less time
        height = round(image["height"] * scale)
        picture = simplejpeg.decode_jpeg(data, colorspace="BGR", min_height=height, min_width=width, min_factor=1)
    except ValueError:
        raise ValueError(
            f"scene {image['scene_id']}: its image is not a readable JPEG; compose its shard again"
        ) from None
    scale = min(1.0, width / picture.shape[1])
    return shrunk(picture, scale) if scale < 1 else picture


def scene_entry(image: Mapping, picture: np.ndarray, nearest_first: list[dict], quality: int) -> dict[str, Any]:
    """A row of IMAGES with its objects, as the page reads it; `picture` is the scene's, scaled down."""
    scale, size_hw = picture.shape[1] / image["width"], (image["height"], image["width"])
    lens = image["distortion"]
    if lens is not None and len(lens) != 5:  # the page knows five terms
        lens = seen_by(image)[0].five_terms.tolist()
    return {
        "id": image["scene_id"],
        "bucket": image["background"],
        "split": image["split"],
        "time": image["timestamp"] and image["timestamp"].strftime("%Y-%m-%d %H:%M"),
        "size": [image["width"], image["height"]],
        "scale": scale,
        "K": image["K"],
        "distortion": lens,
        "jpeg": jpeg_base64(picture, quality),
        "glb": None,
        "objects": [_object(thing, size_hw, 0.5 / scale) for thing in nearest_first],
    }


def _object(row: Mapping, size_hw: tuple[int, int], tolerance_px: float) -> dict:
    """A row of OBJECTS as the page reads it; `behind` is what its removal shows, when that is known."""
    return {short: row[column] for short, column in _COLUMNS.items()} | {
        "amodal": outlines(row["mask_amodal_rle"], size_hw, tolerance_px),
        "seen": outlines(row["mask_visible_rle"], size_hw, tolerance_px) if row["px_count_visib"] else [],
        "behind": None,
    }


def _add_what_is_behind(scene: dict, image: Mapping, nearest_first: list[dict], layers: Layers, quality: int) -> None:
    cutout_ids = [thing["cutout_id"] for thing in nearest_first]
    patches = layers.behind(image["background"], cutout_ids, scene["scale"])
    for thing, (rect, pixels) in zip(scene["objects"], patches, strict=True):
        thing["behind"] = {"rect": rect, "jpeg": jpeg_base64(pixels, quality)}


def _glb(image: Mapping, nearest_first: list[dict], body_file: Path | None) -> str | None:
    """Base64 of the scene's solids."""
    data = scene_glb(image, nearest_first, body_file)
    return None if data is None else base64.b64encode(data).decode("ascii")


def _plain_value(value: Any) -> Any:
    """The same as JSON can say it: floats short, what is not a number as null."""
    if isinstance(value, Mapping):
        return {key: _plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_value(item) for item in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
