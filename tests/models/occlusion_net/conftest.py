"""A few views of a few vehicles to compose crops of."""

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from models.occlusion_net.car_views import draw_shard, read_views
from models.occlusion_net.data import RenderedViews
from models.occlusion_net.plan import CarViewSettings, plan_views

SMALL = CarViewSettings(vehicles=2, val_vehicles=1, test_vehicles=2, unseen_vehicles=1, views=4, per_shard=5)


@pytest.fixture(scope="session")
def views_folder(tmp_path_factory):
    """Shards of every split: five vehicles in all, four views each."""
    folder = tmp_path_factory.mktemp("car_views")
    for job in plan_views(SMALL, folder):
        draw_shard(job)
    return folder


@pytest.fixture(scope="session")
def car_views(views_folder):
    """The training split."""
    return read_views(views_folder / "train")


@pytest.fixture(scope="session")
def batch(car_views):
    """Six samples."""
    samples = RenderedViews(car_views, seed=3)
    return default_collate([samples[i] for i in range(6)])


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
