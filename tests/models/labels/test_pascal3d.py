"""PASCAL3D+ records written with MATLAB's own format."""

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from models.labels.pascal3d import ANCHORS, read_pascal3d
from models.labels.views import NAMES, OCCLUDED, SELF_OCCLUDED, TRUNCATED, UNKNOWN, VISIBLE


def _car(**changed) -> dict:
    """A car whose anchor i lies at (10 i + 1, 5 i + 1) of MATLAB's pixels, all but the last four seen."""
    statuses = [1] * 8 + [2, 3, 4, 5]
    anchors = {
        name: {"location": [10.0 * i + 1, 5.0 * i + 1] if s == 1 else [], "status": s}
        for i, (name, s) in enumerate(zip(ANCHORS, statuses, strict=True))
    }
    return {"class": "car", "bbox": [1.0, 1.0, 120.0, 60.0], "anchors": anchors} | changed


@pytest.fixture
def write(tmp_path):
    cv2.imwrite(str(tmp_path / "n1.jpg"), np.zeros((60, 120, 3), np.uint8))

    def written(*things: dict):
        objects = things[0] if len(things) == 1 else np.array(things, dtype=object)
        savemat(tmp_path / "n1.mat", {"record": {"filename": "n1.jpg", "objects": objects}})
        return tmp_path

    return written


def test_anchors_become_our_keypoints(write):
    folder = write(_car())
    (car,) = read_pascal3d(folder, folder)
    assert car.image == folder / "n1.jpg" and car.frame == "n1"
    np.testing.assert_array_equal(car.box_xywh, [0, 0, 120, 60])
    np.testing.assert_array_equal(car.xy[:8], np.arange(8)[:, None] * [10, 5])
    assert np.isnan(car.xy[8:]).all()
    assert car.state.tolist() == [VISIBLE] * 8 + [SELF_OCCLUDED, OCCLUDED, TRUNCATED, UNKNOWN]
    assert car.flag.tolist() == [1] * 8 + [2, 3, 4, 5]


def test_sides_and_ends_go_together():
    for anchor, name in zip(ANCHORS, NAMES, strict=True):
        assert ("left" in anchor) == ("left" in name)
        front = "front" in anchor or "windshield" in anchor
        assert front == ("front" in name)


def test_other_classes_are_left_out(write):
    folder = write(_car(), _car(**{"class": "bus"}), _car())
    assert len(read_pascal3d(folder, folder)) == 2


def test_bad_files_are_named(write, tmp_path):
    with pytest.raises(ValueError, match="found none"):
        read_pascal3d(tmp_path, tmp_path)
    anchors = _car()["anchors"]
    folder = write(_car(anchors={name: anchors[name] for name in ANCHORS[1:]}))
    with pytest.raises(ValueError, match=r"n1.mat: object 1: no anchor right_front_wheel"):
        read_pascal3d(folder, folder)
    folder = write(_car(bbox=[5.0, 5.0, 2.0, 9.0]))
    with pytest.raises(ValueError, match="expected a box"):
        read_pascal3d(folder, folder)
    (tmp_path / "n1.jpg").unlink()
    folder = write(_car())
    with pytest.raises(ValueError, match=r"1 of 1 labelled frames .*n1.jpg"):
        read_pascal3d(folder, folder)
    (tmp_path / "n1.mat").write_bytes(b"\x80\x04K\x01.")  # a pickle
    with pytest.raises(ValueError, match=r"n1.mat: not a PASCAL3D\+ annotation"):
        read_pascal3d(folder, folder)
    savemat(tmp_path / "n1.mat", {"record": {"filename": "n1.jpg"}})
    with pytest.raises(ValueError, match="record has no objects"):
        read_pascal3d(folder, folder)
