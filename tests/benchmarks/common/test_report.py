import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.common import report
from benchmarks.common.report import Bar, Report
from benchmarks.common.results import kept


@pytest.mark.parametrize(
    ("value", "limits", "met"),
    [
        (0.9, {"at_least": 0.9}, True),
        (0.89, {"at_least": 0.9}, False),
        (10.0, {"at_most": 10}, True),
        (10.1, {"at_most": 10}, False),
        (float("nan"), {"at_least": 0.0}, False),
        (float("nan"), {"at_most": 1.0}, False),
    ],
)
def test_a_bar_is_met_up_to_its_limit_and_never_by_nan(value, limits, met):
    assert Bar("it", value, **limits).met is met
    assert ("FELL SHORT" in str(Bar("it", value, **limits))) is not met


def ran(monkeypatch, tmp_path, options, value):
    monkeypatch.setattr(report, "OUT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["bench", *options])
    made = Report([{"camera": "a", "fraction": np.float64(value)}], [Bar("fraction", np.float64(value), at_least=0.5)])
    report.main("bench", "about", lambda quick, data: made)


def test_check_names_what_fell_short_and_the_numbers_are_written_all_the_same(monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match=r"benchmarks\.bench: fell short: fraction"):
        ran(monkeypatch, tmp_path, ["--check"], 0.25)
    written = json.loads((tmp_path / "bench.json").read_text())
    assert written["rows"] == [{"camera": "a", "fraction": 0.25}]
    assert written["bars"][0]["met"] is False
    assert written["commit"] and "cores" in written["machine"]


def test_without_check_a_short_bar_is_told_and_quick_runs_are_kept_apart(monkeypatch, tmp_path, capsys):
    ran(monkeypatch, tmp_path, ["--quick"], 0.25)
    assert "FELL SHORT" in capsys.readouterr().out
    assert [p.name for p in tmp_path.iterdir()] == ["bench.quick.json"]


def test_a_file_that_is_not_there_is_one_line_and_leaves_no_numbers(monkeypatch, tmp_path):
    def measure(quick, data):
        raise FileNotFoundError("weights.safetensors: no weights ship; `make train` writes some")

    monkeypatch.setattr(report, "OUT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["bench"])
    with pytest.raises(SystemExit, match=r"benchmarks\.bench: weights\.safetensors: no weights ship; `make train`"):
        report.main("bench", "about", measure)
    assert not list(tmp_path.iterdir())


def test_rows_of_other_keys_are_another_table():
    rows = [{"camera": "a", "fraction": 0.5}, {"camera": "b", "fraction": 0.25}, {"seconds": 3.0}]
    first, second = report.table(rows).split("\n\n")
    assert first.splitlines()[2:] == ["| a | 0.5 |", "| b | 0.25 |"] and second.splitlines() == [
        "| seconds |",
        "| --- |",
        "| 3 |",
    ]


@pytest.mark.parametrize("path", sorted(Path(report.HERE).rglob("*.py")), ids=lambda p: p.stem)
def test_every_benchmark_says_what_it_measures(path):
    if "__main__" in path.read_text() and path.stem != "results":
        line = [sys.executable, "-m", f"benchmarks.{path.stem}", "--help"]
        ended = subprocess.run(line, cwd=report.HERE.parent, capture_output=True, text=True)
        assert ended.returncode == 0 and "usage" in ended.stdout


def test_the_results_keep_the_sections_of_what_was_not_run_again():
    document = "# Results\n\nAn opening.\n\n## a\n\none\n\n### detail\n\n## b\n\ntwo\n"
    assert kept(document) == {"a": "## a\n\none\n\n### detail", "b": "## b\n\ntwo"}
