"""A few people to compose crops of, and a network small enough to train within a test."""

import numpy as np
import pytest

from models.hmr.head import HeadSettings
from models.hmr.network import NetworkSettings
from models.layers.vit import BackboneSettings
from models.synthetic.people_plan import PeopleSettings, plan_people, plan_vehicles
from models.synthetic.people_shards import draw_shard, read_people
from models.synthetic.vehicle_shards import draw_shard as draw_vehicles


@pytest.fixture(scope="session")
def small():
    """Settings of a network that learns a batch within seconds."""
    return NetworkSettings(
        BackboneSettings(height_px=64, dim=48, depth=2, heads=2, stem=8, drop_path=0.0),
        HeadSettings(dim=32, depth=2, heads=2, dim_head=16, mlp=64),
    )


@pytest.fixture(scope="session")
def people_folder(tmp_path_factory):
    """Shards of two people in four poses for training, of one for validation, and of one vehicle."""
    folder = tmp_path_factory.mktemp("people")
    settings = PeopleSettings(people=2, views=4, val_people=1, vehicles=1, per_shard=2)
    for job in plan_people(settings, folder):
        draw_shard(job)
    for job in plan_vehicles(settings, folder):
        draw_vehicles(job)
    return folder


@pytest.fixture(scope="session")
def people_library(people_folder):
    """What the training shards hold."""
    return read_people(people_folder, "train")


@pytest.fixture
def rng():
    return np.random.default_rng(11)
