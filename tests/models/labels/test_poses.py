import json

import numpy as np
import pytest

from models.labels.poses import poses_of, read_poses
from pipeline.core.skeletons import OPEC_12


def written(path, rows):
    path.write_text(json.dumps(rows))
    return path


def test_poses_of_a_json_come_back(tmp_path):
    points = np.arange(36.0).reshape(12, 3)
    rows = [{"image_id": 7, "bbox": [1, 2, 3, 4], "keypoints": (points + k).ravel().tolist()} for k in range(2)]
    poses = read_poses(written(tmp_path / "p.json", rows), OPEC_12)
    assert list(poses) == ["7"] and poses["7"]["bbox_xywh"].shape == (2, 4)
    assert poses["7"]["keypoints_2d"][1] == pytest.approx(points[:, :2] + 1)
    assert poses["7"]["keypoint_score"][0] == pytest.approx(points[:, 2])


def test_a_keypoint_that_is_nought_is_not_known(tmp_path):
    rows = [{"image_id": 7, "bbox": [1, 2, 3, 4], "keypoints": [0, 0, 0, 0, 0, 0.5, 3, 4, 0]}]
    xy = read_poses(written(tmp_path / "p.json", rows))["7"]["keypoints_2d"][0]
    assert np.isnan(xy[0]).all() and xy[1:].tolist() == [[0, 0], [3, 4]]


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        (
            [{"image_id": 1, "bbox": [1, 2, 3, 4], "keypoints": [0] * 51}],
            "expected 12 joints a person, .*, got 17",
        ),
        ([], "no person; expected at least one with bbox and keypoints"),
        ([{"image_id": 1}], "expected a JSON list of image_id, bbox and keypoints"),
        ([{"bbox": [1, 2, 3, 4], "keypoints": [0] * 36}], "expected a JSON list of image_id, bbox and keypoints"),
        ("none", "expected a JSON list of image_id, bbox and keypoints"),
    ],
)
def test_a_json_that_is_none_is_one_line_that_names_it(rows, match, tmp_path):
    path = written(tmp_path / "poses.json", rows)
    with pytest.raises(ValueError, match=match) as error:
        read_poses(path, OPEC_12)
    assert "poses.json" in str(error.value) and "\n" not in str(error.value)


def test_poses_of_one_count_are_told_from_several_where_nobody_says_which(tmp_path):
    rows = [{"file_name": "a.jpg", "bbox": [1, 2, 3, 4], "keypoints": [0] * 3 * count} for count in (5, 5, 6)]
    assert read_poses(written(tmp_path / "p.json", rows[:2]))["a.jpg"]["keypoints_2d"].shape == (2, 5, 2)
    with pytest.raises(ValueError, match="expected 5 joints a person, as of the first, got 6"):
        read_poses(written(tmp_path / "p.json", rows))


@pytest.mark.parametrize(("key", "name"), [("785", "000000000785.jpg"), ("a.jpg", "a.jpg"), ("a", "a.jpg")])
def test_a_picture_is_known_by_its_name_or_its_number(key, name):
    poses = {key: {"score": np.ones(1)}}
    assert poses_of(poses, name) is poses[key] and poses_of(poses, "b.jpg") is None
