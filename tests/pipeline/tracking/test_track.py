"""Boxes on a street seen from 8 m: crossing, jumping, pausing and coming back."""

import numpy as np
import pyarrow as pa
import pytest
from walkers import CAMERA, PLANE, box_at, car, frames_of, person

from pipeline.core.tables import DETECTIONS, TRACKS
from pipeline.tracking.ground_speed import foot_points
from pipeline.tracking.track import TrackingSettings, track


def detections_of(seen: list[tuple[int, str, list[float]]], score: float = 0.9) -> pa.Table:
    """(frame_id, category, box) in frame order."""
    number: dict[int, int] = {}
    rows = []
    for frame_id, category, box in seen:
        number[frame_id] = number.get(frame_id, -1) + 1
        key = frame_id * 10_000 + number[frame_id]
        row = {"detection_id": key, "frame_id": frame_id, "category": category, "score": score}
        rows.append(row | {"bbox_xywh": box, "mask_rle": "0"})
    return pa.Table.from_pylist(rows, schema=DETECTIONS)


def run(seen: list[tuple[int, str, list[float]]], frames: pa.Table, **settings) -> list[dict]:
    return track(detections_of(seen), frames, CAMERA, PLANE, TrackingSettings(**settings)).to_pylist()


@pytest.mark.parametrize("tracker", ["bytetrack", "sort", "botsort"])
def test_two_people_who_cross_in_front_of_each_other_keep_their_tracks(tracker):
    seen = []
    for k in range(30):
        seen += [(k, "person", person(-4 + 0.28 * k, 18.0)), (k, "person", person(4 - 0.28 * k, 21.0))]
    rows = run(seen, frames_of(30), tracker=tracker)
    assert [row["track_id"] for row in rows] == [0, 1] * 30


def test_every_detection_keeps_its_row_and_the_lone_one_is_untracked():
    seen = [
        (0, "vehicle", car(0, 20)),
        (1, "vehicle", car(0.5, 20)),
        (1, "person", person(9, 30)),
        (2, "vehicle", car(1, 20)),
    ]
    tracks = track(detections_of(seen), frames_of(4), CAMERA, PLANE, TrackingSettings())
    assert tracks.schema == TRACKS
    assert tracks["detection_id"].to_pylist() == [0, 10_000, 10_001, 20_000]
    assert tracks["track_id"].to_pylist() == [0, 0, -1, 0]
    assert np.isnan(tracks["velocity_xy_mps"][2].as_py()).all()


def test_ground_points_and_velocity_are_those_of_the_drive():
    rows = run([(k, "vehicle", car(-6 + 1.4 * k, 25.0)) for k in range(12)], frames_of(12))
    for k, row in enumerate(rows):
        np.testing.assert_allclose(row["foot_xy_m"], [-6 + 1.4 * k, 25.0], atol=1e-3)  # boxes are float32
        np.testing.assert_allclose(row["velocity_xy_mps"], [7.0, 0.0], atol=0.02)


def test_velocity_is_known_at_one_frame_a_second():
    rows = run([(k, "person", person(0.4 * k, 15.0)) for k in range(6)], frames_of(6, fps=1.0))
    np.testing.assert_allclose([row["velocity_xy_mps"] for row in rows], [[0.4, 0.0]] * 6, atol=0.01)


def test_a_track_is_split_where_it_jumps_faster_than_a_person_can():
    # Wide boxes still overlap after the jump, so that the tracker alone would go on.
    path = [0.1 * k for k in range(8)] + [4.0 + 0.1 * k for k in range(8)]
    wide = [(k, "person", box_at(x, 18.0, 5.0, 1.75)) for k, x in enumerate(path)]
    assert [row["track_id"] for row in run(wide, frames_of(16))] == [0] * 8 + [1] * 8
    assert {row["track_id"] for row in run(wide, frames_of(16), max_person_mps=40.0)} == {0}


def test_a_bottom_that_trembles_by_pixels_far_away_splits_nothing():
    # At 230 m a pixel is metres of ground; the speed limit alone would split at every frame.
    base = box_at(0.0, 230.0, 4.0, 3.0)
    shaky = [[base[0], base[1] + (2 if k % 2 else 0), base[2], base[3]] for k in range(12)]
    foot, slack = foot_points(np.array([[b[0], b[1], b[0] + b[2], b[1] + b[3]] for b in shaky[:2]]), CAMERA, PLANE, 3.0)
    assert np.linalg.norm(foot[1] - foot[0]) / 0.2 > 45.0 and (slack > 9.0).all()
    assert {row["track_id"] for row in run([(k, "vehicle", b) for k, b in enumerate(shaky)], frames_of(12))} == {0}


def test_tracks_end_with_their_sequence():
    seen = [(k, "vehicle", car(0.0, 20.0)) for k in range(10)]
    rows = run(seen, frames_of(10, sequence=[4] * 5 + [9] * 5))
    assert [row["track_id"] for row in rows] == [0] * 5 + [1] * 5


def test_a_short_absence_keeps_the_track_and_a_long_one_does_not():
    def path(gone: range) -> list[tuple[int, str, list[float]]]:
        return [(k, "vehicle", car(-5 + 0.8 * k, 22.0)) for k in range(24) if k not in gone]

    assert {row["track_id"] for row in run(path(range(8, 11)), frames_of(24))} == {0}
    assert {row["track_id"] for row in run(path(range(8, 18)), frames_of(24))} == {0, 1}


def test_a_track_takes_its_likelier_category():
    seen = [(k, "person" if k == 3 else "vehicle", car(0.5 * k, 20)) for k in range(8)]
    assert {row["category"] for row in run(seen, frames_of(8))} == {"vehicle"}


def test_rows_do_not_depend_on_the_order_of_the_detections():
    seen = [(k, "vehicle", car(a + 0.8 * k, 20 + a)) for k in range(10) for a in (-6.0, 5.0)]
    detections, frames = detections_of(seen), frames_of(10)
    shuffled = detections.take(pa.array(np.random.default_rng(3).permutation(len(seen))))
    forward = track(detections, frames, CAMERA, PLANE, TrackingSettings())
    back = track(shuffled, frames, CAMERA, PLANE, TrackingSettings()).sort_by("detection_id")
    np.testing.assert_array_equal(forward["track_id"].to_numpy() < 0, back["track_id"].to_numpy() < 0)
    pairs = set(zip(forward["track_id"].to_pylist(), back["track_id"].to_pylist(), strict=True))
    assert len(pairs) == len(set(forward["track_id"].to_pylist()))
    assert forward["foot_xy_m"].to_pylist() == back["foot_xy_m"].to_pylist()


def test_no_detections_give_an_empty_table():
    assert track(detections_of([]), frames_of(5), CAMERA, PLANE, TrackingSettings()).num_rows == 0


def test_a_box_above_the_horizon_has_no_ground_point_but_a_track():
    rows = run([(k, "vehicle", [600.0 + k, -30.0, 40.0, 20.0]) for k in range(5)], frames_of(5))
    assert {row["track_id"] for row in rows} == {0}
    assert np.isnan([row["foot_xy_m"] for row in rows]).all()


def test_detections_of_other_frames_are_refused():
    with pytest.raises(ValueError, match="frame 7 is not in the table of frames"):
        run([(7, "person", person(0, 20))], frames_of(5))


def test_an_unknown_tracker_is_named():
    with pytest.raises(ValueError, match="botsort, bytetrack, sort, got 'deepsort'"):
        TrackingSettings(tracker="deepsort")


def test_without_a_camera_boxes_are_tracked_in_the_picture_alone():
    seen = [(k, "person", person(0.3 * k, 12)) for k in range(8)]
    alone = track(detections_of(seen), frames_of(8), None, None, TrackingSettings()).to_pylist()
    assert [row["track_id"] for row in alone] == [row["track_id"] for row in run(seen, frames_of(8))]
    assert all(np.isnan(row["foot_xy_m"]).all() and np.isnan(row["velocity_xy_mps"]).all() for row in alone)
