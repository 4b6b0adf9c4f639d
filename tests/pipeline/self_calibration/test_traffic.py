import datetime as dt

import numpy as np
import pyarrow as pa

from calibration.traffic.outlines import CAR, PERSON
from pipeline.self_calibration.traffic import traffic_of

SIZE = (480, 640)


def table(kinds):
    """Tracks of ten boxes that go to the right; kinds: (category, subcategory, width, height)."""
    rows = [
        {
            "track_id": n, "category": category, "subcategory": fine,
            "bbox_xywh": [20.0 + 40 * k, 40.0 + 90 * n, float(w), float(h)],
            "timestamp": dt.datetime(2025, 6, 3, 12, 0, k),
        }
        for n, (category, fine, w, h) in enumerate(kinds) for k in range(10)
    ]  # fmt: skip
    types = {"timestamp": pa.timestamp("us")}
    made = pa.Table.from_pylist(rows)
    return made.set_column(
        made.column_names.index("timestamp"), "timestamp", made["timestamp"].cast(types["timestamp"])
    )


def test_people_who_walk_and_cars_are_kept():
    seen = traffic_of(
        table([("person", "person", 20, 50), ("vehicle", "car", 60, 40), ("vehicle", "bus", 60, 60),
               ("person", "rider", 30, 50)]), SIZE
    )  # fmt: skip
    assert sorted(seen.kind.tolist()) == [PERSON, CAR]


def test_by_shape_the_upright_walk_and_the_wide_drive_whatever_they_were_called():
    seen = traffic_of(
        table([("vehicle", None, 20, 50), ("person", "person", 60, 40), ("vehicle", None, 40, 60)]), SIZE, by_shape=True
    )
    assert sorted(seen.kind.tolist()) == [PERSON, CAR]
    person = seen.box_xywh[seen.kind == PERSON][0]
    assert np.nanmax(person[:, 2]) == 20


def test_an_empty_table_is_no_traffic():
    assert len(traffic_of(table([("vehicle", "car", 60, 40)]).slice(0, 0), SIZE).kind) == 0
