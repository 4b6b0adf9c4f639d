"""Files are what they hold: touched and copied ones are the same, whatever their times say."""

import os

import numpy as np
import pyarrow.parquet as pq
import pytest

from tasks.common.contents import contents, remember, stamp


def test_a_stamp_is_of_what_a_file_holds(tmp_path):
    big = np.random.default_rng(0).integers(0, 256, 3_000_000, np.uint8)
    path, copy = tmp_path / "a.bin", tmp_path / "b" / "a.bin"
    copy.parent.mkdir()
    path.write_bytes(big.tobytes())
    before = stamp(path)
    os.utime(path, (1, 1))
    copy.write_bytes(path.read_bytes())
    assert stamp(path) == stamp(copy) == before
    for place in (0, 1_500_000, 2_999_999):
        changed = big.copy()
        changed[max(place - 70_000, 0) : place + 70_000] += 1
        copy.write_bytes(changed.tobytes())
        assert stamp(copy) != before
    copy.write_bytes(big.tobytes() + b"x")
    assert stamp(copy) != before


def test_many_files_are_read_once_and_again_when_one_changes(tmp_path):
    files = [(f"{n}.jpg", tmp_path / f"{n}.jpg") for n in range(5)]
    for n, (_, path) in enumerate(files):
        path.write_bytes(bytes([n]) * 100)
    remembered = tmp_path / "seen.json"
    first = contents(files, remembered)
    assert first.startswith("5 of ") and not remembered.exists()
    remember(files, remembered)
    assert contents(files, remembered) == first
    for _, path in files:
        os.utime(path, (5, 5))
    assert contents(files, remembered) == first
    written = remembered.read_text()
    remember(files, remembered)
    assert remembered.read_text() != written and contents(files, remembered) == first
    # The shortcut is by name, size and time: it is believed, and gone where any of them differs.
    files[3][1].write_bytes(b"x" * 100)
    assert contents(files, remembered) != first
    assert contents(files[:4], tmp_path / "none" / "seen.json") != first
    remembered.write_text("{not json")
    assert contents(files, remembered).startswith("5 of ")


@pytest.mark.parametrize("change", ["touched", "copied", "moved", "described"])
def test_a_video_that_is_only_touched_copied_or_moved_runs_nothing_again(house, change):
    video = house.video()
    assert house.luigi("MedianBackground", "--camera", "gate")[0] == 0
    before = {p: p.stat().st_mtime_ns for p in house.data.rglob("*.p*") if p.name != "index.parquet"}
    more = {}
    if change == "touched":
        os.utime(video, (2e9, 2e9))
    if change == "copied":
        video.write_bytes(video.read_bytes())
    if change == "described":
        more["description"] = "another word"
    if change == "moved":
        (house.folder / "archive").mkdir()
        video = video.rename(house.folder / "archive" / "other.avi")
    house.camera("gate", {"kind": "video", "path": str(video), "start": "2025-06-03T07:59:58"}, **more)
    code, _, lines = house.luigi("MedianBackground", "--camera", "gate")
    assert code == 0 and not lines
    assert {p: p.stat().st_mtime_ns for p in before} == before
    code, _, lines = house.luigi("DetectObjects", "--camera", "gate")
    assert code == 0, lines
    assert not any("IngestFrames" in line for line in lines)
    assert set(pq.read_table(house.data / "gate/frames/index.parquet")["source"].to_pylist()) == {str(video)}


def test_a_video_with_other_pictures_is_told(house):
    house.video()
    assert house.luigi("IngestFrames", "--camera", "gate")[0] == 0
    house.video(count=50)
    code, _, lines = house.luigi("IngestFrames", "--camera", "gate")
    assert code != 0 and "gate: IngestFrames is done with other settings: IngestFrames files: found 1 of" in lines[-1]
    assert house.luigi("IngestFrames", "--camera", "gate", "--redo")[0] == 0
