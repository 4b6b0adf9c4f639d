"""The day of repeated frames: every hour shows the same pictures, and rows say what grows."""

from pathlib import Path

import pytest
import yaml

from benchmarks.common.job import Run
from benchmarks.pipeline.long_day import FPS, day_manifest, hour_manifest, repeated, rows_of
from data_manifest import load_camera


def test_every_hour_shows_the_rendered_one_again(tmp_path):
    pictures = [tmp_path / f"{n}.jpg" for n in range(36)]
    for number, path in enumerate(pictures):
        path.write_text(str(number))
    count = repeated(pictures, 3, 30, tmp_path / "day")
    shown = [int(path.read_text()) for path in sorted((tmp_path / "day").iterdir())]
    assert len(shown) == count == int(90 * FPS)
    begins = [int(n / FPS) // 30 for n in range(count)]
    for hour in range(3):
        of_it = [s for s, h in zip(shown, begins, strict=True) if h == hour]
        assert of_it == list(range(len(of_it))) and 34 <= len(of_it) <= 35


@pytest.mark.parametrize("hour_s", [30, 3600])
def test_manifests_are_read_and_every_hour_is_a_bucket(tmp_path, hour_s):
    (tmp_path / "day").mkdir()
    (tmp_path / "day" / "0.jpg").touch()
    for name, manifest in {"a": hour_manifest(hour_s), "b": day_manifest(Path("day"), 24, hour_s)}.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(manifest))
    load_camera("a", tmp_path)
    assert len(load_camera("b", tmp_path).manifest.buckets or ()) == 24


def test_a_row_says_how_much_memory_grows_and_what_a_frame_more_costs():
    small, large = Run(0, 6.0, 200_000_000, ""), Run(0, 60.0, 220_000_000, "")
    row = rows_of("TrackObjects", [1000, 8000], [(small, 5.0), (large, 12.0)])
    assert row["growth"] == pytest.approx(1.1) and row["cpu_ms_a_frame"] == pytest.approx(1.0) and row["minutes"] == 1
