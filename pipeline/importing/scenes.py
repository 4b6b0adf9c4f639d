"""Scenes as they are read, and the shards that hold them.

What a format does not say is null. Order and occluders that it does not say follow from its masks: whoever is seen
where another one is hidden hides it and stands before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from models.labels.segmentations import segmentation_mask
from pipeline.composition.shard_files import write_images, write_objects
from pipeline.core import masks
from pipeline.core.storage import sha256_of
from pipeline.core.tables import CATEGORY_IDS, IMAGES, OBJECTS

MODE = "imported"
SCENES_PER_SHARD = 200


@dataclass
class ReadObject:
    """One object: category, whole and seen as run lengths of its picture, what else of OBJECTS is known.

    name: what others of the picture call it by; occluders: names of those that hide it, None where nobody says; place:
    its rank from near to far, None where nobody says.
    """

    name: int
    category: str
    whole: str
    seen: str
    occluders: list[int] | None = None
    place: float | None = None
    known: dict[str, Any] = field(default_factory=dict)


@dataclass
class ReadScene:
    """A picture's file, its size, and what else of IMAGES is known; its objects, in any order."""

    picture: Path
    size_hw: tuple[int, int]
    known: dict[str, Any]
    objects: list[ReadObject]


@dataclass(frozen=True)
class Shards:
    """Where the shards go: out, with images/ and objects/; camera_id and data_set, the hash that marks them."""

    out: Path
    camera_id: str
    data_set: str


def write_scenes(shards: Shards, scenes: Iterable[ReadScene]) -> list[dict[str, Any]]:
    """Write all scenes, some at a time, and name them by number; gives each part's name, scenes and checksums."""
    parts, left = [], iter(scenes)
    for number, some in enumerate(iter(lambda: list(islice(left, SCENES_PER_SHARD)), [])):
        name = f"part-{number:05d}"
        rows = [_image(shards, scene, number, place) for place, scene in enumerate(some)]
        objects = [row for image, scene in zip(rows, some, strict=True) for row in rows_of(scene, image)]
        paths = [shards.out / kind / f"{name}.parquet" for kind in ("images", "objects")]
        write_objects(paths[1], pa.Table.from_pylist(objects, schema=OBJECTS), shards.data_set)
        write_images(paths[0], pa.Table.from_pylist(rows, schema=IMAGES), shards.data_set)
        parts.append({"name": name, "scenes": len(some), "sha256": [sha256_of(path) for path in paths]})
    return parts


def _image(shards: Shards, scene: ReadScene, shard: int, place: int) -> dict[str, Any]:
    """The row of IMAGES; ids of scenes are the format's own where it has them."""
    scene_id = scene.known.get("scene_id") or f"{shards.camera_id}/{shard:05d}/{place:05d}"
    picture = {"bytes": _bytes_of(scene.picture), "path": scene.picture.name}
    height, width = scene.size_hw
    return {
        **dict.fromkeys(IMAGES.names), "camera_id": shards.camera_id, "shard": shard, "seed": 0, "mode": MODE,
        "split": "train", "ignore_rle": [], "ignore_reason": [], "ignore_category": [], **scene.known,
        "scene_id": scene_id, "width": width, "height": height, "image": picture, "n_objects": len(scene.objects),
    }  # fmt: skip


def _bytes_of(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError(f"{path}: no such picture; name the folder of the pictures with --images")
    return path.read_bytes()


def rows_of(scene: ReadScene, image: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of OBJECTS, nearest first."""
    size_hw = scene.size_hw
    occluders = [_occluders(one, scene) for one in scene.objects]
    order = near_to_far(scene.objects, occluders)
    object_id = {scene.objects[k].name: number for number, k in enumerate(order)}
    rows = []
    for number, k in enumerate(order):
        one = scene.objects[k]
        whole_px, seen_px = masks.area(one.whole, size_hw), masks.area(one.seen, size_hw)
        row = dict.fromkeys(OBJECTS.names) | {
            "track_id": -1, "truncation": 0.0, "category": one.category, "category_id": CATEGORY_IDS[one.category],
            "bbox_amodal_xywh": list(map(float, masks.decode(one.whole, size_hw)[1])), "score": 1.0,
            "bbox_visible_xywh": list(map(float, masks.decode(one.seen, size_hw)[1])) if seen_px else None,
            "mask_amodal_rle": one.whole, "mask_visible_rle": one.seen, "px_count_all": whole_px,
            "px_count_visib": seen_px, "visible_fraction": seen_px / max(whole_px, 1),
        }  # fmt: skip
        rows.append(row | one.known | {
            "scene_id": image["scene_id"], "split": image["split"], "object_id": number, "depth_order": number,
            "occluder_ids": sorted(object_id[name] for name in occluders[k] if name in object_id),
        })  # fmt: skip
    return rows


def _occluders(one: ReadObject, scene: ReadScene) -> list[int]:
    """Names of those that hide some of an object: as the format says, else who is seen where it is not."""
    if one.occluders is not None:
        return one.occluders
    if one.whole == one.seen:
        return []
    crop, (x, y, w, h) = masks.decode(one.whole, scene.size_hw)
    hidden = crop & ~masks.full(one.seen, scene.size_hw)[y : y + h, x : x + w]
    found = []
    for other in scene.objects:
        if other is not one and _meet(other.seen, scene.size_hw, (x, y, w, h)):
            seen = masks.full(other.seen, scene.size_hw)[y : y + h, x : x + w]
            if (seen & hidden).any():
                found.append(other.name)
    return found


def _meet(rle: str, size_hw: tuple[int, int], box: masks.Box) -> bool:
    x, y, w, h = masks.decode(rle, size_hw)[1]
    return x < box[0] + box[2] and box[0] < x + w and y < box[1] + box[3] and box[1] < y + h


def near_to_far(objects: Sequence[ReadObject], occluders: Sequence[Sequence[int]]) -> list[int]:
    """Their order: by place where all have one, else such that whoever hides another comes first; as they stand where
    they hide each other in a circle."""
    if all(one.place is not None for one in objects):
        return sorted(range(len(objects)), key=lambda k: (objects[k].place, k))
    position = {one.name: k for k, one in enumerate(objects)}
    before = {k: {position[name] for name in occluders[k] if name in position} for k in range(len(objects))}
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError:
        return list(range(len(objects)))


def merged_regions(regions: Iterable[tuple[str, str, str]]) -> dict[str, list[Any]]:
    """The ignore columns of regions (run lengths, reason, category); one that stands there for several categories is of
    an unknown one."""
    found: dict[tuple[str, str], list[str]] = {}
    for rle, reason, category in regions:
        found.setdefault((rle, reason), []).append(category)
    return {
        "ignore_rle": [rle for rle, _ in found],
        "ignore_reason": [reason for _, reason in found],
        "ignore_category": [one[0] if len(set(one)) == 1 else None for one in found.values()],
    }


def run_lengths(segmentation: Any, size_hw: tuple[int, int], where: str) -> str:
    """Run lengths of COCO's polygons or run lengths of a picture of size_hw, as data of strangers. Raises ValueError
    that says where."""
    return masks.encode(segmentation_mask(segmentation, size_hw, 1.0, where), (0, 0), size_hw)
