"""Car-render of few vehicles, and composed pictures of two of them each.

Of a half hidden vehicle the network hardly tells front from back, and may tell it otherwise in the mirror.
"""

import numpy as np
from contract_cases import Case

from models.contract import Given
from models.occlusion_net import OcclusionNetSettings
from models.synthetic.car_views import read_views
from models.synthetic.plans import CarViewSettings, view_jobs
from models.synthetic.vehicle_crops import Augmentation, composed

CLEAR = Augmentation(occluded=0.0, truncated=0.0, least_px=120.0)


def pair(views, numbers):
    """Two composed crops beside each other, BGR, and their boxes."""
    one, other = (composed(views.views[n].sprite, views.library, CLEAR, np.random.default_rng([7, n])) for n in numbers)
    height = max(one.image.shape[0], other.image.shape[0])
    padded = [np.pad(c.image, ((0, height - c.image.shape[0]), (0, 0), (0, 0))) for c in (one, other)]
    boxes = np.stack([one.box_xywh, other.box_xywh + [one.image.shape[1], 0, 0, 0]])
    return np.ascontiguousarray(np.hstack(padded)[..., ::-1]), boxes


def shown(samples):
    """The vehicles: Kept and mixed samples show those of what they are made of."""
    views = getattr(samples, "samples", samples).views
    return {view.points.tobytes() for view in views} | {view.sprite.seed for view in views}


def case(tmp_path_factory):
    """See `contract_cases.Case`."""
    folder = tmp_path_factory.mktemp("occlusion_net")
    counts = {"vehicles": 2, "val_vehicles": 1, "test_vehicles": 1, "unseen_vehicles": 1}
    few = CarViewSettings(**counts, views=4, per_shard=5, fleet="plain")  # as the shipped weights know them
    for render, jobs in view_jobs(few, folder):
        for job in jobs:
            render(job)
    val = read_views(folder / "val")
    pictures, boxes = zip(*(pair(val, numbers) for numbers in ((0, 1), (2, 3))), strict=True)
    return Case(
        OcclusionNetSettings(width=8, hidden=16),
        Given(data=folder),
        pictures,
        boxes,
        identities=shown,
        lr=1e-2,
        steps=80,
        overfit=0.6,
        order=1e-3,
        mirror={"keypoints_2d": 6, "keypoint_score": 0.1, "keypoint_state": 0.2},
    )
