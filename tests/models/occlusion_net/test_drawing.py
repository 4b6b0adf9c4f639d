"""Vehicles drawn where they are, and states that are told without colour."""

from dataclasses import replace

import numpy as np
import pytest
from models.occlusion_net.drawing import LEAST_PX, LINKS, drawn, overlay
from models.occlusion_net.predict import Vehicles

BOX = np.array([[20.0, 10, 100, 60]])
GREY = np.full((90, 140, 3), 90, np.uint8)


@pytest.fixture
def vehicle():
    """One whose keypoints lie apart along a line, every other one seen, and whose wireframe is a single place."""
    xy = np.stack([np.linspace(28, 112, 12), np.full(12, 50.0)], axis=1)[None]
    seen = (np.arange(12) % 2 == 0).astype(float)[None]
    wire = np.full((1, 12, 2), (70.0, 20.0))
    nothing = (np.zeros((1, *shape)) for shape in ((12, 3), (4,), (3,), ()))
    return Vehicles(xy, seen, seen, wire, *nothing)


def test_links_join_every_keypoint_and_are_mirror_symmetric():
    assert {k for link in LINKS for k in link} == set(range(12))
    links = {frozenset(link) for link in LINKS}
    assert {frozenset((a ^ 1, b ^ 1)) for a, b in LINKS} == links and len(links) == 18


@pytest.mark.parametrize("zoom", [1, 3])
def test_visible_keypoints_are_discs_and_hidden_ones_rings(vehicle, zoom):
    picture = drawn(GREY, BOX, vehicle, zoom)
    assert picture.shape == (90 * zoom, 140 * zoom, 3)
    for (x, y), seen in zip(vehicle.xy[0], vehicle.visible[0], strict=True):
        column, row = round(zoom * (x + 0.5) - 0.5), round(zoom * (y + 0.5) - 0.5)
        filled = (picture[row, column] != 90).any()
        around = picture[row - 9 : row + 10, column - 3 : column + 4]
        assert filled == bool(seen) and (around != 90).any()


def test_of_a_small_vehicle_the_box_alone_is_drawn(vehicle):
    small = np.array([[60.0, 40, LEAST_PX - 1, 15]])
    picture = drawn(GREY, small, vehicle)
    changed = (picture != GREY).any(axis=2)
    assert changed[40, 60:80].all() and changed[40:54, 60].all()
    assert changed.sum() == 2 * (LEAST_PX - 1 + 15) - 4  # a frame of one pixel
    again = drawn(GREY, small, replace(vehicle, xy=vehicle.xy + 5))
    assert np.array_equal(again, picture)


def test_without_a_vehicle_the_picture_stays_and_a_small_one_is_enlarged(vehicle):
    nobody = Vehicles(*(values[:0] for values in vars(vehicle).values()))
    assert np.array_equal(drawn(GREY, BOX[:0], nobody), GREY)
    shown = overlay(GREY, BOX[:0], nobody)
    assert shown.shape[1] == 7 * 140 and 7 * 90 < shown.shape[0] < 7 * 90 + 40
    assert (shown[: 7 * 90] == 90).all() and len(np.unique(shown[7 * 90 :].reshape(-1, 3), axis=0)) > 3
