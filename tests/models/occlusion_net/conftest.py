"""A network small enough to train within a test, and samples of it."""

import pytest
import torch
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


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
