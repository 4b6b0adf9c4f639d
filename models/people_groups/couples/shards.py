"""One shard of couples: rows of `models.people_groups.store`, a pure function of the job's seed and number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.people_groups.couples.plan import CoupleJob
from models.people_groups.couples.render import dressed, picture_of_couple
from models.people_groups.couples.sample import sample_couple
from models.people_groups.picture import GroupPicture
from models.people_groups.store import SCHEMA, STORED, row_of
from models.synthetic.photograph import encoded_jpeg
from models.synthetic.scenery import sample_backdrop
from models.synthetic.vehicle_shards import write_shard

_BACKDROPS = 6  # of a shard
_QUALITY = 90


def render_couples(job: CoupleJob) -> int:
    """Render one shard of couples and write it; its number of pictures."""
    return write_shard(job, SCHEMA, lambda rng: _rows(job, rng))


def _rows(job: CoupleJob, rng: np.random.Generator) -> Iterator[dict]:
    backdrops = [sample_backdrop(rng) for _ in range(_BACKDROPS)]
    for number in range(job.count):
        sampled = sample_couple(job.split, rng)
        couple = dressed(sampled.couple, sampled.identities, rng)
        key = job.index * 1000 + number
        for view in range(job.views):
            image, people = picture_of_couple(couple, backdrops, rng)
            name = f"{job.split}/{key:06d}/{view:02d}"
            picture = GroupPicture(name, image.shape[:2], people, STORED, image.copy, job.split, sampled.motion)
            jpeg = encoded_jpeg(image[..., ::-1], _QUALITY)
            yield row_of(picture, jpeg, key, 1000 * sampled.couple.depth_m)
