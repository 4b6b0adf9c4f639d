"""What other programs read of keypoints, checked by pycocotools itself."""

import json

import numpy as np
import pytest
from pycocotools.coco import COCO

from pipeline.core.instances import Instances
from pipeline.core.skeletons import OPEC_12
from tasks.predict.coco import coco_rows, results

SIZE_HW = (60, 80)


def people(count=2, **more):
    xy = np.random.default_rng(0).uniform(5, 50, (count, 12, 2))
    columns = {
        "bbox_xywh": np.tile([3.0, 4, 50, 40], (count, 1)), "keypoints_2d": xy,
        "keypoint_score": np.linspace(0.1, 0.9, 12 * count).reshape(count, 12),
        "keypoint_state": [["visible", "occluded"] * 6] * count, "category": ["person"] * count,
    }  # fmt: skip
    return Instances(SIZE_HW, {**columns, **more})


def test_place_score_and_state_of_every_joint_are_there():
    found = people(pose_score=np.array([0.25, 0.5]))
    first, second = coco_rows("a.jpg", found, OPEC_12)
    points = np.reshape(second["keypoints"], (12, 3))
    assert points[:, :2] == pytest.approx(found["keypoints_2d"][1], abs=1e-3)
    assert points[:, 2] == pytest.approx(found["keypoint_score"][1], abs=1e-3)
    assert first["score"] == 0.25 and first["keypoint_states"][:2] == ["visible", "occluded"]
    assert first["keypoint_names"] == list(OPEC_12.names) and first["category_id"] == 1


def test_what_is_not_known_is_nought_and_the_mean_stands_for_a_poses_score():
    found = people(1)
    found["keypoints_2d"][0, 3] = np.nan
    (row,) = coco_rows("a.jpg", found, OPEC_12)
    assert row["keypoints"][9:12] == [0, 0, 0]
    assert row["score"] == pytest.approx(found["keypoint_score"].mean(), abs=1e-4)


def test_pycocotools_takes_it_for_results(tmp_path):
    with results(tmp_path / "coco.json", OPEC_12) as add:
        add("a.jpg", people())
        add("b.jpg", people(1))
    rows = json.loads((tmp_path / "coco.json").read_text())
    assert [row["file_name"] for row in rows] == ["a.jpg", "a.jpg", "b.jpg"]
    truth = COCO()
    truth.dataset = {"images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}], "annotations": [],
                     "categories": [{"id": 1, "name": "person"}], "info": {}}  # fmt: skip
    truth.createIndex()
    numbers = {"a.jpg": 1, "b.jpg": 2}
    assert len(truth.loadRes([row | {"image_id": numbers[row["file_name"]]} for row in rows]).anns) == 3


def test_without_keypoints_nothing_is_written(tmp_path):
    with results(tmp_path / "coco.json", OPEC_12) as add:
        add("a.jpg", Instances(SIZE_HW, {"bbox_xywh": np.ones((1, 4))}))
    assert not (tmp_path / "coco.json").exists()


def test_a_pose_of_which_nothing_is_known_is_nought(tmp_path):
    found = people(1, keypoint_score=np.full((1, 12), np.nan))
    with results(tmp_path / "coco.json", OPEC_12) as add:
        add("a.jpg", found)
    (row,) = json.loads((tmp_path / "coco.json").read_text())
    assert row["score"] == 0 and not np.any(row["keypoints"])


def test_the_results_of_a_run_before_do_not_stay(tmp_path):
    (tmp_path / "coco.json").write_text("[]")
    with results(tmp_path / "coco.json", OPEC_12) as add:
        add("a.jpg", Instances(SIZE_HW, {"bbox_xywh": np.ones((1, 4))}))
    assert not (tmp_path / "coco.json").exists()
