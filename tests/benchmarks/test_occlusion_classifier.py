"""Who is whole by annotated boxes, and the rows and bars of the comparison."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cards import write_camera

from benchmarks import occlusion_classifier as benchmark
from benchmarks.occlusion_classifier import annotated_whole, measure
from models.occlusion_classifier.predict import OcclusionClassifier

# The second person stands nearer and covers a third of the first; the third walks out of the picture.
BOXES = pd.DataFrame(
    [(4, 1, 50.0, 20.0, 30.0, 60.0), (4, 2, 70.0, 40.0, 30.0, 60.0), (4, 3, -10.0, 40.0, 30.0, 60.0)],
    columns=["frame", "person", "x", "y", "w", "h"],
)


def test_whole_is_who_nobody_nearer_overlaps_and_the_picture_does_not_cut():
    rows = [
        (4, [50, 20, 30, 60]),
        (4, [70, 40, 30, 60]),
        (4, [0, 40, 20, 60]),
        (4, [120, 40, 30, 60]),
        (5, [70, 40, 30, 60]),
    ]
    tracks = pa.table({"frame_id": [f for f, _ in rows], "bbox_xywh": [[float(v) for v in box] for _, box in rows]})
    assert annotated_whole(BOXES, tracks, (120, 160)).tolist() == [False, True, False, False, False]


class Oracle(OcclusionClassifier):
    """Knows of every fifth detection, in the order of the frame, that it is whole: the first and the third."""

    def __init__(self):
        pass

    def unoccluded(self, crops):
        return np.array([0.99, 0.02, 0.97, 0.04, 0.2], np.float32)[: len(crops)]


def test_the_rows_count_and_the_bars_compare_at_each_deltas_recall(tmp_path, monkeypatch):
    camera_dir = write_camera(tmp_path / "cards")
    tracks = pq.read_table(camera_dir / "tracks.parquet")
    whole = np.isin(tracks["detection_id"].to_numpy() % 10000, [1, 3])
    # One delta that refuses the hidden card, one that refuses a whole one too, two that refuse nothing.
    number = tracks["detection_id"].to_numpy() % 10000
    kept = {0.01: (number != 2) & (number != 3), 0.1: number != 2, 0.2: number > 0, 0.5: number > 0}
    monkeypatch.setattr(benchmark, "heuristics", lambda *_: kept)
    rows, bars = measure(camera_dir, tracks, whole, Oracle(), None)
    by_name = {row["method"]: row for row in rows}
    assert by_name["delta 0.01"]["recall"] == 0.5 and by_name["delta 0.01"]["precision"] == pytest.approx(1 / 3)
    assert by_name["delta 0.5"]["recall"] == 1 and by_name["delta 0.5"]["precision"] == pytest.approx(0.4)
    assert by_name["classifier 0.5"]["recall"] == by_name["classifier 0.5"]["precision"] == 1
    assert by_name["classifier 0.1"]["precision"] == pytest.approx(2 / 3)
    assert [bar.value for bar in bars] == pytest.approx([2 / 3, 1 / 2, 0.6, 0.6, 1.0])
    assert all(bar.met for bar in bars)
