"""The sheet of real couples, tried on a drawn picture: what is moved is told, what lacks has a reason."""

import numpy as np
import pytest

from benchmarks.people import opec_net_real
from pipeline.core.instances import Instances

PAIR = np.array([2, 0])


@pytest.fixture
def found():
    """Three people; of the first one joint was moved by half of the height, of the third nothing."""
    before = np.full((3, 12, 2), 30.0)
    after = before.copy()
    after[0, 4] += [12.0, 16.0]
    states = [["occluded"] + ["visible"] * 11, ["occluded"] * 12, ["visible"] * 12]
    boxes = np.array([[10, 10, 30, 40], [90, 10, 9, 9], [20, 10, 30, 40.0]])
    columns = {"bbox_xywh": boxes, "keypoints_initial": before, "keypoints_2d": after, "keypoint_state": states}
    return Instances((80, 120), columns)


def test_a_row_says_how_far_whose_joints_were_moved(found):
    row = opec_net_real.moved(found, PAIR)
    assert row["moved at most"] == pytest.approx(0.5) and row["moved, of a height"] == pytest.approx(0.5 / 24)
    assert row["box IoU"] == pytest.approx(20 / 40) and row["hidden joints"] == "0, 1"


def test_a_tile_is_of_the_two_alone_and_shows_both_poses(found):
    image = np.zeros((80, 120, 3), np.uint8)
    image[:, 85:] = 255  # where the third one stands
    tile = opec_net_real.tile(image, found, PAIR, 1)
    width, height = opec_net_real._TILE_WH
    assert tile.shape == (height, 2 * width, 3)
    before, after = tile[20:, :width].astype(int), tile[20:, width:].astype(int)
    assert (before != after).any() and before.min(-1).max() < 200
    assert opec_net_real.sheet([tile] * 6).shape[0] == 2 * (height + 2)


def test_what_this_machine_lacks_is_skipped_with_a_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(opec_net_real, "_VIDEO", tmp_path / "vtest.avi")
    report = opec_net_real.report(True, tmp_path, None)
    assert report.rows == [] and report.notes["skipped"].startswith("no vtest.avi")
