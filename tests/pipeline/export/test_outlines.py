"""Outlines give the very mask again under COCO's rules, with holes, in parts, and as one ring."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from pipeline.core import masks
from pipeline.export.shared.outlines import coco_polygons, one_ring, polygons, rings

SIZE = (17, 23)
MASKS = st.one_of(
    hnp.arrays(bool, SIZE),
    hnp.arrays(bool, (6, 8)).map(lambda small: np.kron(small, np.ones((2, 2), bool))[: SIZE[0], : SIZE[1]]),
)


def encoded(mask):
    whole = np.zeros(SIZE, bool)
    whole[: mask.shape[0], : mask.shape[1]] = mask
    return whole, masks.encode(whole, (0, 0), SIZE)


@given(MASKS)
def test_polygons_fill_to_the_mask(mask):
    whole, rle = encoded(mask)
    found = coco_polygons(rle, SIZE)
    again = coco.decode(coco.merge(coco.frPyObjects(found, *SIZE))) if found else np.zeros(SIZE, bool)
    assert np.array_equal(again, whole)


@given(MASKS)
def test_one_ring_fills_to_the_mask(mask):
    whole, rle = encoded(mask)
    ring = one_ring(rle, SIZE)
    again = coco.decode(coco.frPyObjects([ring.ravel().tolist()], *SIZE))[..., 0] if len(ring) else np.zeros(SIZE)
    assert np.array_equal(again, whole)


@given(MASKS)
def test_parts_have_no_holes_and_the_masks_area(mask):
    whole, rle = encoded(mask)
    assert sum(map(_area, rings(rle, SIZE))) == pytest.approx(whole.sum())
    assert sum(one.area for one in polygons(rle, SIZE)) == whole.sum()


def _area(ring):
    (x, y), (x1, y1) = ring.T, np.roll(ring, -1, axis=0).T
    return 0.5 * abs((x * y1 - x1 * y).sum())


def test_a_frame_with_a_hole_has_the_corners_that_one_would_draw():
    mask = np.zeros(SIZE, bool)
    mask[2:8, 3:10] = True
    (square,) = rings(masks.encode(mask, (0, 0), SIZE), SIZE)
    assert sorted(map(tuple, square)) == [(3, 2), (3, 8), (10, 2), (10, 8)]
    mask[4:6, 5:7] = False
    assert len(polygons(masks.encode(mask, (0, 0), SIZE), SIZE)) == 1
    assert len(rings(masks.encode(mask, (0, 0), SIZE), SIZE)) > 1


def test_nothing_has_no_outline():
    empty = masks.encode(np.zeros((0, 0), bool), (0, 0), SIZE)
    assert coco_polygons(empty, SIZE) == [] and one_ring(empty, SIZE).shape == (0, 2)
