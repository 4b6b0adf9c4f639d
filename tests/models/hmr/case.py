"""Rendered people of few shards, and composed pictures of two people each."""

import numpy as np
from contract_cases import Case

from models.contract import Given
from models.hmr import HeadSettings, MeshSettings
from models.layers.settings import BackboneSettings
from models.synthetic.people_crops import compose_person
from models.synthetic.people_shards import read_people
from models.synthetic.plans import PeopleSettings, people_jobs

LARGE_PX = 100.0


def pair(library, seed):
    """Two composed crops of large people beside each other, BGR, and their boxes."""
    crops = (compose_person(library, np.random.default_rng([seed, n])) for n in range(100))
    one, other = (next(crop for crop in crops if crop.size_px > LARGE_PX) for _ in range(2))
    height = max(one.image.shape[0], other.image.shape[0])
    padded = [np.pad(c.image, ((0, height - c.image.shape[0]), (0, 0), (0, 0))) for c in (one, other)]
    boxes = np.stack([one.box_xywh, other.box_xywh + [one.image.shape[1], 0, 0, 0]])
    return np.ascontiguousarray(np.hstack(padded)[..., ::-1]), boxes


def shown(samples):
    """Bodies, poses and vehicles."""
    library = samples.library
    bodies, poses = ({("body", s.body) for s in library.people}, {s.theta.tobytes() for s in library.people})
    return bodies | poses | {("vehicle", sprite.seed) for sprite in library.vehicles}


def case(tmp_path_factory):
    """See `contract_cases.Case`."""
    folder = tmp_path_factory.mktemp("hmr")
    for render, jobs in people_jobs(PeopleSettings(people=2, views=2, val_people=1, vehicles=1, per_shard=2), folder):
        for job in jobs:
            render(job)
    pictures, boxes = zip(*(pair(read_people(folder, "val"), seed) for seed in (1, 2)), strict=True)
    settings = MeshSettings(
        BackboneSettings(height_px=64, dim=48, depth=2, heads=2, stem=8, drop_path=0.0),
        HeadSettings(dim=32, depth=2, heads=2, dim_head=16, mlp=64),
    )
    return Case(
        settings,
        Given(data=folder),
        pictures,
        boxes,
        identities=shown,
        order=1e-3,
        mirror={"keypoints_2d": 0.5, "keypoint_score": 0.01},
    )
