"""Which camera a benchmark measures, and where its manifest is."""

import json
import sys

import pytest
import yaml
from footage import write_video

from benchmarks.common import report
from benchmarks.common.job import IN_THE_WAY, MANIFESTS, QUICK_CAMERA, QUICK_SCENES, Site, sites
from benchmarks.common.report import Report
from data_manifest import CAMERAS
from tasks.common.variants import DataSet


def test_a_camera_is_found_where_its_manifest_lies(tmp_path):
    assert sites(["cam07", "day07"]) == [Site("cam07", CAMERAS), Site("day07", MANIFESTS)]
    assert sites([QUICK_CAMERA])[0].options == QUICK_SCENES
    (tmp_path / "cam07.yaml").write_text("")
    assert sites(["cam07"], tmp_path) == [Site("cam07", tmp_path)]
    assert sites(["nowhere"]) == [Site("nowhere", CAMERAS)]


def asked(monkeypatch, tmp_path, *options, cameras=("cam07", "cam11")):
    """The sites that a benchmark of these cameras is given, and the file it writes."""
    given = []
    monkeypatch.setattr(report, "OUT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["bench", *options])
    report.main("bench", "about", lambda quick, data, sites: given.extend(sites) or Report([]), cameras=cameras)
    return [site.camera for site in given], sorted(path.name for path in tmp_path.glob("*.json"))


def test_without_being_asked_it_measures_its_own(monkeypatch, tmp_path):
    assert asked(monkeypatch, tmp_path) == (["cam07", "cam11"], ["bench.json"])


def test_a_quick_run_measures_the_small_one(monkeypatch, tmp_path):
    assert asked(monkeypatch, tmp_path, "--quick") == ([QUICK_CAMERA], ["bench.quick.json"])


def test_another_camera_is_measured_in_their_place_and_its_numbers_are_kept_apart(monkeypatch, tmp_path):
    assert asked(monkeypatch, tmp_path, "--camera", "day07") == (["day07"], ["bench.day07.json"])


def test_naming_the_only_camera_of_a_benchmark_is_its_full_run(monkeypatch, tmp_path):
    assert asked(monkeypatch, tmp_path, "--camera", "cam07", cameras=("cam07",)) == (["cam07"], ["bench.json"])
    own = asked(monkeypatch, tmp_path, "--camera", "cam07", "--manifests", str(tmp_path), cameras=("cam07",))
    assert own == (["cam07"], ["bench.cam07.json", "bench.json"]), "a manifest of one's own is another camera"


def test_what_no_manifest_knows_ends_with_what_the_job_said(tmp_path):
    with pytest.raises(SystemExit, match=r"no camera 'nowhere'"):
        Site("nowhere").demand("IngestFrames", tmp_path)


def test_what_an_earlier_benchmark_left_of_other_settings_is_made_again(tmp_path):
    video = write_video(tmp_path / "gate.avi", 6, size_hw=(96, 128))
    source = {"kind": "video", "path": str(video), "start": "2025-06-03T12:00:00", "time_zone": "UTC"}
    calibration = {"focal_px": 120, "tilt_deg": 25, "height_m": 6}
    (tmp_path / "gate.yaml").write_text(yaml.safe_dump({"source": source, "calibration": calibration}))
    for count in (5, 3):
        folder = Site("gate", tmp_path).demand("MedianBackground", tmp_path / "data", "--max-frames", str(count))
        record = json.loads((folder / ".stages/MedianBackground.json").read_text())
        assert record["state"] == "done"
        assert record["made_of"]["MedianBackground"]["settings"]["max_frames"] == count


def test_the_data_set_in_the_way_is_read_from_what_the_job_says(tmp_path):
    told = DataSet(tmp_path / "cam07", "walt2d_ordered").refusal({}, tmp_path / "cam07.yaml")
    assert IN_THE_WAY.search(f"error: {told}\n").groups() == ("cam07", "walt2d_ordered")
