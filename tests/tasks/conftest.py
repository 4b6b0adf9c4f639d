import pytest
from house import House
from street import CALIBRATION, JOB, TEN, write_street


@pytest.fixture
def house(tmp_path):
    """Manifests, data and footage of its own for a test."""
    return House(tmp_path)


@pytest.fixture(scope="session")
def street(tmp_path_factory):
    """A house whose street of boxes has been through the whole job, and what the job said."""
    house = House(tmp_path_factory.mktemp("street"))
    write_street(house.folder / "street.avi")
    source = {"kind": "video", "path": "../street.avi", "start": "2025-06-03T12:00:00"}
    house.camera("street", source, calibration=CALIBRATION)
    code, out, lines = house.luigi(*JOB, *TEN)
    assert code == 0, lines
    house.said = out
    return house
