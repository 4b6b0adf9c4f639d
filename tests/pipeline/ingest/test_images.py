import shutil
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from footage import grey, write_jpeg

from data_manifest.times import NameTimes
from pipeline.ingest import find_images
from pipeline.ingest.look import REPEAT

BERLIN = ZoneInfo("Europe/Berlin")


def seconds(frames):
    return [(f.timestamp - frames[0].timestamp).total_seconds() for f in frames]


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


def test_the_index_does_not_depend_on_the_number_of_workers(tmp_path):
    for n in range(6):
        write_jpeg(tmp_path / f"{n:06d}.jpg", n)
    one = find_images(tmp_path, "*.jpg", NameTimes("%H%M%S"), BERLIN)
    two = find_images(tmp_path, "*.jpg", NameTimes("%H%M%S"), BERLIN, engine="process", cpus=2)
    assert one == two
    assert np.all([f.size_hw == (48, 64) for f in one])


def test_numbered_images_are_timed_by_their_numbers(tmp_path):
    for n in (7, 8, 10, 100):
        write_jpeg(tmp_path / f"cam2_in{n}.jpg", n)
    frames = find_images(tmp_path, "*.jpg", None, BERLIN, start=datetime(2025, 6, 3, 7), fps=10)
    assert frames[0].timestamp == datetime(2025, 6, 3, 5, tzinfo=UTC)
    assert seconds(frames) == pytest.approx([0, 0.1, 0.3, 9.3])
    write_jpeg(tmp_path / "cam3_in7.jpg")
    with pytest.raises(ValueError, match=r"cam3_in7\.jpg: has the number of cam2_in7\.jpg, 7; narrow source\.glob"):
        find_images(tmp_path, "*.jpg", None, BERLIN, start=datetime(2025, 6, 3, 7), fps=10)


def test_frames_of_a_second_by_their_number_in_it(tmp_path):
    for n in range(20):
        write_jpeg(tmp_path / f"2025060307000{n // 4}-{n % 4:02d}.jpg", n)
    frames = find_images(tmp_path, "*.jpg", NameTimes("%Y%m%d%H%M%S-%q"), BERLIN)
    assert seconds(frames) == pytest.approx(np.arange(20) / 4)
    slower = find_images(tmp_path, "*.jpg", NameTimes("%Y%m%d%H%M%S-%q"), BERLIN, fps=8)
    assert seconds(slower)[:5] == pytest.approx([0, 1 / 8, 2 / 8, 3 / 8, 1])


def test_equal_times_are_told(tmp_path):
    for n in range(20):
        write_jpeg(tmp_path / f"2025060307000{n // 4}-{n % 4:02d}.jpg", n)
    told = []
    frames = find_images(tmp_path, "*.jpg", NameTimes("%Y%m%d%H%M%S-*"), BERLIN, tell=told.append)
    assert len(told) == 1 and "15 of 20 frames have the time of another" in told[0] and "%q" in told[0]
    assert [Path(f.source).name for f in frames] == sorted(p.name for p in tmp_path.iterdir())
    assert seconds(frames) == pytest.approx(np.arange(20) / 4)


def test_the_date_may_be_a_folders_name(tmp_path):
    for n, name in enumerate(("2025-06-03/070000", "2025-06-03/070001", "2025-06-04/070000")):
        write_jpeg(tmp_path / f"days/{name}.jpg", n)
    frames = find_images(tmp_path / "days", "**/*.jpg", NameTimes("%Y-%m-%d/%H%M%S"), BERLIN)
    assert seconds(frames) == [0, 1, 24 * 3600]
    with pytest.raises(
        ValueError, match=r"'%H%M%S' has no date.* more than one day: .*2025-06-04/070000\.jpg comes after"
    ):
        find_images(tmp_path / "days", "**/*.jpg", NameTimes("%H%M%S"), BERLIN)
    told = []
    one_day = find_images(tmp_path / "days/2025-06-03", "*.jpg", NameTimes("%H%M%S"), BERLIN, tell=told.append)
    assert seconds(one_day) == [0, 1] and "tell no date" in told[0]
    dated = find_images(
        tmp_path / "days/2025-06-03", "*.jpg", NameTimes("%H%M%S"), BERLIN, start=datetime(2025, 6, 3), tell=told.append
    )
    assert dated[0].timestamp == datetime(2025, 6, 3, 5, tzinfo=UTC) and len(told) == 1
    # The folder that the manifest names may hold the date itself.
    same = find_images(tmp_path / "days/2025-06-03", "*.jpg", NameTimes("%Y-%m-%d/%H%M%S"), BERLIN)
    assert [f.timestamp for f in same] == [f.timestamp for f in dated]


@pytest.mark.parametrize("name", ["img_{n:04d}_{clock}.jpg", "img_{clock}_{n:04d}.jpg"])
def test_the_hour_that_a_clock_repeats_is_resolved_by_the_files_order(tmp_path, name):
    clocks = [f"2025102601{m:02d}00" for m in (40, 50)]
    clocks += [f"2025102602{m:02d}00" for m in range(0, 60, 10)] * 2 + ["20251026030000"]
    for n, clock in enumerate(clocks):
        write_jpeg(tmp_path / name.format(n=n, clock=clock), n)
    told = []
    pattern = name.format(n=0, clock="%Y%m%d%H%M%S").replace("0000", "*").removesuffix(".jpg")
    frames = find_images(tmp_path, "*.jpg", NameTimes(pattern), BERLIN, tell=told.append)
    assert seconds(frames) == [600 * n for n in range(15)]
    assert len(told) == 1 and "12 frames are of an hour that Europe/Berlin had twice" in told[0] and " 6 of" in told[0]


def test_a_time_that_the_zone_never_had_is_refused(tmp_path):
    for n, clock in enumerate(("015900", "023000", "030000")):
        write_jpeg(tmp_path / f"20250330{clock}.jpg", n)
    with pytest.raises(ValueError, match=r"02:30:00: Europe/Berlin has no such time.*does the recorder's clock follow"):
        find_images(tmp_path, "*.jpg", NameTimes("%Y%m%d%H%M%S"), BERLIN)
    assert len(find_images(tmp_path, "*.jpg", NameTimes("%Y%m%d%H%M%S"), ZoneInfo("Etc/GMT-1"))) == 3


def test_an_order_that_goes_back_is_told(tmp_path):
    for n, clock in enumerate((5, 6, 7, 3, 4)):
        write_jpeg(tmp_path / f"{n}_2025060307000{clock}.jpg", n)
    told = []
    frames = find_images(tmp_path, "*.jpg", NameTimes("*_%Y%m%d%H%M%S"), BERLIN, tell=told.append)
    assert seconds(frames) == [0, 1, 2, 3, 4]
    assert "the times go back 1 times in the order of the names, first at" in told[0]


def test_seconds_since_1970_are_utc_whatever_the_zone(tmp_path):
    for n in range(3):
        write_jpeg(tmp_path / f"{1748930400 + n}.jpg", n)
    frames = find_images(tmp_path, "*.jpg", NameTimes("%s"), BERLIN)
    assert frames[0].timestamp == datetime(2025, 6, 3, 6, tzinfo=UTC) and seconds(frames) == [0, 1, 2]


def test_a_picture_that_comes_again_is_left_out(tmp_path):
    for n in range(4):
        write_jpeg(tmp_path / f"2025060307000{n}.jpg", n)
    shutil.copy(tmp_path / "20250603070001.jpg", tmp_path / "20250603070002.jpg")
    frames = find_images(tmp_path, "*.jpg", NameTimes("%Y%m%d%H%M%S"), BERLIN)
    assert [f.status for f in frames] == ["ok", "ok", REPEAT, "ok"]
    assert grey(1).shape == (*frames[0].size_hw, 3)
