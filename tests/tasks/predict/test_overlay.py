"""Objects drawn where they are, and states that are told without colour."""

import numpy as np
import pytest

from pipeline.core import masks
from pipeline.core.instances import Instances
from pipeline.core.skeletons import VEHICLE_12
from tasks.predict.overlay import LEAST_PX, overlay, visualise

GREY = np.full((90, 140, 3), 90, np.uint8)
BOX = [20.0, 10, 100, 60]


def vehicles(box=BOX, shift=0.0, **more):
    """One whose keypoints lie apart along a line, every other one seen, and whose wireframe is a single place."""
    xy = np.stack([np.linspace(28, 112, 12), np.full(12, 50.0)], axis=1)[None] + shift
    state = [["visible", "occluded"] * 6]
    columns = {"bbox_xywh": np.array([box]), "keypoints_2d": xy, "keypoint_state": state}
    return Instances(GREY.shape[:2], {**columns, "wire_xy": np.full((1, 12, 2), (70.0, 20.0)), **more})


@pytest.mark.parametrize("zoom", [1, 3])
def test_visible_keypoints_are_discs_and_hidden_ones_rings(zoom):
    found = vehicles()
    picture = visualise(GREY, found, VEHICLE_12, zoom)
    assert picture.shape == (90 * zoom, 140 * zoom, 3) and (GREY == 90).all()
    for (x, y), state in zip(found["keypoints_2d"][0], found["keypoint_state"][0], strict=True):
        column, row = round(zoom * (x + 0.5) - 0.5), round(zoom * (y + 0.5) - 0.5)
        filled = (picture[row, column] != 90).any()
        around = picture[row - 9 : row + 10, column - 3 : column + 4]
        assert filled == (state == "visible") and (around != 90).any()


def test_links_join_the_wireframe_else_the_keypoints():
    """Front and back are apart; between them lies a link of the keypoints, but none of a wireframe of one place."""
    xy = np.where(np.isin(np.arange(12), (2, 3, 6, 7, 10, 11))[None, :, None], (110.0, 50), (30.0, 50))
    with_wire = vehicles(keypoints_2d=xy)
    without = Instances(GREY.shape[:2], {n: column for n, column in with_wire.columns.items() if n != "wire_xy"})
    between = (50, 70)
    assert (visualise(GREY, without, VEHICLE_12)[between] != 90).any()
    assert (visualise(GREY, without)[between] == 90).all()  # no skeleton, no links
    picture = visualise(GREY, with_wire, VEHICLE_12)
    assert (picture[between] == 90).all() and (picture[20, 70] != 90).any()


def test_nothing_is_drawn_towards_a_keypoint_that_is_not_known():
    xy = vehicles()["keypoints_2d"].copy()
    xy[0, 1:] = np.nan
    lone = Instances(GREY.shape[:2], {"bbox_xywh": np.array([BOX]), "keypoints_2d": xy})
    picture = visualise(GREY, lone, VEHICLE_12)
    inside = (picture[12:68, 22:118] != 90).any(axis=2)  # within the box's frame
    assert inside.any() and not inside[:, 12:].any()


def test_of_a_small_vehicle_the_box_alone_is_drawn():
    small = [60.0, 40, LEAST_PX - 1, 15]
    picture = visualise(GREY, vehicles(small), VEHICLE_12)
    changed = (picture != GREY).any(axis=2)
    assert changed[40, 60:80].all() and changed[40:54, 60].all()
    assert changed.sum() == 2 * (LEAST_PX - 1 + 15) - 4  # a frame of one pixel
    assert np.array_equal(visualise(GREY, vehicles(small, shift=5), VEHICLE_12), picture)


def test_the_smaller_of_two_lies_on_top_whatever_their_order():
    xy = np.full((2, 12, 2), (60.0, 40.0))
    boxes, states = np.array([[20.0, 10, 100, 60], [40, 25, 40, 30]]), [["visible"] * 12, ["occluded"] * 12]
    found = Instances(GREY.shape[:2], {"bbox_xywh": boxes, "keypoints_2d": xy, "keypoint_state": states})
    one, other = visualise(GREY, found), visualise(GREY, found.rows([1, 0]))
    alone = visualise(visualise(GREY, found.rows([0])), found.rows([1]))
    assert np.array_equal(one, other) and np.array_equal(one, alone)
    assert not np.array_equal(one, visualise(visualise(GREY, found.rows([1])), found.rows([0])))


def test_a_small_picture_is_enlarged_with_a_strip_that_says_what_is_what():
    none = vehicles().rows([])
    assert np.array_equal(visualise(GREY, none, VEHICLE_12), GREY)
    shown = overlay(GREY, none, VEHICLE_12)
    assert shown.shape[1] == 7 * 140 and 7 * 90 < shown.shape[0] < 7 * 90 + 40
    assert (shown[: 7 * 90] == 90).all() and len(np.unique(shown[7 * 90 :].reshape(-1, 3), axis=0)) > 3
    wide = np.full((40, 1400, 3), 90, np.uint8)
    assert overlay(wide, Instances((40, 1400), {"keypoints_2d": np.zeros((0, 12, 2))})).shape[1] == 1400


@pytest.mark.parametrize("zoom", [1, 4])
def test_outlines_of_masks_lie_on_their_borders(zoom):
    mask = np.zeros(GREY.shape[:2], bool)
    mask[30:60, 40:80] = True
    found = Instances(GREY.shape[:2], {"mask_rle": [masks.encode(mask, (0, 0), mask.shape)]})
    changed = (visualise(GREY, found, zoom=zoom) != 90).any(axis=2)
    assert changed[zoom * 30, zoom * 60] and changed[zoom * 60 - 1, zoom * 60] and changed[zoom * 45, zoom * 80 - 1]
    assert (
        not changed[zoom * 45, zoom * 60] and not changed[: zoom * 30 - 1].any() and not changed[zoom * 60 + 1 :].any()
    )
    assert np.array_equal(overlay(GREY, found), visualise(GREY, found))  # without keypoints it keeps its size


def test_of_a_hidden_object_both_outlines_are_drawn_and_links_of_its_category():
    """The left half is seen; in the right half the whole outline has another colour."""
    size, crop = GREY.shape[:2], np.ones((40, 60), bool)
    whole, seen = masks.encode(crop, (40, 20), size), masks.encode(crop[:, :30], (40, 20), size)
    found = Instances(size, {"mask_amodal_rle": [whole], "mask_visible_rle": [seen]})
    picture = visualise(GREY, found)
    assert (picture[20, 45] != GREY[20, 45]).any() and (picture[20, 95] != GREY[20, 95]).any()
    assert (picture[20, 45] != picture[20, 95]).any()
    points = vehicles()
    columns = {name: points[name] for name in ("keypoints_2d", "keypoint_state")}
    boxed = {"bbox_amodal_xywh": np.array([BOX]), "category": ["vehicle"]}
    assert (visualise(GREY, Instances(size, columns | boxed)) != visualise(GREY, Instances(size, columns))).any()
    small = {"bbox_amodal_xywh": np.array([[20.0, 40, LEAST_PX - 1, 15]]), "category": ["vehicle"]}
    assert (visualise(GREY, Instances(size, columns | small)) == GREY).all()


def test_a_pose_before_its_correction_stands_to_the_left_of_it():
    found = vehicles(shift=20.0)
    before = vehicles()["keypoints_2d"]
    both = overlay(GREY, found.with_columns({"keypoints_initial": before}), VEHICLE_12)
    alone = overlay(GREY, found, VEHICLE_12)
    assert both.shape == (alone.shape[0], 2 * alone.shape[1], 3)
    left, right = np.split(both[:-28], 2, axis=1)
    assert np.array_equal(right, alone[:-28])
    assert np.array_equal(left, overlay(GREY, found.with_columns({"keypoints_2d": before}), VEHICLE_12)[:-28])


def test_links_that_were_predicted_are_drawn_and_no_others():
    xy = np.array([[[30.0, 20], [110, 20], [30, 60], [110, 60]]])
    columns = {"bbox_xywh": np.array([BOX]), "keypoints_2d": list(xy), "keypoint_links": [np.array([[0, 1]])]}
    picture = visualise(GREY, Instances(GREY.shape[:2], columns), VEHICLE_12)
    assert (picture[20, 70] != 90).any() and (picture[60, 70] == 90).all() and (picture[40, 30] == 90).all()


def test_inferred_keypoints_are_rings():
    xy = np.array([[[40.0, 40], [90, 40]]])
    columns = {"bbox_xywh": np.array([BOX]), "keypoints_2d": list(xy), "keypoint_inferred": [np.array([False, True])]}
    picture = visualise(GREY, Instances(GREY.shape[:2], columns))
    assert (picture[40, 40] != 90).any() and (picture[40, 90] == 90).all()
