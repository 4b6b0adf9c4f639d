import numpy as np
import pytest

from pipeline.mining.plausibility import fullness, notch


def test_hollows_and_holes_are_measured() -> None:
    block = np.ones((20, 40), bool)
    assert fullness(block) == (pytest.approx(1.0, abs=0.02), 0.0)
    corner = block.copy()
    corner[:10, :20] = False  # an L: its hull loses half the missing quarter
    assert fullness(corner)[0] == pytest.approx(600 / 700, abs=0.02)
    ring = block.copy()
    ring[5:15, 10:30] = False
    assert fullness(ring)[1] == pytest.approx(0.25, abs=0.01)
    assert fullness(np.zeros((3, 3), bool)) == (0.0, 0.0)


@pytest.mark.parametrize(("depth", "expected"), [(0, 0.0), (10, 0.25), (20, 0.5)])
def test_a_notch_is_measured_against_the_size(depth: int, expected: float) -> None:
    crop = np.ones((40, 40), bool)
    crop[:depth, 18:22] = False
    assert notch(crop) == pytest.approx(expected, abs=0.04)
