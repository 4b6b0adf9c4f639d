"""Kites labelled as COCO has them, chairs as PASCAL3D+ has them, for a table of the user's own."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from models.linked_objects import ClassTable, ObjectClass
from models.linked_objects.catalogue import CATALOGUE
from models.linked_objects.labelled import read_linked_coco, read_linked_pascal3d
from models.linked_objects.pictures import NOBODY, OCCLUDED, SELF_OCCLUDED, TRUNCATED, UNKNOWN, VISIBLE

KITE = ObjectClass.of_names("kite", ["head", "left tip", "right tip", "tail"], [("head", "tail")],
                            point_aliases={"tail": ["end"]})  # fmt: skip
TABLE = ClassTable((KITE,))
# In the file's own order, with a point the table does not know.
POINTS = ["end", "string", "head", "left tip", "right tip"]
GOOD = [20, 30, 2, 0, 0, 0, 20, 5, 2, 10, 15, 1, 0, 0, 0]


def coco(folder: Path, **changed) -> Path:
    annotation = {"id": 7, "image_id": 1, "category_id": 3, "bbox": [5, 0, 30, 40], "keypoints": GOOD} | changed
    content = {
        "images": [{"id": 1, "file_name": "k.png", "width": 60, "height": 50}],
        "categories": [{"id": 3, "name": "Kite", "keypoints": POINTS}, {"id": 4, "name": "dog"}],
        "annotations": [annotation],
    }
    cv2.imwrite(str(folder / "k.png"), np.full((50, 60, 3), (10, 20, 30), np.uint8))
    (folder / "kites.json").write_text(json.dumps(content))
    return folder / "kites.json"


def test_points_come_in_the_tables_order_and_by_their_aliases(tmp_path):
    pictures = read_linked_coco(coco(tmp_path), tmp_path, TABLE)
    (one,) = pictures[0].objects
    assert one.xy[[0, 1, 3]].tolist() == [[20.5, 5.5], [10.5, 15.5], [20.5, 30.5]]  # from pixel centres
    assert one.state.tolist() == [VISIBLE, OCCLUDED, UNKNOWN, VISIBLE]
    assert np.isnan(one.xy[2]).all() and (one.occluder == NOBODY).all()
    assert np.isnan(one.hidden_fraction)
    assert pictures[0].size_hw == (50, 60) and pictures[0].image[0, 0].tolist() == [30, 20, 10]


def test_a_point_off_the_picture_is_truncated(tmp_path):
    values = [*GOOD[:12], 70, 15, 1]
    (one,) = read_linked_coco(coco(tmp_path, keypoints=values), tmp_path, TABLE)[0].objects
    assert one.state[2] == TRUNCATED


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"keypoints": [*GOOD[:6], 50, 45, 2, *GOOD[9:]]},
            "point head at [50.5, 45.5] lies 16 px outside its box",
        ),
        ({"keypoints": GOOD[:6]}, "annotation 7: expected 3 numbers for each of the category's keypoints, got 6"),
        ({"keypoints": [*GOOD[:14], 5]}, "annotation 7: expected v of 0, 1, 2 or 3, got 5"),
        ({"bbox": [5, 0, 0, 40]}, "annotation 7: expected a box x y w h with an inside"),
        ({"bbox": [5, 0, 40]}, "annotation 7: expected a box x y w h with an inside"),
        ({"image_id": 2}, "annotation 7: no image 2 in the file"),
        ({"category_id": 4}, "no object of kite with labelled points; it has Kite, dog"),
        ({"keypoints": [0] * 15}, "no object of kite with labelled points"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_annotation(tmp_path, changed, said):
    path = coco(tmp_path, **changed)
    with pytest.raises(ValueError) as error:
        read_linked_coco(path, tmp_path, TABLE)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and said in message and "\n" not in message


def test_a_person_of_coco_is_one_more_class(tmp_path):
    from pipeline.core.skeletons import COCO_17

    values = [v for k in range(17) for v in (10 + k, 2 * k + 1, 2)]
    content = {
        "images": [{"id": 1, "file_name": "p.png", "width": 60, "height": 50}],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_17.names)}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [8, 0, 22, 40], "keypoints": values}],
    }
    (tmp_path / "p.json").write_text(json.dumps(content))
    (one,) = read_linked_coco(tmp_path / "p.json", tmp_path, CATALOGUE)[0].objects
    names = CATALOGUE[one.class_id].names
    assert (one.state == VISIBLE).all()
    assert one.xy[names.index("left_ankle")].tolist() == [10 + COCO_17.names.index("left_ankle") + 0.5, 31.5]


def record(folder: Path, kind: str, **anchors) -> Path:
    cv2.imwrite(str(folder / "n1.jpg"), np.zeros((60, 80, 3), np.uint8))
    thing = {"class": kind, "bbox": [1.0, 1.0, 80.0, 60.0], "anchors": anchors}
    savemat(folder / "n1.mat", {"record": {"filename": "n1.jpg", "imgsize": [80.0, 60.0, 3.0], "objects": thing}})
    return folder


def seen(x: float, y: float, status: int = 1) -> dict:
    return {"location": [x, y], "status": status}


def test_anchors_of_any_class_become_points(tmp_path):
    folder = record(tmp_path, "chair", back_upper_left=seen(11, 6), seat_upper_right=seen(30, 21, 2),
                    leg_lower_left={"location": [], "status": 3})  # fmt: skip
    pictures = read_linked_pascal3d(folder, folder, CATALOGUE)
    (one,) = pictures[0].objects
    chair = CATALOGUE[one.class_id]
    assert chair.name == "chair" and pictures[0].size_hw == (60, 80)
    assert one.xy[chair.names.index("back top left")].tolist() == [10.5, 5.5]  # MATLAB counts from 1
    assert one.state[chair.names.index("seat back right")] == SELF_OCCLUDED
    assert one.known.sum() == 2


def test_of_two_anchors_of_one_point_the_seen_one_counts(tmp_path):
    folder = record(tmp_path, "bicycle", left_front_wheel=seen(11, 6, 2), right_front_wheel=seen(13, 7, 1))
    (one,) = read_linked_pascal3d(folder, folder, CATALOGUE)[0].objects
    wheel = CATALOGUE[one.class_id].names.index("front wheel")
    assert one.xy[wheel].tolist() == [12.5, 6.5] and one.state[wheel] == VISIBLE


def test_a_record_without_any_class_of_the_table_is_refused(tmp_path):
    folder = record(tmp_path, "boat", hull=seen(11, 6))
    with pytest.raises(ValueError, match="no object of kite with labelled points; it has boat"):
        read_linked_pascal3d(folder, folder, TABLE)


def test_a_missing_picture_is_named(tmp_path):
    folder = record(tmp_path, "chair", back_upper_left=seen(11, 6))
    (folder / "n1.jpg").unlink()
    with pytest.raises(ValueError, match=r"n1\.mat: no picture .*n1\.jpg; fetch it, or remove its labels"):
        read_linked_pascal3d(folder, folder, CATALOGUE)
