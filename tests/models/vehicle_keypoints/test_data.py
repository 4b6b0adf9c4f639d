import pytest

from models.metrics.keypoints import pck_radius_cells
from models.vehicle_keypoints.data import RenderedCrops


def test_the_same_number_gives_the_same_crop_and_another_one_another(library):
    first, second = RenderedCrops(library, 3), RenderedCrops(library, 3)
    for index in (0, 1, 10**9):
        a, b = first[index], second[index]
        assert all((a[name] == b[name]).all() for name in a)
    assert (first[0]["image"] != first[1]["image"]).any()
    assert (first[0]["image"] != RenderedCrops(library, 4)[0]["image"]).any()


def test_a_sample_is_what_the_network_declares(library):
    sample = RenderedCrops(library, 0)[5]
    assert sample["image"].shape == (3, 128, 128) and sample["image"].dtype.is_floating_point is False
    assert sample["cells"].shape == (12, 2) and sample["state"].shape == (12,)
    assert sample["radius"].item() == pytest.approx(pck_radius_cells()) == pytest.approx(2.56)
