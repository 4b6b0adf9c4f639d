"""Visible keypoints with named columns."""

import cv2
import numpy as np
import pytest

from models.labels.kitti3d import read_kitti3d
from models.labels.views import NAMES, UNKNOWN, VISIBLE

ORDER = ("aerial", *reversed(NAMES))  # another order, and a name that is not ours
HEADER = "image left top right bottom " + " ".join(ORDER)


def _line(seen: int = 5) -> str:
    """aerial, then keypoint i from the end at (i, 2 i), the first `seen` of them visible."""
    points = [f"{i} {2 * i} {int(i <= seen)}" for i in range(13)]
    return "000001.png 10 20 110 80 " + " ".join(points)


@pytest.fixture
def folder(tmp_path):
    cv2.imwrite(str(tmp_path / "000001.png"), np.zeros((8, 8, 3), np.uint8))
    return tmp_path


@pytest.mark.parametrize("comma", [False, True])
def test_columns_go_by_their_names(folder, comma):
    path, text = folder / "labels.txt", f"{HEADER}\n{_line()}\n\n"
    path.write_text(text.replace(" ", ",") if comma else text)
    (car,) = read_kitti3d(path, folder)
    np.testing.assert_array_equal(car.box_xywh, [10, 20, 100, 60])
    assert car.state.tolist() == [UNKNOWN] * 7 + [VISIBLE] * 5
    np.testing.assert_array_equal(car.xy[7:], [[i, 2 * i] for i in (5, 4, 3, 2, 1)])
    assert np.isnan(car.xy[:7]).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "labels.txt:1: expected a header"),
        (HEADER.replace("left_back_roof", "antenna") + "\n", "left_back_roof missing"),
        (f"{HEADER}\n{_line()} 7\n", "labels.txt:2: expected 43 numbers after the image, got 44"),
        (f"{HEADER}\n{_line().replace('110', 'x')}\n", "labels.txt:2: expected an image and numbers"),
        (f"{HEADER}\n{_line().replace('110', '5')}\n", "labels.txt:2: expected a box"),
        (f"{HEADER}\n{_line()[:-1]}2\n", "labels.txt:2: expected v of 0 or 1"),
        (f"{HEADER}\n{_line().replace('000001', '000002')}\n", "first is .*000002.png"),
    ],
)
def test_bad_files_are_named(folder, text, message):
    (folder / "labels.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_kitti3d(folder / "labels.txt", folder)


def test_no_file(folder):
    with pytest.raises(ValueError, match="no such label file"):
        read_kitti3d(folder / "none.txt", folder)
