from dataclasses import replace

import numpy as np
import pytest

from models.synthetic.canvas import Canvas, lay_street, resized, resized_wh, street_crop
from models.synthetic.sprites import SIDE_PX

SIDE = 40


def small_canvas():
    """A grey street with a 20 x 10 thing at 10, 15 that covers its place wholly."""
    own = np.zeros((SIDE, SIDE), np.float32)
    own[15:25, 10:30] = 1
    picture = np.full((SIDE, SIDE, 3), 90, np.float32)
    return Canvas(picture, own, np.zeros_like(own), 1.0, np.array([10, 15]), np.array([20, 10]))


def test_what_is_pasted_covers_what_lies_there_and_ends_at_the_border():
    canvas = small_canvas()
    alpha = np.full((10, 10), 0.5, np.float32)
    canvas.paste(np.full((10, 10, 3), 100, np.float32), alpha, np.array([-4, 35]), canvas.front)
    assert (canvas.picture[35:, :6] == 0.5 * 90 + 100).all() and (canvas.front[35:, :6] == 0.5).all()
    assert canvas.front.sum() == 0.5 * 5 * 6 and (canvas.picture[:35] == 90).all()
    canvas.paste(np.zeros((10, 10, 3), np.float32), alpha, np.array([SIDE, 0]))  # wholly outside
    assert (canvas.picture[:35] == 90).all()


@pytest.mark.parametrize(("width", "kept"), [(11, True), (13, False)])
def test_what_hides_too_much_is_taken_back(width, kept):
    canvas = small_canvas()
    with canvas.unless_hidden(0.4):
        canvas.paste(np.zeros((SIDE, width, 3)), np.ones((SIDE, width)), np.array([10, 0]), canvas.front)
    assert canvas.front.any() == kept and (canvas.picture[20, 12] == (0 if kept else 90)).all()


def test_without_jitter_the_box_is_that_of_the_mask_or_of_what_is_seen(rng):
    canvas = small_canvas()
    canvas.front[:, :18] = 1
    frame = np.array([0, 0, 26, SIDE])
    found = {tuple(canvas.box(frame, 0.0, 0.1, rng).tolist()) for _ in range(30)}
    assert found == {(10, 15, 16, 10), (18, 15, 8, 10)}


def test_the_developed_part_is_black_beyond_the_frame(rng):
    canvas = small_canvas()
    image, low = canvas.developed(np.array([-99, -99, 25, 999]), np.array([20.0, 20.0]), 12.0, 0.2, rng)
    assert low.tolist() == [8, 8] and image.shape == (24, 24, 3)
    assert (image[:, 17:] == 0).all() and image[:, :17].mean() > 30


def test_the_street_is_illuminated_as_the_sprite_is_and_dark_in_its_shadow(library):
    """Where no light reaches the ground the picture is black, and far from the sprite it is not."""
    sprite, rng = library.vehicles[0], np.random.default_rng(0)
    street = np.full((64, 64, 3), 120, np.uint8)
    dark = replace(sprite, ground=np.zeros_like(sprite.ground))
    canvas = lay_street(dark, SIDE_PX, 2.5, 0.5, street, rng)
    assert canvas.picture.shape == (220, 220, 3) and (canvas.size_wh == resized_wh(sprite.rgba, 0.5)).all()
    x, y = canvas.corner + canvas.size_wh // 2
    assert (canvas.picture[y, x] == 0).all() and (canvas.picture[:4] > 5).all()
    assert not canvas.own.any() and not canvas.front.any()


def test_a_street_crop_is_no_smaller_than_asked(rng):
    backdrop = np.arange(100 * 100 * 3, dtype=np.uint32).reshape(100, 100, 3)
    for _ in range(50):
        crop = street_crop([backdrop], 30, rng)
        assert 30 <= crop.shape[0] == crop.shape[1] < 100


def test_a_sprite_keeps_its_coverage_when_it_shrinks(library):
    rgba = library.vehicles[0].rgba
    _, alpha = resized(rgba, resized_wh(rgba, 0.5))
    assert alpha.mean() == pytest.approx((rgba[..., 3] > 0).mean(), abs=0.01)
