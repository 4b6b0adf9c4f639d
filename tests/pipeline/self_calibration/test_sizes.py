import numpy as np
import pyarrow as pa

from pipeline.self_calibration.sizes import busiest, in_frame, sightings_of


def tracks(rows):
    names = ("track_id", "frame_id", "category", "subcategory", "x")
    table = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    boxes = [[float(x), 300.0, 40.0, 90.0] for x in table.pop("x")]
    return pa.table(table | {"bbox_xywh": boxes})


ROWS = [
    (1, 0, "person", None, 100), (1, 5, "person", None, 200), (2, 0, "vehicle", "car", 300),
    (2, 5, "vehicle", "car", 400), (3, 5, "vehicle", "bus", 500), (4, 5, "person", "rider", 600),
    (-1, 30, "vehicle", None, 700), (5, 30, "vehicle", None, 800),
]  # fmt: skip


def test_buses_riders_and_the_untracked_are_no_rulers():
    seen = sightings_of(tracks(ROWS), (720, 1280))
    assert sorted(set(seen.track.tolist())) == [1, 2, 5]
    assert seen.is_person[seen.track == 1].all() and np.isnan(seen.later_px[seen.track == 5]).all()
    assert len(sightings_of(tracks(ROWS).slice(0, 0), (720, 1280)).track) == 0


def test_the_busiest_frames_come_first_and_apart():
    assert busiest(tracks(ROWS), 3) == [5, 30]


def test_a_frames_own_boxes_know_where_they_go():
    seen = in_frame(tracks(ROWS), 5, (720, 1280))
    assert sorted(seen.box_xywh[:, 0].tolist()) == [200, 400, 500, 600]
    assert np.isfinite(seen.later_px[seen.track == 2]).all() and np.isnan(seen.later_px[seen.track == 3]).all()
