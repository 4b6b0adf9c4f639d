"""A network small enough to train within a test."""

import pytest

from models.hmr.head import HeadSettings
from models.hmr.network import NetworkSettings
from models.layers.vit import BackboneSettings


@pytest.fixture(scope="session")
def small():
    """Settings of a network that learns a batch within seconds."""
    return NetworkSettings(
        BackboneSettings(height_px=64, dim=48, depth=2, heads=2, stem=8, drop_path=0.0),
        HeadSettings(dim=32, depth=2, heads=2, dim_head=16, mlp=64),
    )
