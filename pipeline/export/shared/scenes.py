"""The scenes of a folder of shards one at a time, with their objects: memory holds one part, however many there are.

Scenes and objects are numbered from 1 in the order of the parts. Every format has these numbers, so that one scene or
object is called alike in all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from calibration.camera import Camera, GroundPlane
from pipeline.core.storage import count_rows, read_batches, read_schema, read_table, write_bytes
from pipeline.core.tables import CATEGORY_IDS, IMAGES
from pipeline.export.registry import ExportJob

_BATCH = 100  # pictures read at a time
_IGNORE = ("ignore_rle", "ignore_reason", "ignore_category")
_LATER = (*_IGNORE, "depth", "normals")  # shards of before lack them
MAPS = ("depth", "normals")
FLAT = (
    "object_id", "category", "category_id", "subcategory", "track_id", "depth_order", "visible_fraction", "truncation",
    "occluder_ids", "bbox_amodal_xywh", "mask_amodal_rle", "px_count_all", "bbox_visible_xywh", "mask_visible_rle",
    "px_count_visib",
)  # fmt: skip
KEYPOINTS = ("keypoints_2d", "keypoint_state")
PLACED = ("R", "t", "dims_lwh_m")
_ABOUT = tuple(name for name in IMAGES.names if name not in MAPS)


@dataclass(frozen=True)
class Ignored:
    """A region to ignore: run lengths, why, and the category of what may be there, None where nobody knows."""

    rle: str
    reason: str
    category: str | None

    @property
    def categories(self) -> list[str]:
        """Those it may hide."""
        return [self.category] if self.category else list(CATEGORY_IDS)


@dataclass(frozen=True)
class Scene:
    """A composed scene. number: from 1; row: of IMAGES without the picture; jpeg: the picture; objects: rows of
    OBJECTS, nearest first, numbered from `first`."""

    number: int
    row: dict[str, Any]
    jpeg: bytes
    objects: list[dict[str, Any]]
    first: int

    @property
    def name(self) -> str:
        """Of the picture as a file."""
        return PurePosixPath(self.row["image"]["path"]).name

    @property
    def split(self) -> str:
        """train or val."""
        return self.row["split"]

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width, px."""
        return self.row["height"], self.row["width"]

    @cached_property
    def ids(self) -> dict[int, int]:
        """Of each object_id the number among all objects."""
        return {row["object_id"]: self.first + k for k, row in enumerate(self.objects)}

    @property
    def ignored(self) -> list[Ignored]:
        """Regions with objects that no label tells of, or their ghosts."""
        return [Ignored(*one) for one in zip(*(self.row.get(name) or [] for name in _IGNORE), strict=True)]

    @property
    def camera(self) -> Camera:
        """That took it. Raises ValueError where its K is not known."""
        if self.row["K"] is None:
            raise ValueError(f"{self.row['scene_id']}: its camera matrix K is not known, as of an imported picture, "
                             "and this format needs it; choose one without 3D")  # fmt: skip
        return Camera(np.reshape(self.row["K"], (3, 3)), self.size_hw, np.array(self.row["distortion"]))

    @property
    def plane(self) -> GroundPlane:
        """On which its objects stand. Raises ValueError where it is not known."""
        if self.row["ground_plane"] is None:
            raise ValueError(f"{self.row['scene_id']}: its ground plane is not known, as of an imported picture, and "
                             "this format needs it; choose one without 3D")  # fmt: skip
        return GroundPlane(np.array(self.row["ground_plane"][:3]), self.row["ground_plane"][3])

    @property
    def time(self) -> str:
        """When the latest of its frames was taken, as ISO 8601 has it; empty where nobody knows."""
        return self.row["timestamp"].isoformat() if self.row["timestamp"] else ""

    def write_picture(self, path: Path) -> None:
        """The picture's own bytes."""
        write_bytes(path, self.jpeg)


def parts_of(clipart: Path) -> list[tuple[Path, Path]]:
    """The files of pictures and of their objects, in order. Raises ValueError where there is none, or one lacks the
    other."""
    parts = sorted(path for path in (clipart / "images").glob("*.parquet") if path.name[0] != ".")
    if not parts:
        raise ValueError(f"{clipart}: no shards in images/; run GenerateClipArt")
    pairs = [(part, clipart / "objects" / part.name) for part in parts]
    for _, objects in pairs:
        if not objects.is_file():
            raise ValueError(f"{objects}: no such file, beside the pictures of {objects.name}; run GenerateClipArt")
    return pairs


def counts(clipart: Path) -> tuple[int, int]:
    """How many scenes and objects there are."""
    pairs = parts_of(clipart)
    pictures, objects = (sum(count_rows(pair[kind]) for pair in pairs) for kind in (0, 1))
    return pictures, objects


def scenes(job: ExportJob, columns: Sequence[str], maps: Sequence[str] = ()) -> Iterator[Scene]:
    """Every scene in order, with the named columns of its objects, and of MAPS those that are wanted; tells the job's
    progress. Raises ValueError, one line, where a column is missing."""
    total, number, first = counts(job.clipart)[0], 0, 1
    for images, objects in parts_of(job.clipart):
        of_scene = _objects_of(objects, columns)
        known = _known(images, read_schema(images).names, [*_ABOUT, *maps])
        for batch in read_batches(images, _BATCH, known):
            for row in batch.to_pylist():
                number += 1
                scene = Scene(number, row, row["image"]["bytes"], of_scene.pop(row["scene_id"], []), first)
                first += len(scene.objects)
                yield scene
                job.progress(number, total)
        if of_scene:
            raise ValueError(f"{objects}: {next(iter(of_scene))} is no scene of {images}; run GenerateClipArt again")


def _objects_of(part: Path, columns: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The rows of a part by their scene."""
    known = _known(part, read_schema(part).names, ["scene_id", *dict.fromkeys(columns)])
    found: dict[str, list[dict[str, Any]]] = {}
    for row in read_table(part, columns=known).to_pylist():
        found.setdefault(row["scene_id"], []).append(row)
    return found


def _known(part: Path, names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    missing = [name for name in wanted if name not in names and name not in _LATER]
    if missing:
        raise ValueError(f"{part}: expected columns {', '.join(missing)}, which are missing: a shard of another "
                         "version; run GenerateClipArt again")  # fmt: skip
    return [name for name in wanted if name in names]


def plain(value: Any) -> Any:
    """A row's value as JSON has it: times as text, None for what is no finite number."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value
