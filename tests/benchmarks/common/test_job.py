"""Which camera a benchmark measures, and where its manifest is."""

import sys

import pytest

from benchmarks.common import report
from benchmarks.common.job import MANIFESTS, QUICK_CAMERA, QUICK_SCENES, Site, sites
from benchmarks.common.report import Report
from data_manifest import CAMERAS


def test_a_camera_is_found_where_its_manifest_lies(tmp_path):
    assert sites(["cam07", "day07"]) == [Site("cam07", CAMERAS), Site("day07", MANIFESTS)]
    assert sites([QUICK_CAMERA])[0].options == QUICK_SCENES
    (tmp_path / "cam07.yaml").write_text("")
    assert sites(["cam07"], tmp_path) == [Site("cam07", tmp_path)]
    assert sites(["nowhere"]) == [Site("nowhere", CAMERAS)]


def asked(monkeypatch, tmp_path, *options):
    """The sites that a benchmark of cam07 and cam11 is given, and the file it writes."""
    given = []
    monkeypatch.setattr(report, "OUT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["bench", *options])
    report.main(
        "bench", "about", lambda quick, data, sites: given.extend(sites) or Report([]), cameras=("cam07", "cam11")
    )
    return [site.camera for site in given], [path.name for path in tmp_path.glob("*.json")]


def test_without_being_asked_it_measures_its_own(monkeypatch, tmp_path):
    assert asked(monkeypatch, tmp_path) == (["cam07", "cam11"], ["bench.json"])


def test_a_quick_run_measures_the_small_one(monkeypatch, tmp_path):
    assert asked(monkeypatch, tmp_path, "--quick") == ([QUICK_CAMERA], ["bench.quick.json"])


def test_another_camera_is_measured_in_their_place_and_its_numbers_are_kept_apart(monkeypatch, tmp_path):
    assert asked(monkeypatch, tmp_path, "--camera", "day07") == (["day07"], ["bench.day07.json"])


def test_what_no_manifest_knows_ends_with_what_the_job_said(tmp_path):
    with pytest.raises(SystemExit, match=r"no camera 'nowhere'"):
        Site("nowhere").demand("IngestFrames", tmp_path)
