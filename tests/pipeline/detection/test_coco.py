"""A file of strangers' detections: boxes drawn by hand in a 20 x 30 frame."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core import masks
from pipeline.core.tables import FRAMES
from pipeline.detection.coco import CocoDetector, CocoSettings

SIZE = (20, 30)
START = datetime(2021, 5, 3, 12, 0, tzinfo=UTC)
IMAGE = np.zeros((*SIZE, 3), np.uint8)
SQUARE = [4, 5, 12, 5, 12, 11, 4, 11]  # x 4..12, y 5..11


def frames(sources: list[str], position: int = -1) -> pa.Table:
    rows = [
        {
            "frame_id": k,
            "timestamp": START + timedelta(seconds=10 * k),
            "bucket": "12",
            "sequence": 0,
            "source": source,
            "position": position + k if position >= 0 else -1,
            "width": 30,
            "height": 20,
            "status": "ok",
        }
        for k, source in enumerate(sources)
    ]
    return pa.Table.from_pylist(rows, schema=FRAMES)


NAMED = frames(["a/x.jpg", "a/y.jpg", "b/x.jpg"])


def detector(tmp_path, content, table: pa.Table = NAMED, **settings) -> CocoDetector:
    path = tmp_path / "detections.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return CocoDetector(CocoSettings(file=str(path), **settings), table)


def dataset(*annotations: dict) -> dict:
    return {
        "images": [
            {"id": 70, "file_name": "y.jpg"},
            {"id": 71, "file_name": "b/x.jpg"},
            {"id": 72, "file_name": "no.jpg"},
        ],
        "categories": [{"id": 5, "name": "Bus"}, {"id": 9, "name": "dog"}, {"id": 1, "name": "pedestrian"}],
        "annotations": list(annotations),
    }


def full(instance) -> np.ndarray:
    return masks.full(masks.encode(instance.crop, instance.xy, SIZE), SIZE)


def test_a_dataset_is_matched_by_names_and_categories(tmp_path):
    boxes = [
        {"image_id": i, "category_id": c, "segmentation": [SQUARE]} for i, c in [(70, 5), (70, 9), (71, 1), (72, 5)]
    ]
    found = detector(tmp_path, dataset(*boxes))
    first, third = found(IMAGE, "12", 1), found(IMAGE, "12", 2)
    assert [(i.category, i.box_xywh, i.score) for i in first] == [("vehicle", (4, 5, 8, 6), 1.0)]
    assert [i.category for i in third] == ["person"] and found(IMAGE, "12", 0) == []


def test_results_name_frames_by_their_id(tmp_path):
    rle = {"size": list(SIZE), "counts": masks.encode(np.ones((6, 8), bool), (4, 5), SIZE)}
    rows = [{"image_id": 2, "category_id": 3, "score": 0.25, "bbox": [0, 0, 1, 1], "segmentation": rle}]
    (instance,) = detector(tmp_path, rows, frames(["v.mp4"] * 3, position=0))(IMAGE, "12", 2)
    assert (instance.category, instance.box_xywh, instance.score) == ("vehicle", (4, 5, 8, 6), 0.25)


def test_compressed_and_plain_run_lengths_and_polygons_are_the_same_mask(tmp_path):
    column = [0] * 4 * 20 + ([0] * 5 + [1] * 6 + [0] * 9) * 8 + [0] * 18 * 20
    plain = [85] + [6, 14] * 7 + [6, 9 + 360]
    assert sum(plain) == len(column) == 600
    shapes = [plain, masks.encode(np.ones((6, 8), bool), (4, 5), SIZE)]
    shapes = [{"size": list(SIZE), "counts": c} for c in shapes] + [[SQUARE]]
    rows = [{"image_id": 0, "category_id": 1, "segmentation": s} for s in shapes]
    found = [full(i) for i in detector(tmp_path, rows, frames(["v.mp4"], position=0))(IMAGE, "12", 0)]
    expected = np.array(column, bool).reshape(30, 20).T
    assert len(found) == 3 and all((f == expected).all() for f in found)


def test_a_second_polygon_is_a_second_part(tmp_path):
    rows = [{"image_id": 0, "category_id": 1, "segmentation": [SQUARE, [20, 2, 24, 2, 24, 6, 20, 6]]}]
    (instance,) = detector(tmp_path, rows, frames(["v.mp4"], position=0))(IMAGE, "12", 0)
    assert instance.box_xywh == (4, 2, 20, 9) and instance.crop.sum() == 8 * 6 + 4 * 4


def test_walt_rows_are_found_by_time_and_halved(tmp_path):
    row = {
        "bbox": "{8,10,16,12,0.97}",
        "segmentation": "{8,10,24,10,24,22,8,22}",
        "label_id": 1,
        "time": "2021-05-03 12:00:10+00:00",
    }
    found = detector(tmp_path, [row, row | {"time": "2021-05-03 12:00:13+00:00"}, row | {"label_id": 7}], scale=2.0)
    (instance,) = found(IMAGE, "12", 1)
    assert (instance.category, instance.box_xywh) == ("vehicle", (4, 5, 8, 6)) and instance.score == 0.97
    assert found(IMAGE, "12", 0) == found(IMAGE, "12", 2) == []


def test_ignored_places_are_cut_off(tmp_path):
    path = tmp_path / "d.json"
    path.write_text(json.dumps([{"image_id": 0, "category_id": 1, "segmentation": [SQUARE]}]))
    ignore = np.zeros(SIZE, bool)
    ignore[:8] = True
    found = CocoDetector(CocoSettings(file=str(path)), frames(["v.mp4"], position=0), ignore)
    assert [i.box_xywh for i in found(IMAGE, "12", 0)] == [(4, 8, 8, 3)]


ROW = {"image_id": 0, "category_id": 1, "segmentation": [SQUARE]}
WALT = {"bbox": "{1,1,2,2,1}", "segmentation": "{1,1,2,2,3,1}", "label_id": 1, "time": "2021-05-03 12:00:00"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("7", "expected a list of results"),
        ({"images": []}, "expected a list of results or a dataset"),
        ([1, 2], "expected a list of objects"),
        ([ROW | {"image_id": "../../etc"}], "image_id: expected a whole number"),
        ([ROW | {"score": "high"}], "score: expected a number"),
        ([ROW | {"segmentation": [[1, 2, 3]]}], "polygon: expected x, y of 3 points"),
        ([ROW | {"segmentation": [[1, 2, 3, 4, 5, float("nan")]]}], "finite numbers"),
        ([ROW | {"segmentation": None}], "expected a segmentation"),
        ([ROW | {"segmentation": {"size": [2000000000, 2000000000], "counts": [1]}}], r"expected \[20, 30\]"),
        ([ROW | {"segmentation": {"size": [20, 30], "counts": [0, 601]}}], "leave the picture"),
        ([ROW | {"segmentation": {"size": [20, 30], "counts": [50, -20, 5]}}], "leave the picture"),
        ([WALT | {"bbox": "{1,1,2,2}"}], "bbox: expected {x,y,w,h,score}"),
        ([WALT | {"segmentation": "{1,1,a}"}], "expected numbers as"),
        ([WALT | {"time": "noon"}], "a time that cannot be read"),
        ({"images": [{"id": 1, "file_name": "x.jpg"}], "annotations": [ROW]}, "fits 2 frames"),
    ],
)
def test_bad_files_are_refused_with_their_name_and_reason(tmp_path, content, message):
    table = NAMED if "images" in content else frames(["v.mp4"], position=0)
    with pytest.raises(ValueError, match=message) as error:
        detector(tmp_path, content, table)(IMAGE, "12", 0)
    assert "detections.json" in str(error.value)


def test_a_missing_file_names_the_setting():
    with pytest.raises(ValueError, match="set `file` to a JSON of detections"):
        CocoDetector(CocoSettings(file="nowhere.json"), NAMED)
