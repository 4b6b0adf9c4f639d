"""A network small enough to train within a test, and samples of it."""

import pytest
import torch
from carfusion_files import write_carfusion
from torch.utils.data import default_collate

from models.occlusion_net import OcclusionNetSettings
from models.occlusion_net.data import RenderedViews


@pytest.fixture(scope="session")
def tiny():
    """Settings of it."""
    return OcclusionNetSettings(width=8, hidden=16)


@pytest.fixture(scope="session")
def batch(car_views):
    """Six samples."""
    samples = RenderedViews(car_views, seed=3)
    return default_collate([samples[i] for i in range(6)])


@pytest.fixture
def carfusion(tmp_path):
    """A video of car_butler1, two of one object of car_craig1 and one of car_penn1, which is CarFusion's for the test;
    greys 150, 90 and 120, and 210."""
    root = tmp_path / "carfusion"
    write_carfusion(root, "car_butler1", 1, 1400.0, grey=150)
    write_carfusion(root, "car_craig1", 1, 1400.0, grey=90)
    write_carfusion(root, "car_craig1", 2, 900.0, grey=120)
    write_carfusion(root, "car_penn1", 1, 1400.0, grey=210)
    return root


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
