"""Whom the tracking benchmark asks to follow, and which boxes of tracks it holds against them."""

import pandas as pd
import pyarrow as pa
from exact_truth import actor, write_camera

from benchmarks.perception.real_metrics import tracked
from benchmarks.perception.tracking import boxes_of, true_boxes


def test_who_is_parked_mostly_hidden_or_tiny_need_not_be_followed(tmp_path):
    truth = [
        actor(4, 1, (20, 40, 40, 20), visible_fraction=0.4),
        actor(4, 2, (70, 40, 40, 20), visible_fraction=0.3),
        actor(4, 3, (20, 80, 40, 20), moving=False),
        actor(5, 4, (70, 80, 6, 10), category="person"),
        actor(5, 5, (90, 80, 10, 10), category="person"),
    ]
    boxes = true_boxes(write_camera(tmp_path / "hand", truth))
    assert boxes[["frame", "person", "category"]].to_numpy().tolist() == [[4, 1, "vehicle"], [5, 5, "person"]]
    assert boxes[list("xywh")].to_numpy().tolist() == [[20, 40, 40, 20], [90, 80, 10, 10]]


def test_tracks_count_in_frames_and_categories_that_the_truth_has():
    truth = pd.DataFrame({"frame": [0, 1], "person": 7, "category": "person", "x": 1.0, "y": 2.0, "w": 9.0, "h": 30.0})
    rows = [(0, 3, "person"), (1, 3, "person"), (1, -1, "person"), (1, 4, "vehicle"), (2, 3, "person")]
    tracks = pa.Table.from_pylist(
        [{"frame_id": f, "track_id": t, "category": c, "bbox_xywh": [1.0, 2.0, 9.0, 30.0]} for f, t, c in rows]
    )
    found = boxes_of(tracks, truth)
    assert found[["frame", "track_id"]].to_numpy().tolist() == [[0, 3], [1, 3]]
    assert tracked(truth, found)["IDF1"] == tracked(truth, found)["MOTA"] == 1
