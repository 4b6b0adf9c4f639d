from datetime import datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from footage import write_jpeg, write_video

from data_manifest.times import NameTimes, TimeBucket, hour_bucket
from pipeline.core.frames import SEEKABLE, FrameReader
from pipeline.ingest import (
    FoundFrame,
    IngestSettings,
    find_images,
    find_in_video,
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


def test_a_video_is_sampled_by_its_own_clock_or_the_given_rate(tmp_path):
    path = write_video(tmp_path / "v.avi", 60, fps=10)
    frames, seekable = find_in_video(path, START, fps=None, every=20)
    assert seekable
    assert [f.position for f in frames] == [0, 20, 40]
    assert [(f.timestamp - START).total_seconds() for f in frames] == pytest.approx([0, 2, 4])
    real, _ = find_in_video(path, START, fps=7, every=20)
    assert [(f.timestamp - START).total_seconds() for f in real] == pytest.approx([0, 20 / 7, 40 / 7], abs=1e-5)
    t = index_table(frames, hour_bucket, IngestSettings(max_gap_s=3), what="v", seekable=seekable)
    assert t.schema.metadata[SEEKABLE] == b"1"
    assert [i for i, _ in FrameReader(t, tmp_path).read([0, 1, 2])] == [0, 1, 2]


def test_a_video_cut_off_has_unreadable_frames_at_its_end(tmp_path):
    whole = write_video(tmp_path / "v.avi", 200)
    cut = tmp_path / "cut.avi"
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) * 6 // 10])
    frames, _ = find_in_video(cut, START, fps=None, every=1)
    bad = [f for f in frames if f.status != "ok"]
    assert 0.2 < len(bad) / len(frames) < 0.6
    assert "the video breaks off in frame" in bad[0].status
    assert all(a.timestamp < b.timestamp for a, b in pairwise(frames))
    with pytest.raises(ValueError, match=r"cut\.avi: .* frames cannot be read"):
        index_table(frames, hour_bucket, IngestSettings(), what=str(cut))


def test_images_are_sorted_by_the_time_in_their_names(tmp_path):
    for n, clock in enumerate(("080002", "075959", "080001")):
        write_jpeg(tmp_path / f"b{9 - n}_20250603-{clock}_x.jpg", n)
    data = (tmp_path / "b8_20250603-075959_x.jpg").read_bytes()
    (tmp_path / "b8_20250603-075959_x.jpg").write_bytes(data[:-40])
    frames = find_images(tmp_path, "*.jpg", NameTimes("*_%Y%m%d-%H%M%S_*"), BERLIN)
    assert [f.timestamp.second for f in frames] == [59, 1, 2]
    assert [f.status == "ok" for f in frames] == [False, True, True]
    assert "corrupt JPEG" in frames[0].status
    assert len(find_images(tmp_path, "*.jpg", NameTimes("*_%Y%m%d-%H%M%S_*"), BERLIN, every=2)) == 2


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file matches '\*\.jpg'"):
        find_images(tmp_path, "*.jpg", NameTimes("%H%M%S"), BERLIN)


def test_times_in_names():
    stamp = NameTimes("cam*_%Y-%m-%dT%H.%M.%S")
    assert stamp.parse(Path("cam12_2025-02-03T04.05.06.jpg")) == datetime(2025, 2, 3, 4, 5, 6)
    for bad in ("cam_2025-02-30T04.05.06.jpg", "thumbs.jpg"):
        with pytest.raises(ValueError, match="does not tell its time"):
            stamp.parse(Path(bad))
    for pattern in ("%Q", "frame", "%H_%H"):
        with pytest.raises(ValueError, match="expected"):
            NameTimes(pattern)


def test_the_index_does_not_depend_on_the_number_of_workers(tmp_path):
    for n in range(6):
        write_jpeg(tmp_path / f"{n:06d}.jpg", n)
    one = find_images(tmp_path, "*.jpg", NameTimes("%H%M%S"), BERLIN)
    two = find_images(tmp_path, "*.jpg", NameTimes("%H%M%S"), BERLIN, engine="process", cpus=2)
    assert one == two
    assert np.all([f.size_hw == (48, 64) for f in one])
