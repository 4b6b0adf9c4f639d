"""Light and shadow painted around a red box on a grey street: the street changes, the box does not."""

import cv2
import numpy as np
import pytest

from models.matting.cast_light import _beam, _mirrored, _shadow, with_cast_light

SEEDS = range(40)


def scene(h=80, w=90):
    mask = np.zeros((h, w), bool)
    mask[30:50, 30:60] = True
    image = np.full((h, w, 3), 100, np.float32)
    image[mask] = (30, 30, 200)
    return image, mask


def test_the_object_stays_as_it_was_and_the_street_changes():
    image, mask = scene()
    inside = cv2.erode(mask.astype(np.uint8), np.ones((7, 7))) > 0
    changes = 0
    for seed in SEEDS:
        lit, changed = with_cast_light(image, mask, np.random.default_rng(seed))
        np.testing.assert_allclose(lit[inside], image[inside], atol=0.5)
        assert 0 <= lit.min() and lit.max() <= 255 and not (changed & mask).any()
        assert (np.abs(lit - image).max(axis=2)[changed] > 15).all()
        changes += changed.any()
    assert changes > len(SEEDS) / 2


def test_a_shadow_takes_light_where_the_silhouette_lies_and_a_beam_gives_it_beside():
    _, mask = scene()
    sides = {-1: 0, 1: 0}
    for seed in SEEDS:
        left, gain = (part(mask, np.random.default_rng(seed)) for part in (_shadow, _beam))
        assert (left <= 1 + 1e-6).all() and left.min() < 0.95 and (gain >= 1).all()
        assert left[50, 35:55].mean() < 0.99, "right below the object it is dark"
        columns = np.flatnonzero(gain.max(axis=(0, 2)) > 1.1)
        if len(columns):
            sides[1 if columns.mean() > 45 else -1] += 1
    assert min(sides.values()) > 5


def test_a_wet_road_shows_the_object_upside_down_below_it():
    image, mask = scene()
    image[30:40, 30:60] = (250, 30, 30)  # a blue roof
    wet = _mirrored(image, image, mask, np.random.default_rng(0))
    change = wet - image
    assert not change[:41].any()
    red, blue = change[50:60, 45, 2].mean(), change[66:70, 45, 0].mean()
    assert red > 3 and blue > 3, "red next to the wheels, the roof's blue farther down"
    assert change[70 + 9 :, 45].max(initial=0) <= 3


@pytest.mark.parametrize("rows", [slice(0, 3), slice(77, 80), slice(0, 80)])
def test_objects_at_the_border_are_painted_too(rows):
    image, mask = scene()
    mask[:] = False
    mask[rows, 40:44] = True
    for seed in SEEDS:
        lit, _ = with_cast_light(image, mask, np.random.default_rng(seed))
        assert lit.shape == image.shape and np.isfinite(lit).all()


def test_where_there_is_no_object_nothing_is_painted():
    image, mask = scene()
    lit, changed = with_cast_light(image, np.zeros_like(mask), np.random.default_rng(0))
    assert lit is image and not changed.any()
