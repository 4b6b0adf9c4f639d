import pytest
from cards import write_camera


@pytest.fixture(scope="session")
def camera_dir(tmp_path_factory):
    """A camera that sees cards."""
    return write_camera(tmp_path_factory.mktemp("data") / "cards", frames=12)
