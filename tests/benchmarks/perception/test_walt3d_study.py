"""What a study counts: hidden parts and points of every object, a miss as the worst there is."""

from __future__ import annotations

import numpy as np
import pytest
from composed_streets import SIZE_HW, composed, write_composed

from benchmarks.perception.walt3d import LEAST_PX, of_large
from benchmarks.perception.walt3d_study import hidden_overlap, hidden_points, summed
from models.scenes.evaluate import Page, page_of
from models.scenes.objects import Scenes
from pipeline.core.instances import Instances
from pipeline.core.tables import KEYPOINT_STATES


def pages(folder, change) -> list[Page]:
    """Of nine composed streets what a network finds that knows the labels as `change` leaves them."""
    scenes = Scenes([write_composed(folder, 10)], "train")
    found = []
    for number in range(len(scenes)):
        rows = change([dict(row) for row in composed(number)[1]])
        names = ("amodal", "visible")
        objects = Instances(SIZE_HW, {
            "category": [row["category"] for row in rows], "score": np.linspace(0.9, 0.5, len(rows)),
            "bbox_amodal_xywh": np.array([row["bbox_amodal_xywh"] for row in rows], float).reshape(-1, 4),
            **{f"mask_{name}_rle": [row[f"mask_{name}_rle"] for row in rows] for name in names},
            "keypoints_2d": [np.array(row["keypoints_2d"]).reshape(-1, 2) for row in rows],
            "keypoint_state": [row["keypoint_state"] for row in rows],
        })  # fmt: skip
        found.append(of_large(page_of(scenes[number], objects), scenes[number]))
    return found


def asked(rows, least: float) -> list[dict]:
    return [row for row in rows if 1 - row["visible_fraction"] > least and max(row["bbox_amodal_xywh"][2:]) >= LEAST_PX]


def test_who_knows_all_has_all_hidden_parts_and_points(tmp_path):
    known = pages(tmp_path / "a", lambda rows: rows)
    assert hidden_overlap(known, 0.4) == pytest.approx(1)
    assert hidden_points(known) == 1


def test_a_missed_object_counts_as_nothing_found(tmp_path):
    hidden, missed = sum(len(asked(composed(number)[1], 0.1)) for number in range(9)), 0

    def without_some(rows):
        nonlocal missed
        out = asked(rows, 0.1)[: int(missed < 2)]
        missed += len(out)
        return [row for row in rows if row not in out]

    seen = pages(tmp_path / "a", without_some)
    assert 2 == missed < hidden
    assert hidden_overlap(seen, 0.1) == pytest.approx(1 - missed / hidden)
    assert 0 < hidden_points(seen) < 1
    assert np.isnan(hidden_overlap(seen, 1.0))


def test_who_sees_what_is_visible_alone_has_no_hidden_part(tmp_path):
    def modal(rows):
        return [row | {"mask_amodal_rle": row["mask_visible_rle"]} for row in rows if row["visible_fraction"] > 0]

    assert hidden_overlap(pages(tmp_path / "a", modal), 0.1) == 0


def test_points_that_are_off_by_more_than_a_tenth_of_the_box_are_wrong(tmp_path):
    def moved(fraction):
        def change(rows):
            for row in rows:
                side = max(row["bbox_amodal_xywh"][2:])
                points = np.array(row["keypoints_2d"], float).reshape(-1, 2) + (fraction * side, 0)
                row["keypoints_2d"] = points.ravel().tolist()
            return rows

        return change

    assert hidden_points(pages(tmp_path / "near", moved(0.09))) == 1
    assert hidden_points(pages(tmp_path / "far", moved(0.11))) == 0
    assert any(
        KEYPOINT_STATES.index("occluded") in one.states
        for page in pages(tmp_path / "b", moved(0))
        for one in page.things
    )


def test_seeds_are_summed_to_mean_and_deviation():
    row = summed(
        "walt3d", 0.25, [{"over 40 % AP": 0.2, "below 10 % AP": 0.5}, {"over 40 % AP": 0.4, "below 10 % AP": 0.5}]
    )
    assert row["over 40 % AP"] == pytest.approx(0.3) and row["over 40 % AP ±"] == pytest.approx(0.1)
    assert row["below 10 % AP ±"] == 0 and row["seeds"] == 2
