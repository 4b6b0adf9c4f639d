from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest
from chance import examples
from footage import write_jpeg
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from data_manifest.times import hour_bucket
from pipeline.background import BackgroundJob, BackgroundSettings, background_shard, median, median_background
from pipeline.core.frames import FrameReader
from pipeline.core.storage import write_table
from pipeline.ingest import FoundFrame, IngestSettings, index_table


def numpys(stack):
    """np.median, the mean of two middle values rounded half up."""
    return np.floor(np.median(stack, axis=0) + 0.5).astype(np.uint8)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 5), st.just(3))))
def test_median_is_numpys(stack):
    assert np.array_equal(median(lambda: stack, len(stack)), numpys(stack))


@examples(5)
@given(st.integers(250, 520), st.integers(0, 9))
def test_median_of_more_frames_than_a_byte_counts(count, seed):
    stack = np.random.default_rng(seed).integers(0, 4, (count, 9), np.uint8) * 80
    assert np.array_equal(median(lambda: stack, count), numpys(stack))


def camera(folder, count, size_hw=(48, 64)):
    start = datetime(2025, 6, 3, 12, tzinfo=UTC)
    found = []
    for n in range(count):
        name = f"frames/images/{n:06d}.jpg"
        write_jpeg(folder / name, n, size_hw)
        found.append(FoundFrame(start + timedelta(seconds=n), name, -1, size_hw))
    return index_table(found, hour_bucket, IngestSettings(), what="test")


def test_strips_and_passes_give_the_same_bytes(tmp_path):
    table = camera(tmp_path, 8, (400, 1300))
    frames = [image for _, image in FrameReader(table, tmp_path).read(range(8))]
    for memory_mb in (400, 10, 1):  # one strip, two strips, a pass for each bit
        image = median_background(table, tmp_path, "h12", BackgroundSettings(memory_mb=memory_mb))
        assert np.array_equal(image, numpys(frames))


def test_what_stands_for_less_than_half_of_the_bucket_is_gone(tmp_path):
    rng = np.random.default_rng(3)
    street = rng.integers(60, 200, (20, 30, 3)).astype(np.uint8)
    stack = np.repeat(street[None], 21, axis=0)
    stack[:10, 5:15, 5:15] = 255
    assert np.array_equal(median(lambda: stack, 21), street)


def test_a_bucket_without_readable_frames_is_named(tmp_path):
    table = camera(tmp_path, 2)
    with pytest.raises(ValueError, match="time bucket h03: no readable frame"):
        median_background(table, tmp_path, "h03", BackgroundSettings())


def test_a_limit_takes_frames_from_the_whole_bucket(tmp_path):
    table = camera(tmp_path, 9)
    frames = dict(FrameReader(table, tmp_path).read(range(9)))
    image = median_background(table, tmp_path, "h12", BackgroundSettings(max_frames=3))
    assert np.array_equal(image, numpys([frames[i] for i in (0, 4, 8)]))


def test_a_shard_writes_its_png(tmp_path):
    table = camera(tmp_path, 5)
    write_table(tmp_path / "frames/index.parquet", table)
    picture, out = tmp_path / "median/h12.png", tmp_path / "median/h12.json"
    job = BackgroundJob("h12", tmp_path / "frames/index.parquet", tmp_path, picture, out, BackgroundSettings())
    background_shard(job)
    assert np.array_equal(cv2.imread(str(picture)), median_background(table, tmp_path, "h12", BackgroundSettings()))
    assert out.read_text() == "{}\n"


@pytest.mark.parametrize("wrong", [{"max_frames": -1}, {"memory_mb": 0}])
def test_settings_that_mean_nothing_are_named(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"background {name}: expected"):
        BackgroundSettings(**wrong)
