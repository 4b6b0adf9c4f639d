"""Write one shard of composed scenes: an `images` and an `objects` part, named part-NNNNN-of-MMMMM.parquet.

The same job gives the same bytes, whoever runs it and whatever else runs; a shard is done when both parts exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import simplejpeg

from calibration.camera import Camera, GroundPlane
from pipeline.composition.meshes import SceneGeometry, depth_png, normals_png, solids
from pipeline.composition.paint import (
    PaintedCutout,
    SpriteCache,
    Visible,
    decode_sprite,
    keypoint_states,
    paint,
    visible_part,
)
from pipeline.composition.pairs import PairTables, read_tables
from pipeline.composition.pool import TRAIN, VAL, Pool, validates
from pipeline.composition.sample import ComposeSettings, Sampler, TooFewCutouts
from pipeline.composition.shadows import Upright, shades
from pipeline.composition.shard_files import write_images, write_objects
from pipeline.core import masks
from pipeline.core.tables import CATEGORY_IDS, IMAGES, KEYPOINT_STATES, OBJECTS, PIXELS, matrix
from pipeline.empty_frames import read_empty_frames

# Raised when the columns or the meaning of one change.
COLUMNS_VERSION = 5


@dataclass(frozen=True)
class ShardJob:
    """All that one shard's bytes depend on: `scenes` scenes, the data set's `first` one and on, of shard number `shard`
    of `shards`, from the tables and backgrounds in camera_dir into out_dir."""

    camera_id: str
    camera_dir: Path
    out_dir: Path
    camera: Camera
    plane: GroundPlane
    seed: int
    shard: int
    shards: int
    scenes: int
    first: int = 0
    mode: str = "walt3d"
    settings: ComposeSettings = field(default_factory=ComposeSettings)
    body_file: Path | None = None  # of people's solids, where theirs is not the body that ships
    data_set: str = ""  # hash that both parts bear

    @property
    def name(self) -> str:
        """For messages and file names."""
        return f"part-{self.shard:05d}-of-{self.shards:05d}"

    @property
    def paths(self) -> tuple[Path, Path]:
        """The images part and the objects part."""
        return self.out_dir / "images" / f"{self.name}.parquet", self.out_dir / "objects" / f"{self.name}.parquet"

    @property
    def done(self) -> bool:
        """Both parts are there; the images part is written last."""
        return all(path.exists() for path in self.paths)


def compose_shard(job: ShardJob) -> tuple[str, str]:
    """Compose and write a shard; returns the two paths. Raises ValueError where there are too few cutouts."""
    source = _Source(job)
    rng = np.random.default_rng([job.seed, crc32(job.camera_id.encode()), job.shard])
    sampler = Sampler(pair_tables(job), job.settings, rng, job.shard)
    sampled = [_sampled(sampler, job.first + number) for number in range(job.scenes)]
    source.fetch(np.unique(np.concatenate(sampled)))
    scenes = [_compose(job, number, rows, source) for number, rows in enumerate(sampled)]
    images, objects = job.paths
    rows = np.concatenate(sampled)
    write_objects(objects, _objects_table(source.pool, rows, [labels for _, labels in scenes]), job.data_set)
    write_images(images, pa.Table.from_pylist([image for image, _ in scenes], schema=IMAGES), job.data_set)
    return str(images), str(objects)


def pair_tables(job: ShardJob) -> PairTables:
    """The cutouts of a job and what each two would do to each other, made once by each worker."""
    probability = job.settings.crossing_probability
    return read_tables(job.camera_dir, job.camera, job.plane, job.mode, probability)


def _sampled(sampler: Sampler, scene: int) -> np.ndarray:
    """Rows of a scene: one that validates where it is its turn and there are the cutouts for it, else one to train."""
    if validates(scene):
        with suppress(TooFewCutouts):
            return sampler.scene(VAL)
    return sampler.scene(TRAIN)


class _Source:
    """What a shard reads: the pool, the pixels of the cutouts it sampled, the backgrounds of their buckets."""

    def __init__(self, job: ShardJob) -> None:
        self.folder, self.size_hw, self.body_file = job.camera_dir, job.camera.size_hw, job.body_file
        self.pool = pair_tables(job).pool
        self.timestamps = self.pool.table["timestamp"].cast(pa.int64()).to_numpy()
        self.bucket = self.pool.table["bucket"].to_pylist()
        self.states = _state_codes(self.pool.table["keypoint_state"])
        self.keypoints = [np.reshape(k, (-1, 2)) for k in self.pool.table["keypoints_2d"].to_pylist()]
        self.area_px = [masks.area(rle, self.size_hw) for rle in self.pool.table["mask_rle"].to_pylist()]
        self.heights_m = matrix(self.pool.table["dims_lwh_m"], 3)[:, 2]
        self.camera, self.plane = job.camera, job.plane
        self._raw: dict[int, dict] = {}
        self._cache = _sprite_cache(job.settings.sprite_cache_mb)
        self._empty_frames: dict[str, np.ndarray] = {}
        self._geometry = SceneGeometry(job.camera, job.plane) if job.settings.geometry else None

    def fetch(self, rows: np.ndarray) -> None:
        """Read the pixels of the given rows of the pool, from the row groups that hold them."""
        wanted = pa.array(self.pool.cutout_id[rows])
        for part in sorted((self.folder / "cutouts").glob("part-*.parquet")):
            with pq.ParquetFile(part) as file:
                for group in range(file.num_row_groups):
                    found = pc.is_in(file.read_row_group(group, ["cutout_id"])["cutout_id"], wanted)
                    if pc.any(found).as_py():
                        pixels = file.read_row_group(group, ["cutout_id", "mask_rle", *PIXELS]).filter(found)
                        self._raw |= {row["cutout_id"]: row for row in pixels.to_pylist()}

    def upright(self, row: int) -> Upright:
        """The object of a row of the pool whose pixels were fetched."""
        raw = self._raw[int(self.pool.cutout_id[row])]
        quad, height_m = self.pool.footprint(row), self.heights_m[row]
        # Two runs in one process may know different pixels, at another place, by the same number.
        pixels = hash((raw["sprite"], raw["shadow"], raw["halo"], quad.tobytes(), height_m))
        key = (raw["cutout_id"], self.size_hw, raw["mask_rle"], pixels)
        return self._cache.get(
            key, lambda: Upright(decode_sprite(raw, self.size_hw), quad, height_m, self.camera, self.plane)
        )

    def empty_frame(self, bucket: str, rng: np.random.Generator) -> np.ndarray:
        """The bucket's empty street with the camera's noise; without noise where mining kept none."""
        if bucket not in self._empty_frames:
            frames = read_empty_frames(self.folder, bucket, self.size_hw)
            self._empty_frames[bucket] = self._median(bucket)[None] if frames is None else frames
        return self._empty_frames[bucket][rng.integers(len(self._empty_frames[bucket]))]

    def _median(self, bucket: str) -> np.ndarray:
        path = self.folder / "background" / f"{bucket}.png"
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None or picture.shape[:2] != self.size_hw:
            got = "none" if picture is None else f"{picture.shape[1]}x{picture.shape[0]}"
            expected = f"{self.size_hw[1]}x{self.size_hw[0]}"
            raise ValueError(f"{path}: expected a picture of {expected}, got {got}; run MedianBackground")
        return picture

    def geometry(self, rows: np.ndarray, stem: str) -> dict[str, dict | None]:
        """The depth and normals columns of a scene of rows of the pool; null unless the settings ask for them."""
        if self._geometry is None:
            return {"depth": None, "normals": None}
        found = solids(self.pool.table.take(pa.array(rows)), self.body_file)
        bodies = [body for body in found if body is not None]
        depth, normals = self._geometry.render(bodies)
        return {
            "depth": {"bytes": depth_png(depth), "path": f"{stem}_depth.png"},
            "normals": {"bytes": normals_png(normals), "path": f"{stem}_normals.png"},
        }


@lru_cache(maxsize=1)
def _sprite_cache(megabytes: int) -> SpriteCache[Upright]:
    """One for all shards of a worker."""
    return SpriteCache(megabytes * 2**20)


def _state_codes(column: pa.ChunkedArray) -> list[np.ndarray]:
    """Each row's keypoint states as indices of KEYPOINT_STATES."""
    return [np.array([KEYPOINT_STATES.index(state) for state in row], int) for row in column.to_pylist()]


@dataclass(frozen=True)
class _Labels:
    """What composing adds to the objects of one scene, nearest first."""

    scene_id: str
    visible: list[Visible]
    area_px: list[int]
    states: list[np.ndarray]


def _compose(job: ShardJob, number: int, rows: np.ndarray, source: _Source) -> tuple[dict, _Labels]:
    """The row of IMAGES and the labels of a scene that shows rows of the pool, nearest first."""
    bucket = source.bucket[rows[0]]
    things = [source.upright(row) for row in rows]
    sprites = [thing.sprite for thing in things]
    noise = np.random.default_rng([job.seed, crc32(job.camera_id.encode()), job.shard, number])
    picture, label = paint(source.empty_frame(bucket, noise), sprites[::-1], shades(things)[::-1])
    scene_id = f"{job.camera_id}/{job.mode}/{job.shard:05d}/{number:05d}"
    stem = scene_id.replace("/", "_")
    image = {
        "scene_id": scene_id,
        "camera_id": job.camera_id,
        "shard": job.shard,
        "seed": job.seed,
        "mode": job.mode,
        "background": bucket,
        "timestamp": int(source.timestamps[rows].max()),
        "split": source.pool.split[rows[0]],
        "width": job.camera.size_hw[1],
        "height": job.camera.size_hw[0],
        "K": job.camera.K.ravel().tolist(),
        "distortion": job.camera.distortion.tolist(),
        "ground_plane": [*job.plane.n.tolist(), job.plane.d],
        "image": {"bytes": scene_jpeg(picture, job.settings.jpeg_quality), "path": f"{stem}.jpg"},
        "n_objects": len(rows),
        **source.geometry(rows, stem),
    }
    return image, _labels(scene_id, rows, sprites, label, source)


def scene_jpeg(picture: np.ndarray, quality: int) -> bytes:
    """The JPEG that a scene is kept as."""
    return simplejpeg.encode_jpeg(picture, quality=quality, colorspace="BGR", colorsubsampling="420", fastdct=True)


def _labels(
    scene_id: str, rows: np.ndarray, sprites: list[PaintedCutout], label: np.ndarray, source: _Source
) -> _Labels:
    painted = np.arange(len(rows), 0, -1)  # the nearest was painted last
    rles = [source.pool.mask_rle[row] for row in rows]
    visible = [visible_part(label, int(n), s, rle) for n, s, rle in zip(painted, sprites, rles, strict=True)]
    points = [source.keypoints[row] for row in rows]
    counts = [len(p) for p in points]
    states = keypoint_states(
        label,
        np.repeat(painted, counts),
        np.concatenate(points),
        np.concatenate([source.states[row] for row in rows]),
    )
    return _Labels(scene_id, visible, [source.area_px[row] for row in rows], np.split(states, np.cumsum(counts)[:-1]))


def _objects_table(pool: Pool, rows: np.ndarray, scenes: Sequence[_Labels]) -> pa.Table:
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
