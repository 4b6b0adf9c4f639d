"""A network small enough to train within a test, and batches of its pictures."""

import pytest
import torch

from models.hmr import HeadSettings, MeshSettings
from models.layers.settings import BackboneSettings


@pytest.fixture(scope="session")
def small():
    """Settings of a network that learns a batch within seconds."""
    return MeshSettings(
        BackboneSettings(height_px=64, dim=48, depth=2, heads=2, stem=8, drop_path=0.0),
        HeadSettings(dim=32, depth=2, heads=2, dim_head=16, mlp=64),
    )


@pytest.fixture(scope="session")
def pictures():
    """Of a count, and of facings (N, 3) where they are known, a batch of noise as the small network takes it."""

    def made(count, facing=None):
        image = torch.randint(0, 256, (count, 3, 64, 48), dtype=torch.uint8)
        return {"image": image, "facing": torch.zeros(count, 3) if facing is None else facing}

    return made
