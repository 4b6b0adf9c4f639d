"""A detector's boxes against exact truth: parked cars are nobody's to find, masks are what is seen."""

import pytest
from exact_truth import actor, rectangle, write_camera

from benchmarks.perception.train_detector import against_truth
from pipeline.core.storage import write_table
from pipeline.core.tables import DETECTIONS, FRAMES, to_table


def found(folder, *boxes):
    """Average precision of each group of objects, of detections (category, box, score, frame)."""
    rows = [
        dict.fromkeys(DETECTIONS.names) | {"frame_id": f, "category": c, "mask_rle": rectangle(*box), "score": score}
        for c, box, score, f in boxes
    ]
    write_table(folder / "detections" / "part-0.parquet", to_table(rows, DETECTIONS))
    return {row["objects of"]: row for row in against_truth(folder)}


@pytest.fixture
def folder(tmp_path):
    """A car that drives behind one that is parked, of which its left half is seen, and a walker."""
    half = {"mask_visible_rle": rectangle(20, 40, 40, 40), "visible_fraction": 0.5, "px_count_visib": 1600}
    truth = [
        actor(0, 1, (20, 40, 80, 40), **half),
        actor(0, 2, (60, 45, 80, 40), moving=False),
        actor(0, 3, (120, 20, 20, 60), category="person"),
        actor(0, 4, (30, 50, 10, 10), px_count_visib=0, visible_fraction=0.0),
    ]
    return write_camera(tmp_path / "hand", truth)


def test_who_is_found_in_its_visible_part_is_right_and_the_parked_count_nowhere(folder):
    car, walker = ("vehicle", (20, 40, 40, 40), 0.9, 0), ("person", (120, 20, 20, 60), 0.8, 0)
    assert found(folder, car, walker)["all"]["AP50"] == pytest.approx(1)
    assert found(folder, car, walker, ("vehicle", (60, 45, 80, 40), 0.99, 0))["all"]["AP50"] == pytest.approx(1)
    assert found(folder, car)["all"]["AP50"] == pytest.approx(0.5)


def test_a_whole_mask_of_what_is_half_hidden_and_a_false_one_cost(folder):
    walker = ("person", (120, 20, 20, 60), 0.8, 0)
    assert found(folder, walker, ("vehicle", (20, 40, 85, 40), 0.9, 0))["all"]["AP50"] == pytest.approx(0.5)
    car, false = ("vehicle", (20, 40, 40, 40), 0.5, 0), ("vehicle", (0, 100, 20, 20), 0.9, 0)
    assert found(folder, car, false, walker)["all"]["AP50"] == pytest.approx(0.75)


def test_a_frame_without_truth_counts_its_false_ones(folder):
    frames = [dict.fromkeys(FRAMES.names) | {"frame_id": n, "height": 120, "width": 160} for n in (0, 1)]
    write_table(folder / "frames" / "index.parquet", to_table(frames, FRAMES))
    car, walker = ("vehicle", (20, 40, 40, 40), 0.5, 0), ("person", (120, 20, 20, 60), 0.8, 0)
    assert found(folder, car, walker)["all"]["AP50"] == pytest.approx(1)
    assert found(folder, car, walker, ("vehicle", (20, 40, 40, 40), 0.9, 1))["all"]["AP50"] == pytest.approx(0.75)
