"""Rendered vehicles and people to compose crops of, a camera that sees cards, and one that sees a projected car."""

import numpy as np
import pytest
from cards import write_camera
from drives import drive_past, write_drive

from models.synthetic.car_views import read_views
from models.synthetic.people_shards import read_people
from models.synthetic.plans import CarViewSettings, CropSettings, PeopleSettings, crop_jobs, people_jobs, view_jobs
from models.synthetic.vehicle_shards import read_library


def _rendered(jobs):
    for render, shards in jobs:
        for shard in shards:
            render(shard)


@pytest.fixture(scope="session")
def camera_dir(tmp_path_factory):
    """A camera that sees cards."""
    return write_camera(tmp_path_factory.mktemp("data") / "cards", frames=12)


@pytest.fixture(scope="session")
def small_views():
    """Six vehicles in all, four views each."""
    return CarViewSettings(vehicles=2, val_vehicles=1, test_vehicles=2, unseen_vehicles=1, views=4, per_shard=5)


@pytest.fixture(scope="session")
def views_folder(small_views, tmp_path_factory):
    """Shards of every split."""
    folder = tmp_path_factory.mktemp("car_views")
    _rendered(view_jobs(small_views, folder))
    return folder


@pytest.fixture(scope="session")
def car_views(views_folder):
    """The training split."""
    return read_views(views_folder / "train")


@pytest.fixture(scope="session")
def people_folder(tmp_path_factory):
    """Shards of two people in four poses for training, of one for validation, and of one vehicle."""
    folder = tmp_path_factory.mktemp("people")
    settings = PeopleSettings(people=2, views=4, val_people=1, vehicles=1, per_shard=2)
    _rendered(people_jobs(settings, folder))
    return folder


@pytest.fixture(scope="session")
def people_library(people_folder):
    """What the training shards hold."""
    return read_people(people_folder, "train")


@pytest.fixture(scope="session")
def crops_folder(tmp_path_factory):
    """Shards of six vehicles in three views each for training, and of three for validation."""
    folder = tmp_path_factory.mktemp("crops")
    _rendered(crop_jobs(CropSettings(vehicles=6, views=3, val_vehicles=3, per_shard=6), folder))
    return folder


@pytest.fixture(scope="session")
def library(crops_folder):
    """What the training shards hold."""
    return read_library(crops_folder / "train")


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def passing():
    """A projected car at seven moments: see drives.py."""
    return drive_past()


@pytest.fixture
def drive_folder(tmp_path, passing):
    """A camera's folder of it."""
    return write_drive(tmp_path, passing)
