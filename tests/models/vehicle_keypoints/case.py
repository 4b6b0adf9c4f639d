"""Rendered vehicles of few shards, and composed pictures of two vehicles that nothing hides.

Of a half hidden vehicle the network hardly tells front from back, and may tell it otherwise in the mirror.
"""

import numpy as np
from contract_cases import Case

from models.contract import Given
from models.synthetic.plans import CropSettings, crop_jobs
from models.synthetic.vehicle_crops import Augmentation, composed
from models.synthetic.vehicle_shards import read_library
from models.vehicle_keypoints import KeypointSettings

CLEAR = Augmentation(occluded=0.0, truncated=0.0, least_px=120.0)


def pair(library, seed):
    """Two composed crops beside each other, BGR, and their boxes."""
    chosen = enumerate(library.vehicles[seed : seed + 2])
    one, other = (composed(sprite, library, CLEAR, np.random.default_rng([seed, n])) for n, sprite in chosen)
    height = max(one.image.shape[0], other.image.shape[0])
    padded = [np.pad(c.image, ((0, height - c.image.shape[0]), (0, 0), (0, 0))) for c in (one, other)]
    boxes = np.stack([one.box_xywh, other.box_xywh + [one.image.shape[1], 0, 0, 0]])
    return np.ascontiguousarray(np.hstack(padded)[..., ::-1]), boxes


def case(tmp_path_factory):
    """See `contract_cases.Case`."""
    folder = tmp_path_factory.mktemp("vehicle_keypoints")
    few = CropSettings(vehicles=4, views=2, val_vehicles=2, per_shard=4, fleet="plain")  # as the shipped weights know
    for render, jobs in crop_jobs(few, folder):
        for job in jobs:
            render(job)
    pictures, boxes = zip(*(pair(read_library(folder / "val"), seed) for seed in (1, 2)), strict=True)
    return Case(
        KeypointSettings(width=8),
        Given(data=folder),
        pictures,
        boxes,
        identities=lambda samples: {sprite.seed for sprite in samples.library.vehicles},
        lr=1e-2,
        steps=80,
        overfit=0.6,
        order=1e-3,
        mirror={"keypoints_2d": 4, "keypoint_score": 0.1, "keypoint_state": 0.2},
    )
