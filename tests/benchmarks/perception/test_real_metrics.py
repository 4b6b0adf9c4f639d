import numpy as np
import pandas as pd
import pytest

from benchmarks.perception.real_metrics import detected, mined, tracked

SIZE_HW = (100, 200)


def annotated(frames=4):
    """Two people of 10 x 30 who walk past each other at a distance."""
    rows = [(f, person, x, y, 10.0, 30.0) for f in range(frames) for person, x, y in walkers(f)]
    return pd.DataFrame(rows, columns=["frame", "person", "x", "y", "w", "h"])


def walkers(f):
    return (7, 20.0 + 5 * f, 10.0), (9, 90.0 - 5 * f, 50.0)


def found(truth, score=0.9):
    return truth.rename(columns={"person": "track_id"}).assign(score=score)


def test_perfect_boxes_have_an_average_precision_of_one():
    ap50, matched = detected(annotated(), found(annotated()))
    assert ap50 == 1 and matched.all()


def test_no_boxes_have_none_and_without_truth_there_is_nothing_to_say():
    ap50, matched = detected(annotated(), found(annotated()).head(0))
    assert ap50 == 0 and not matched.any()
    ap50, matched = detected(annotated().head(0), found(annotated()))
    assert np.isnan(ap50) and len(matched) == 0


def test_half_of_the_boxes_have_half_of_it():
    truth = annotated()
    ap50, matched = detected(truth, found(truth[truth["person"] == 9]))
    # COCO reads precision at recalls 0, 0.01 .. 1: 51 of 101 are reached.
    assert ap50 == pytest.approx(51 / 101)
    np.testing.assert_array_equal(matched, truth["person"] == 9)


def test_false_boxes_cost_only_where_they_score_higher():
    truth = annotated()
    false = found(truth).assign(x=150.0)
    assert detected(truth, pd.concat([found(truth), false.assign(score=0.5)]))[0] == 1
    assert detected(truth, pd.concat([found(truth), false.assign(score=0.99)]))[0] == pytest.approx(0.5)


def test_a_box_is_found_once_and_at_an_iou_of_a_half():
    truth = annotated(1)
    assert detected(truth, found(truth).assign(h=15.0))[1].all()
    assert not detected(truth, found(truth).assign(h=14.0))[1].any()
    twice = pd.concat([found(truth).head(1)] * 2)
    assert detected(truth, twice)[1].tolist() == [True, False]


def test_a_false_box_in_a_frame_without_people_counts():
    truth = annotated(1)
    elsewhere = found(truth).assign(frame=30, score=0.99)
    assert detected(truth, pd.concat([found(truth), elsewhere]))[0] == pytest.approx(0.5)


def test_perfect_tracks_are_perfect():
    assert tracked(annotated(), found(annotated())) == pytest.approx(
        {"MOTA": 1, "IDF1": 1, "HOTA": 1, "DetA": 1, "switches": 0}
    )


def test_an_id_switch_costs_one_box_of_mota_and_half_an_identity():
    tracks = found(annotated())
    tracks.loc[(tracks["track_id"] == 7) & (tracks["frame"] >= 2), "track_id"] = 8
    scores = tracked(annotated(), tracks)
    assert scores["switches"] == 1
    assert scores["MOTA"] == pytest.approx(1 - 1 / 8)
    assert scores["IDF1"] == pytest.approx(6 / 8)
    # DetA knows no identities; HOTA^2 = DetA * AssA, and AssA is 1 for one, 2 of 4 frames for the other.
    assert scores["DetA"] == pytest.approx(1)
    assert scores["HOTA"] == pytest.approx(np.sqrt(0.75))


def test_missed_and_false_boxes_cost_mota_and_no_tracks_leave_nothing():
    truth = annotated()
    assert tracked(truth, found(truth[truth["person"] == 7]))["MOTA"] == pytest.approx(0.5)
    ghost = found(truth[truth["person"] == 7]).assign(track_id=3, x=150.0)
    assert tracked(truth, pd.concat([found(truth), ghost]))["MOTA"] == pytest.approx(0.5)
    assert tracked(truth, found(truth).head(0))["MOTA"] == 0


def test_a_false_track_costs_the_same_whether_anybody_is_there_or_not():
    truth = annotated()
    beside = found(truth[truth["person"] == 7]).assign(track_id=3, x=150.0)
    among, later = (tracked(truth, pd.concat([found(truth), g])) for g in (beside, beside.assign(frame=range(40, 44))))
    assert later == pytest.approx(among) and later["MOTA"] == pytest.approx(0.5)
    assert later["DetA"] == pytest.approx(8 / 12) and later["IDF1"] == pytest.approx(16 / 20)


def test_cutouts_are_whole_where_no_nearer_box_overlaps_theirs():
    truth = pd.DataFrame(
        [(0, 1, 20.0, 10.0, 10.0, 30.0), (0, 2, 25.0, 20.0, 10.0, 30.0), (0, 3, 80.0, 20.0, 10.0, 30.0)],
        columns=["frame", "person", "x", "y", "w", "h"],
    )
    whole = mined(truth, found(truth), SIZE_HW)
    assert whole == {"cutouts": 3, "of_tracks": 3, "precision": pytest.approx(2 / 3), "unlabelled": 0}
    # Half of the far right one is a mistake, what stands where nobody annotated a box is not known to be one.
    half, elsewhere = found(truth).iloc[[2]].assign(h=14.0), found(truth).iloc[[2]].assign(x=150.0)
    found_here = mined(truth, pd.concat([half, elsewhere, found(truth).iloc[[1]]]), SIZE_HW)
    assert found_here == {"cutouts": 3, "of_tracks": 2, "precision": pytest.approx(1 / 2), "unlabelled": 1}


def test_no_cutouts_have_no_precision():
    none = mined(annotated(), found(annotated()).head(0), SIZE_HW)
    assert none["cutouts"] == 0 and np.isnan(none["precision"])
