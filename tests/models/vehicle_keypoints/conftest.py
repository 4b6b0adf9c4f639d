"""A few sprites to compose crops of."""

import numpy as np
import pytest

from models.synthetic.vehicle_plan import CropSettings, plan_shards
from models.synthetic.vehicle_shards import draw_shard, read_library


@pytest.fixture(scope="session")
def crops_folder(tmp_path_factory):
    """Shards of six vehicles in three views each for training, and of three for validation."""
    folder = tmp_path_factory.mktemp("crops")
    for job in plan_shards(CropSettings(vehicles=6, views=3, val_vehicles=3, per_shard=6), folder):
        draw_shard(job)
    return folder


@pytest.fixture(scope="session")
def library(crops_folder):
    """What the training shards hold."""
    return read_library(crops_folder / "train")


@pytest.fixture
def rng():
    return np.random.default_rng(11)
