import pytest
from house import House


@pytest.fixture
def house(tmp_path):
    """Manifests, data and footage of its own for a test."""
    return House(tmp_path)
