import numpy as np
import pytest

from models.synthetic.photograph import photographed


def test_a_camera_changes_tones_not_places(rng):
    """A bright square on dark stays a bright square there, whatever the camera does to it."""
    image = np.full((80, 80, 3), 40, np.uint8)
    image[30:60, 20:50] = 200
    for _ in range(40):
        taken = photographed(image, 1.0, rng).astype(float).mean(axis=2)
        assert taken.shape == (80, 80)
        assert taken[36:54, 26:44].mean() > taken[:20].mean() + 15
        inside = taken > 0.5 * (taken[36:54, 26:44].mean() + taken[:20].mean())
        ys, xs = np.nonzero(inside)
        assert [np.median(xs), np.median(ys)] == pytest.approx([34.5, 44.5], abs=1.5)
