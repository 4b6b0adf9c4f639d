"""The training pictures on disk: Parquet shards of people and backdrops, each a pure function of seed and number.

Rows are sprites (`models.synthetic.people_sprites.PersonSprite`) or, without theta, albedo images of streets. Sprites
and the illumination of the ground are PNG, backdrops JPEG. Vehicles to compose with lie beside them, as
vehicle crops have them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from models.body_model.points import POINTS
from models.poses import sample_poses
from models.synthetic.people_sprites import PersonSprite, render_person
from models.synthetic.photograph import decoded, encoded_jpeg, encoded_png
from models.synthetic.plans import POSES, PeopleJob
from models.synthetic.scenery import sample_backdrop
from models.synthetic.sprites import Sprite
from models.synthetic.vehicle_shards import (
    decode_ground,
    encode_ground,
    read_library,
    read_rows,
    write_shard,
)
from pipeline.core.skeletons import SMPL_24
from pipeline.simulate.people.person import body_count, dress

# None of these bodies walks in the simulated street.
BODIES = Path(__file__).parents[1] / "body_model" / "training_people.npz"
_VAL_EVERY = 8  # one body in so many is kept for validation
_BACKDROPS = 6  # of a shard
_QUALITY = 92


def render_people(job: PeopleJob) -> int:
    """Render one shard of people and backdrops and write it; its number of rows."""
    return write_shard(job, SCHEMA, lambda rng: _people_rows(job, rng))


def _people_rows(job: PeopleJob, rng: np.random.Generator) -> Iterator[dict]:
    yield from map(_person_row, _rendered_people(job, rng))
    for _ in range(_BACKDROPS):
        yield {"rgba": encoded_jpeg(sample_backdrop(rng)[..., ::-1], _QUALITY)}


def bodies_of(split: str) -> np.ndarray:
    """Which of the baked bodies a split shows."""
    every = np.arange(body_count(BODIES))
    return every[(every % _VAL_EVERY == _VAL_EVERY - 1) == (split == "val")]


def _rendered_people(job: PeopleJob, rng: np.random.Generator) -> Iterator[PersonSprite]:
    theta, _ = sample_poses(rng, job.count * job.views, POSES[job.split])
    for number in range(job.count):
        person = dress(int(rng.choice(bodies_of(job.split))), BODIES, rng)
        for pose in theta[number * job.views : (number + 1) * job.views]:
            yield render_person(person, pose, rng)


_F32S = pa.list_(pa.float32())
_LISTS = {"theta": (len(SMPL_24), 3), "points_3d": (POINTS, 3), "points_2d": (POINTS, 2), "sun": (3,), "sky": (3,)}
_NUMBERS = ("focal_px", "natural_px", "px_per_m")
SCHEMA = pa.schema(
    [("rgba", pa.binary()), ("ground", pa.binary()), ("body", pa.int16())]
    + [(name, _F32S) for name in _LISTS]
    + [(name, pa.float32()) for name in _NUMBERS]
)


def _person_row(sprite: PersonSprite) -> dict:
    return {
        "rgba": encoded_png(sprite.rgba),
        "ground": encode_ground(sprite.ground),
        "body": sprite.body,
        **{name: getattr(sprite, name).reshape(-1) for name in _LISTS},
        **{name: getattr(sprite, name) for name in _NUMBERS},
    }


class People(Sequence[PersonSprite]):
    """Rows of sprites, decoded when asked for: about 12 kB each in memory instead of 30."""

    def __init__(self, rows: Sequence[dict]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index):
        row = self.rows[index]
        values: dict[str, Any] = {name: np.array(row[name], float).reshape(shape) for name, shape in _LISTS.items()}
        ground = decode_ground(row["ground"])
        values |= {name: row[name] for name in (*_NUMBERS, "body")}
        return PersonSprite(rgba=decoded(row["rgba"]), ground=ground, **values)


@dataclass(frozen=True)
class PeopleLibrary:
    """What augmentation composes from: people, vehicles and backdrops (S, S, 3) uint8 RGB albedo."""

    people: Sequence[PersonSprite]
    vehicles: Sequence[Sprite]
    backdrops: Sequence[np.ndarray]


def read_people(folder: Path, split: str) -> PeopleLibrary:
    """All shards of one split in the folder that RenderPeopleCrops wrote.

    Raises FileNotFoundError where there is no shard.
    """
    rows = read_rows(folder / split, "RenderPeopleCrops")
    scenery = read_library(folder / "vehicles" / split)
    backdrops = [decoded(row["rgba"])[..., ::-1] for row in rows if row["theta"] is None]
    return PeopleLibrary(
        People([r for r in rows if r["theta"] is not None]), scenery.vehicles, [*backdrops, *scenery.backdrops]
    )
