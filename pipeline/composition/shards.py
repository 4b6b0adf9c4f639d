"""Write one shard of composed scenes: an `images` and an `objects` part, named part-NNNNN-of-MMMMM.parquet.

The same job gives the same bytes, whoever runs it and whatever else runs; a shard is done when both parts exist.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from zlib import crc32

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
    decode_sprite,
    keypoint_states,
    noisier,
    paint,
    relit,
    visible_parts,
)
from pipeline.composition.pairs import PairTables, read_tables
from pipeline.composition.pool import TRAIN, VAL, validates
from pipeline.composition.sample import ComposeSettings, Sampler, TooFewCutouts
from pipeline.composition.shadows import Upright, shades
from pipeline.composition.shard_files import SceneLabels, objects_table, write_images, write_objects
from pipeline.core.frames import own_picture
from pipeline.core.illumination import cells, gain_between, relative_noise
from pipeline.core.storage import checked, damaged
from pipeline.core.tables import IMAGES, KEYPOINT_STATES, PIXELS, matrix
from pipeline.empty_frames import read_empty_frames
from pipeline.empty_street.regions import ignore_columns, read_ignored

# Raised when the columns or the meaning of one change.
COLUMNS_VERSION = 6


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
    variant: str = "default"  # name of the data set among the camera's, which its scenes' ids hold

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
    all_rows = np.concatenate([rows for _, rows in sampled])
    source.fetch(np.unique(all_rows))
    scenes = [_compose(job, number, bucket, rows, source) for number, (bucket, rows) in enumerate(sampled)]
    images, objects = job.paths
    labels = [labels for _, labels in scenes]
    write_objects(objects, objects_table(source.pool, all_rows, labels), job.data_set)
    write_images(images, pa.Table.from_pylist([image for image, _ in scenes], schema=IMAGES), job.data_set)
    return str(images), str(objects)


def pair_tables(job: ShardJob) -> PairTables:
    """The cutouts of a job and what each two would do to each other, made once by each worker."""
    s = job.settings
    return read_tables(job.camera_dir, job.camera, job.plane, job.mode, s.crossing_probability, s.relit)


def _sampled(sampler: Sampler, scene: int) -> tuple[str, np.ndarray]:
    """Time bucket and rows of a scene: one that validates where it is its turn and there are cutouts, else one that
    trains."""
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
        self.heights_m = matrix(self.pool.table["dims_lwh_m"], 3)[:, 2]
        self.camera, self.plane = job.camera, job.plane
        self._raw: dict[int, dict] = {}
        self._keys: dict[int, Hashable] = {}
        self._cache = _sprite_cache(job.settings.sprite_cache_mb)
        self._empty_frames: dict[str, np.ndarray] = {}
        self._medians: dict[str, np.ndarray] = {}
        self._relative_noise: dict[str, float] = {}
        self._cells: dict[str, np.ndarray] = {}
        self.ignored = read_ignored(job.camera_dir)
        self._geometry = SceneGeometry(job.camera, job.plane) if job.settings.geometry else None

    def fetch(self, rows: np.ndarray) -> None:
        """Read the pixels of the given rows of the pool, from the row groups that hold them."""
        wanted = pa.array(self.pool.cutout_id[rows])
        for part in sorted((self.folder / "cutouts").glob("part-*.parquet")):
            with checked(part), pq.ParquetFile(part, page_checksum_verification=True) as file:
                for group in range(file.num_row_groups):
                    found = pc.is_in(file.read_row_group(group, ["cutout_id"])["cutout_id"], wanted)
                    if pc.any(found).as_py():
                        pixels = file.read_row_group(group, ["cutout_id", "mask_rle", *PIXELS]).filter(found)
                        self._raw |= {row["cutout_id"]: row for row in pixels.to_pylist()}

    def upright(self, row: int, bucket: str) -> Upright:
        """The object of a row of the pool whose pixels were fetched, in the illumination of a time bucket."""
        if row not in self._keys:
            self._keys[row] = self._key(row)

        def made() -> Upright:
            sprite = decode_sprite(self._raw[int(self.pool.cutout_id[row])], self.size_hw)
            lit = self._noisy(relit(sprite, self._gain(row, bucket)), self.bucket[row], bucket)
            return Upright(lit, self.pool.footprint(row), self.heights_m[row], self.camera, self.plane)

        # Under another bucket's light it is another object, and buckets are called alike on all cameras.
        lit_as = None if bucket == self.bucket[row] else (self.folder, bucket)
        return self._cache.get((self._keys[row], lit_as), made)

    def _key(self, row: int) -> Hashable:
        """What an object is kept by: two runs in one process may know different pixels, at another place, by one
        number."""
        raw = self._raw[int(self.pool.cutout_id[row])]
        place = self.pool.footprint(row).tobytes(), self.heights_m[row]
        pixels = hash((raw["sprite"], raw["shadow"], raw["halo"], place))
        return raw["cutout_id"], self.size_hw, raw["mask_rle"], pixels

    def _gain(self, row: int, bucket: str) -> np.ndarray | None:
        """(3,) what gives a row's pixels the illumination of another time bucket; None in their own."""
        own = self.bucket[row]
        if own == bucket:
            return None
        for name in {own, bucket} - set(self._cells):
            self._cells[name] = cells(self._median(name))
        x, y, w, h = np.rint(self.pool.box_xywh[row]).astype(int).tolist()
        return gain_between(self._cells[own], self._cells[bucket], self.size_hw, (x, y, w, h))

    def _noisy(self, sprite: PaintedCutout, own: str, bucket: str) -> PaintedCutout:
        """A sprite of a quieter time bucket with the noise that it lacks in another: that of an empty frame there."""
        if own == bucket:
            return sprite
        lent, street = self._noise(own), self._noise(bucket)
        if lent >= street:
            return sprite
        place = sprite.colour[1]
        noise = self._empty(bucket)[0][place].astype(np.float32) - self._median(bucket)[place]
        return noisier(sprite, noise * np.sqrt(1 - (lent / street) ** 2))

    def _noise(self, bucket: str) -> float:
        """See `relative_noise`; 0 where mining kept no empty frame."""
        if bucket not in self._relative_noise:
            self._relative_noise[bucket] = relative_noise(self._empty(bucket), self._median(bucket))
        return self._relative_noise[bucket]

    def empty_frame(self, bucket: str, rng: np.random.Generator) -> np.ndarray:
        """The bucket's empty street with the camera's noise; without noise where mining kept none."""
        frames = self._empty(bucket)
        return frames[rng.integers(len(frames))]

    def _empty(self, bucket: str) -> np.ndarray:
        """(N, H, W, 3) uint8 empty frames of a bucket, or its median alone."""
        if bucket not in self._empty_frames:
            frames = read_empty_frames(self.folder, bucket, self.size_hw)
            self._empty_frames[bucket] = self._median(bucket)[None] if frames is None else frames
        return self._empty_frames[bucket]

    def _median(self, bucket: str) -> np.ndarray:
        """(H, W, 3) uint8 of a bucket."""
        if bucket not in self._medians:
            self._medians[bucket] = self._read_median(bucket)
        return self._medians[bucket]

    def _read_median(self, bucket: str) -> np.ndarray:
        path = self.folder / "background" / f"{bucket}.png"
        picture = own_picture(path)
        if picture.shape[:2] != self.size_hw:
            found, expected = (f"{w}x{h}" for h, w in (picture.shape[:2], self.size_hw))
            raise damaged(path, f"expected a picture of {expected}, found {found}")
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


def _compose(job: ShardJob, number: int, bucket: str, rows: np.ndarray, source: _Source) -> tuple[dict, SceneLabels]:
    """The row of IMAGES and the labels of a scene of a time bucket that shows rows of the pool, nearest first."""
    things = [source.upright(row, bucket) for row in rows]
    sprites = [thing.sprite for thing in things]
    noise = np.random.default_rng([job.seed, crc32(job.camera_id.encode()), job.shard, number])
    picture, label = paint(source.empty_frame(bucket, noise), sprites[::-1], shades(things)[::-1])
    scene_id = f"{job.camera_id}/{job.variant}/{job.shard:05d}/{number:05d}"
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
        **ignore_columns(source.ignored.get(bucket, [])),
        **source.geometry(rows, stem),
    }
    return image, _labels(scene_id, rows, sprites, label, source)


def scene_jpeg(picture: np.ndarray, quality: int) -> bytes:
    """The JPEG that a scene is kept as."""
    return simplejpeg.encode_jpeg(picture, quality=quality, colorspace="BGR", colorsubsampling="420", fastdct=True)


def _labels(
    scene_id: str, rows: np.ndarray, sprites: list[PaintedCutout], label: np.ndarray, source: _Source
) -> SceneLabels:
    painted = np.arange(len(rows), 0, -1)  # the nearest was painted last
    rles = [source.pool.mask_rle[row] for row in rows]
    visible = visible_parts(label, sprites[::-1], rles[::-1])[::-1]
    points = [source.keypoints[row] for row in rows]
    counts = [len(p) for p in points]
    states = keypoint_states(
        label,
        np.repeat(painted, counts),
        np.concatenate(points),
        np.concatenate([source.states[row] for row in rows]),
    )
    return SceneLabels(
        scene_id, visible, [sprite.area_px for sprite in sprites], np.split(states, np.cumsum(counts)[:-1])
    )
