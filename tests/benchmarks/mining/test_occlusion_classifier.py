"""Who is whole by annotated boxes, and the rows and bars of the comparison."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cards import write_camera as write_cards
from exact_truth import actor, rectangle, write_camera

from benchmarks.mining.occlusion_classifier import annotated_whole, chance_of, compare, gated, simulated_whole
from models.occlusion_classifier import SPEC
from models.predictor import FramePredictor

# The second person stands nearer and covers a third of the first; the third walks out of the picture.
BOXES = pd.DataFrame(
    [(4, 1, 50.0, 20.0, 30.0, 60.0), (4, 2, 70.0, 40.0, 30.0, 60.0), (4, 3, -10.0, 40.0, 30.0, 60.0)],
    columns=["frame", "person", "x", "y", "w", "h"],
)


def test_whole_is_who_nobody_nearer_overlaps_and_the_picture_does_not_truncate():
    rows = [
        (4, [50, 20, 30, 60]),
        (4, [70, 40, 30, 60]),
        (4, [0, 40, 20, 60]),
        (4, [120, 40, 30, 60]),
        (5, [70, 40, 30, 60]),
    ]
    tracks = pa.table({"frame_id": [f for f, _ in rows], "bbox_xywh": [[float(v) for v in box] for _, box in rows]})
    assert annotated_whole(BOXES, tracks, (120, 160)).tolist() == [False, True, False, False, False]


def test_of_a_simulated_camera_whole_is_what_truth_says(tmp_path):
    car, behind, truncated = (20, 40, 40, 20), (70, 40, 40, 20), (0, 80, 30, 20)
    truth = [actor(3, 1, car), actor(3, 2, behind, visible_fraction=0.5), actor(3, 3, truncated, truncation=0.4)]
    boxes = [(3, behind), (3, car), (3, truncated), (3, (100, 90, 20, 20)), (4, car)]
    tracks = pa.table({"frame_id": [f for f, _ in boxes], "mask_rle": [rectangle(*box) for _, box in boxes]})
    folder = write_camera(tmp_path / "hand", truth)
    assert simulated_whole(folder, tracks).tolist() == [False, True, False, False, False]


class Oracle(FramePredictor):
    """Knows of a frame's five detections, in their order, that the first and the third are whole."""

    def __init__(self):
        super().__init__(SPEC)

    def predict_batch(self, frames):
        chance = np.array([0.99, 0.02, 0.97, 0.04, 0.2], np.float32)
        return [f.objects.with_columns({"unoccluded_chance": chance[i : i + 1]}) for i, f in enumerate(frames)]


def test_the_rows_count_and_the_bars_compare_at_each_deltas_recall(tmp_path):
    camera_dir = write_cards(tmp_path / "cards")
    tracks = pq.read_table(camera_dir / "tracks.parquet")
    number = tracks["detection_id"].to_numpy() % 10000
    whole, chance = np.isin(number, [1, 3]), chance_of(Oracle(), tracks, camera_dir)
    # One delta that refuses the hidden card and a whole one, one that refuses the hidden, one that refuses nothing.
    said = {"a": (number != 2) & (number != 3), "b": number != 2, "c": number > 0}
    rows, bars = compare("cards", said, chance, whole)
    by_name = {row["method"]: row for row in rows}
    assert by_name["a"]["recall"] == 0.5 and by_name["a"]["precision"] == pytest.approx(1 / 3)
    assert by_name["c"]["recall"] == 1 and by_name["c"]["precision"] == pytest.approx(0.4)
    assert by_name["classifier 0.5"]["recall"] == by_name["classifier 0.5"]["precision"] == 1
    assert by_name["classifier 0.1"]["precision"] == pytest.approx(2 / 3)
    assert [bar.value for bar in bars] == pytest.approx([2 / 3, 1 / 2, 0.6, 1.0])
    assert all(bar.met for bar in bars)


def test_the_gates_text_counts_cutouts_alone(tmp_path):
    tracks = pa.table({"detection_id": [1, 2, 3, 4, 5]})
    (tmp_path / "mining").mkdir()
    pq.write_table(pa.table({"detection_id": [1, 2, 4, 5]}), tmp_path / "mining" / "accepted.parquet")
    whole = np.array([True, False, True, True, False])
    text = gated(tmp_path, tracks, whole, np.array([0.9, 0.6, 0.9, 0.4, 0.1]))
    assert text.startswith("4 cutouts, precision 0.500; at 0.3 precision 0.667 with 1.000 of the whole ones; at 0.5 ")
    assert text.endswith("at 0.7 precision 1.000 with 0.500 of the whole ones")
