"""Five cutouts of a hand-made camera: what is right with each is known."""

import pytest
from exact_truth import actor, cutout, write_camera

from benchmarks.mining.mining_truth import measure

CAR, BEHIND, PARKED, WALKER, TRUNCATED = (
    (20, 40, 40, 20),
    (70, 40, 40, 20),
    (20, 80, 40, 20),
    (120, 60, 10, 30),
    (0, 5, 10, 30),
)
TRUTH = [
    actor(0, 1, CAR),
    actor(0, 2, BEHIND, visible_fraction=0.5),
    actor(1, 2, BEHIND),
    actor(0, 3, PARKED, moving=False),
    actor(0, 4, TRUNCATED, category="person", truncation=0.3),
    actor(1, 5, WALKER, category="person"),
]
CUTOUTS = [
    cutout(0, 0, CAR),
    cutout(1, 0, (72, 40, 40, 20), track=1),  # half hidden, and two pixels off
    cutout(2, 0, PARKED),
    cutout(3, 1, (20, 40, 40, 20)),  # nobody is there in that frame
    cutout(4, 0, TRUNCATED, "person"),
]


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = write_camera(tmp_path_factory.mktemp("mined") / "hand", TRUTH, CUTOUTS)
    return {row["category"]: row for row in measure(folder)}


def test_only_what_is_wholly_seen_and_inside_is_precise(rows):
    assert [rows[name]["cutouts"] for name in ("all", "vehicle", "person")] == [5, 4, 1]
    assert rows["all"]["precision"] == pytest.approx(2 / 5)
    assert (rows["vehicle"]["precision"], rows["person"]["precision"]) == (0.5, 0)
    assert [rows[name]["phantoms"] for name in ("all", "vehicle", "person")] == [1, 1, 0]


def test_a_track_is_found_by_a_clean_cutout_and_what_is_parked_is_nobodys_to_find(rows):
    """Cars 1 and 2 and the walker were once clean and on their way; only car 1 has a clean cutout."""
    assert [rows[name]["tracks_ever_clean"] for name in ("all", "vehicle", "person")] == [3, 2, 1]
    assert rows["all"]["track_recall"] == pytest.approx(1 / 3)
    assert (rows["vehicle"]["track_recall"], rows["person"]["track_recall"]) == (0.5, 0)


def test_a_clean_actor_in_a_mask_of_half_of_it_is_not_whole(tmp_path):
    half = cutout(0, 0, (20, 40, 20, 20))
    (row, *_) = measure(write_camera(tmp_path / "half", TRUTH, [half, cutout(1, 0, (20, 40, 38, 20))]))
    assert (row["clean"], row["precision"], row["track_recall"]) == (1, 0.5, pytest.approx(1 / 3))


def test_the_nearest_two_of_a_track_are_told(tmp_path):
    feet = [[0.0, 0.0], [3.0, 4.0], [3.0, 6.0]]
    rows = [cutout(k, 0, CAR, track=int(k > 0)) | {"foot_xy_m": at} for k, at in enumerate([feet[0], *feet])]
    assert measure(write_camera(tmp_path / "near", TRUTH, rows))[0]["nearest_of_track_m"] == 2
    alone = write_camera(tmp_path / "alone", TRUTH, rows[:2])
    assert measure(alone)[0]["nearest_of_track_m"] == float("inf")


def test_masks_are_measured_against_whole_masks(rows):
    assert rows["all"]["median_iou"] == 1 and rows["vehicle"]["median_iou"] == 1
    assert rows["all"]["camera"] == "hand"


def test_the_median_is_over_cutouts_of_somebody(tmp_path):
    folder = write_camera(tmp_path / "hand", TRUTH, CUTOUTS[1:2] + CUTOUTS[3:4])
    assert measure(folder)[0]["median_iou"] == pytest.approx(38 / 42)
