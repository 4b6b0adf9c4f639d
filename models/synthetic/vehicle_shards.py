"""The training pictures on disk: Parquet shards of sprites and backdrops, each a pure function of seed and number.

Rows are sprites (`models.synthetic.sprites.Sprite`) and, with kind "backdrop", albedo images. Colours are JPEG,
masks and the illumination of the ground PNG. What other shards of pictures are written and read with is here, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from models.synthetic.photograph import decoded, encoded_jpeg, encoded_png
from models.synthetic.plans import RenderJob, VehicleJob
from models.synthetic.scenery import SIZE_PX, sample_backdrop
from models.synthetic.sprites import Sprite, render_sprite, sample_illumination, sample_place, sampled_vehicle
from pipeline.core.storage import read_table, write_table
from pipeline.simulate.people.person import MOTIONS, make_person, person_mesh
from pipeline.simulate.vehicles.fleets import fleet_named
from readers.pictures import read_image

# How often a body is rendered, in the order of its fleet's; what is rare on roads is learnt from, too.
_WEIGHTS = {
    "plain": (0.15, 0.15, 0.13, 0.16, 0.08, 0.10, 0.07, 0.08, 0.08),
    "wide": (0.03, 0.05, 0.09, 0.09, 0.08, 0.04, 0.06, 0.09, 0.04, 0.02, 0.06, 0.05, 0.06, 0.03, 0.03, 0.02,
             0.03, 0.015, 0.015, 0.015, 0.03, 0.015, 0.025, 0.01),
}  # fmt: skip
BACKDROP = "backdrop"
_QUALITY = 95  # colours hardly change


def render_vehicles(job: VehicleJob) -> int:
    """Render one shard of vehicles, people and backdrops and write it; its number of rows."""
    return write_shard(job, SCHEMA, lambda rng: _vehicle_rows(job, rng))


def write_shard(job: RenderJob, schema: pa.Schema, rows_of: Callable[[np.random.Generator], Iterable[dict]]) -> int:
    """Write the rows that are rendered with the random numbers of a job's stream; how many there are.

    The same job gives the same bytes, wherever and beside whatever it runs.
    """
    rows = list(rows_of(np.random.default_rng(job.stream)))
    write_table(job.out, pa.Table.from_pylist(rows, schema=schema))
    return len(rows)


def _vehicle_rows(job: VehicleJob, rng: np.random.Generator) -> Iterator[dict]:
    yield from map(sprite_row, _rendered_sprites(job, rng))
    yield from backdrop_rows(max(2, job.count // 4), rng)


def _rendered_sprites(job: VehicleJob, rng: np.random.Generator) -> Iterator[Sprite]:
    """Vehicles in several views each, then half as many people."""
    bodies, weights = fleet_named(job.fleet).bodies, np.array(_WEIGHTS[job.fleet])
    for number in range(job.count):
        seed = job.first_seed + number
        # Validation shows every body type equally often.
        if job.split == "val":
            body = bodies[(job.index * job.count + number) % len(bodies)]
        else:
            body = str(rng.choice(bodies, p=weights / weights.sum()))
        vehicle = sampled_vehicle(job.fleet, body, seed, rng)
        reach = 0.6 * max(vehicle.dims_lwh_m) + vehicle.overhang_m
        for _ in range(job.views):
            place, illumination = sample_place(rng, reach), sample_illumination(rng)
            yield render_sprite(body, seed, vehicle.mesh, vehicle.keypoints, place, illumination, rng)
    yield from render_passers_by(job.first_seed, max(1, job.count // 2), rng)


def render_passers_by(first_seed: int, count: int, rng: np.random.Generator) -> Iterator[Sprite]:
    """People in two views each."""
    for seed in range(first_seed, first_seed + count):
        mesh = person_mesh(make_person(seed), str(rng.choice(MOTIONS)), rng.uniform())
        for _ in range(2):
            yield render_sprite(
                "person", seed, mesh, np.zeros((0, 3)), sample_place(rng, 1.0), sample_illumination(rng), rng
            )


_F32S = pa.list_(pa.float32())
SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("seed", pa.int64()),
        ("rgb", pa.binary()),
        ("alpha", pa.binary()),
        ("ground", pa.binary()),
        ("keypoints", _F32S),
        ("self_hidden", pa.list_(pa.bool_())),
        ("natural_px", pa.float32()),
        ("px_per_m", pa.float32()),
        ("sun", _F32S),
        ("sky", _F32S),
    ]
)


def encode_ground(ground: np.ndarray) -> bytes:
    """The illumination of the ground (G, G, 2) uint8."""
    return encoded_png(np.dstack([ground, ground[..., :1]]))


def decode_ground(data: bytes) -> np.ndarray:
    """The inverse of `encode_ground`."""
    return np.ascontiguousarray(decoded(data)[..., :2])


def sprite_row(sprite: Sprite) -> dict:
    """A sprite as SCHEMA's columns."""
    # Beside the mask its mean colour: JPEG then rings less along the outline.
    filled = np.where(sprite.alpha[..., None], sprite.rgb, sprite.rgb[sprite.alpha].mean(axis=0).astype(np.uint8))
    return {
        "kind": sprite.kind,
        "seed": sprite.seed,
        "rgb": encoded_jpeg(filled[..., ::-1], _QUALITY),
        "alpha": encoded_png(sprite.alpha.astype(np.uint8) * 255),
        "ground": encode_ground(sprite.ground),
        "keypoints": sprite.keypoints.reshape(-1),
        "self_hidden": sprite.self_hidden,
        "natural_px": sprite.natural_px,
        "px_per_m": sprite.px_per_m,
        "sun": sprite.sun,
        "sky": sprite.sky,
    }


def backdrop_rows(count: int, rng: np.random.Generator) -> Iterator[dict]:
    """So many albedo images of streets as SCHEMA's columns."""
    for _ in range(count):
        yield {"kind": BACKDROP, "seed": 0, "rgb": encoded_jpeg(sample_backdrop(rng)[..., ::-1], _QUALITY)}


@dataclass(frozen=True)
class VehicleLibrary:
    """What augmentation composes from: vehicles, people and backdrops (S, S, 3) uint8 albedo."""

    vehicles: Sequence[Sprite]
    people: Sequence[Sprite]
    backdrops: Sequence[np.ndarray]


def read_library(folder: Path) -> VehicleLibrary:
    """All shards of one split's folder, decoded into memory: about 60 kB a sprite.

    Raises FileNotFoundError where the folder holds no shard.
    """
    rows = read_rows(folder, "RenderVehicleCrops")
    backdrops = backdrops_of(rows)
    sprites = [sprite_of(row) for row in rows if row["kind"] != BACKDROP]
    return VehicleLibrary(
        [s for s in sprites if s.kind != "person"], [s for s in sprites if s.kind == "person"], backdrops
    )


def read_rows(folder: Path, task: str) -> list[dict]:
    """The rows of all shards of a folder; raises FileNotFoundError, which names the task, where there is none."""
    parts = sorted(folder.glob("part-*.parquet"))
    if not parts:
        raise FileNotFoundError(f"{folder}: no part-*.parquet there; run `luigi --module tasks {task}`")
    return [row for part in parts for row in read_table(part).to_pylist()]


def backdrops_of(rows: Sequence[dict]) -> list[np.ndarray]:
    """The backdrops (S, S, 3) uint8 albedo among rows."""
    return [decoded(row["rgb"], cv2.IMREAD_COLOR)[..., ::-1] for row in rows if row["kind"] == BACKDROP]


def sprite_of(row: dict) -> Sprite:
    """The inverse of `sprite_row`."""
    alpha = decoded(row["alpha"]) > 127
    return Sprite(
        row["kind"],
        row["seed"],
        decoded(row["rgb"], cv2.IMREAD_COLOR)[..., ::-1] * alpha[..., None],  # black beside it, as it was rendered
        alpha,
        decode_ground(row["ground"]),
        np.array(row["keypoints"], float).reshape(-1, 2),
        np.array(row["self_hidden"], bool),
        row["natural_px"],
        row["px_per_m"],
        np.array(row["sun"]),
        np.array(row["sky"]),
    )


def read_backdrops(folder: Path) -> list[np.ndarray]:
    """Square crops (SIZE_PX, SIZE_PX, 3) uint8 of the pictures in a folder, to stand beside the procedural backdrops.

    Raises ValueError where the folder holds no picture of at least SIZE_PX a side.
    """
    crops = []
    for path in sorted(folder.glob("*")):
        try:
            image = read_image(path)
        except (OSError, ValueError):
            continue
        rows, columns = (range(0, n - SIZE_PX + 1, SIZE_PX) for n in image.shape[:2])
        crops += [np.asarray(image)[y : y + SIZE_PX, x : x + SIZE_PX, ::-1] for y in rows for x in columns]
    if not crops:
        raise ValueError(f"{folder}: expected pictures of at least {SIZE_PX} px a side to use as backdrops, got none")
    return crops
