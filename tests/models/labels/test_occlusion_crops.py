"""What a crop holds: the object in its middle at one scale, its mask, and where the frame ends."""

import numpy as np
import pytest
from chance import examples
from hypothesis import given
from hypothesis import strategies as st

from models.labels.occlusion import BEYOND, INPUT_PX, OBJECT, STORED_PX, STREET, crop_of, middle


def scene(x, y, w, h, hw=(200, 300)):
    image = np.full((*hw, 3), 90, np.uint8)
    image[y : y + h, x : x + w] = (10, 20, 250)
    return image, np.ones((h, w), bool), (x, y)


@pytest.mark.parametrize("longer", [12, 48, 96])
def test_the_longer_side_fills_half_of_the_crop_whatever_its_size(longer):
    crop = crop_of(*scene(100, 60, longer, longer // 2))
    assert crop.shape == (STORED_PX, STORED_PX, 4)
    inside = crop[..., 3] > (OBJECT + STREET) / 2
    rows, columns = np.nonzero(inside)
    assert np.ptp(columns) + 1 == pytest.approx(STORED_PX / 2, abs=2)
    assert np.ptp(rows) + 1 == pytest.approx(STORED_PX / 4, abs=2)
    assert abs(columns.mean() - (STORED_PX - 1) / 2) < 1.5 and abs(rows.mean() - (STORED_PX - 1) / 2) < 1.5
    core = crop[..., 3] == OBJECT
    assert (crop[core][:, :3] == (10, 20, 250)).all()


def test_at_the_scale_of_the_crop_every_pixel_is_the_frames_own():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)
    mask = rng.random((48, 30)) > 0.3
    crop = crop_of(image, mask, (101, 77))
    left, top = 101 + (30 - 96) // 2, 77 + (48 - 96) // 2
    assert (crop[..., :3] == image[top : top + 96, left : left + 96]).all()
    assert ((crop[..., 3] == OBJECT).sum(), (crop[..., 3] == STREET).sum()) == (mask.sum(), 96 * 96 - mask.sum())


def test_beyond_the_frame_is_marked_and_black():
    crop = crop_of(*scene(0, 100, 20, 48))  # the crop begins 38 pixels left of the frame
    assert (crop[:, :38, 3] == BEYOND).all() and (crop[:, :38, :3] == 0).all()
    assert (crop[:, 38:, 3] >= STREET).all()


@examples(30)
@given(st.integers(0, 2**32 - 1), st.integers(4, 60), st.integers(4, 60))
def test_a_mirrored_scene_gives_the_mirrored_crop(seed, w, h):
    w, h = 2 * w, 2 * h  # so that the crop has a middle
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (160, 200, 3), dtype=np.uint8)
    mask = rng.random((h, w)) > 0.5
    mask[0, 0] = True
    x, y = int(rng.integers(0, 200 - w + 1)), int(rng.integers(0, 160 - h + 1))
    one = crop_of(image, mask, (x, y)).astype(int)
    two = crop_of(np.ascontiguousarray(image[:, ::-1]), mask[:, ::-1], (200 - x - w, y)).astype(int)
    assert np.abs(one - two[:, ::-1]).max() <= 1


@pytest.mark.parametrize(("mask", "xy"), [(np.zeros((4, 4), bool), (9, 9)), (np.ones((4, 4), bool), (297, 9))])
def test_a_mask_without_a_pixel_or_outside_its_frame_is_refused(mask, xy):
    with pytest.raises(ValueError, match="expected a mask with a pixel, inside its frame 300x200"):
        crop_of(np.zeros((200, 300, 3), np.uint8), mask, xy)


def test_the_network_sees_the_middle():
    crops = np.arange(2 * STORED_PX * STORED_PX * 4, dtype=np.uint8).reshape(2, STORED_PX, STORED_PX, 4)
    seen = middle(crops)
    assert seen.shape == (2, INPUT_PX, INPUT_PX, 4)
    assert (seen[:, 0, 0] == crops[:, 12, 12]).all() and (seen[:, -1, -1] == crops[:, -13, -13]).all()
