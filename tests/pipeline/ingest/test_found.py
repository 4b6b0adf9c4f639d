from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from data_manifest.times import TimeBucket, hour_bucket
from pipeline.ingest import (
    FoundFrame,
    IngestSettings,
    index_table,
)

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2025, 6, 3, 7, 59, 58, tzinfo=BERLIN)


def found(seconds, status="ok", size_hw=(48, 64)):
    return FoundFrame(START + timedelta(seconds=seconds), f"{seconds}.jpg", -1, size_hw, status)


def table(frames, bucket_of=hour_bucket, **settings):
    return index_table(frames, bucket_of, IngestSettings(**settings), what="the gate")


def test_frames_are_numbered_by_time_in_utc_with_local_buckets():
    t = table([found(3), found(0), found(1)])
    assert t["frame_id"].to_pylist() == [0, 1, 2]
    assert t["source"].to_pylist() == ["0.jpg", "1.jpg", "3.jpg"]
    assert t["timestamp"][0].as_py().hour == 5  # Berlin in summer
    assert t["bucket"].to_pylist() == ["h07", "h07", "h08"]


def test_a_pause_longer_than_the_setting_ends_a_sequence():
    t = table([found(s) for s in (0, 1, 3, 5.5, 6, 60)], max_gap_s=2)
    assert t["sequence"].to_pylist() == [0, 0, 0, 1, 1, 2]


def test_unreadable_frames_are_kept_with_their_reason_up_to_a_fraction():
    frames = [found(s) for s in range(9)] + [found(9, "corrupt JPEG")]
    t = table(frames, max_unreadable_fraction=0.1)
    assert t["status"].to_pylist()[-1] == "corrupt JPEG"
    with pytest.raises(ValueError, match="the gate: 1 of 10 frames cannot be read, 10%, more than the allowed 5%"):
        table(frames, max_unreadable_fraction=0.05)
    with pytest.raises(ValueError, match="the gate: no frame can be read; the first: bad"):
        table([found(0, "bad")], max_unreadable_fraction=1)
    with pytest.raises(ValueError, match="the gate: no frame can be read"):
        table([])


def test_frames_of_another_size_are_unreadable():
    t = table([*(found(s) for s in range(5)), found(5, size_hw=(10, 20))], max_unreadable_fraction=0.2)
    assert t["status"].to_pylist()[-1] == "size 20x10, the others are 64x48"
    assert set(t["width"].to_pylist()) == {64}


def test_frames_outside_every_bucket_are_left_out():
    night = TimeBucket("night", time(22), time(8))

    def bucket_of(moment):
        return night.name if night.holds(moment.time()) else None

    assert table([found(0), found(3)], bucket_of).num_rows == 1
    with pytest.raises(ValueError, match="the gate: none of its 1 frames falls into a time bucket"):
        table([found(3)], bucket_of)


@pytest.mark.parametrize(("clock", "inside"), [("21:59", False), ("22:00", True), ("03:00", True), ("05:00", False)])
def test_buckets_run_over_midnight(clock, inside):
    assert TimeBucket("night", time(22), time(5)).holds(time.fromisoformat(clock)) is inside
    assert TimeBucket("day", time(5), time(22)).holds(time.fromisoformat(clock)) is not inside
