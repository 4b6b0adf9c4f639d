"""Which files a benchmark depends on, and a section that says it is stale."""

from pathlib import Path

import pytest

from benchmarks.common import code_used
from benchmarks.common.code_used import ROOT, changed_since, files_used
from benchmarks.common.results import marked, staleness


def names(name):
    return {str(path.relative_to(ROOT)) for path in files_used(name)}


def test_a_benchmark_depends_on_what_it_imports_however_far():
    found = names("apollo_fit")
    assert {"benchmarks/vehicles/apollo_fit.py", "pipeline/reconstruction/vehicles/solver.py"} <= found
    assert not any(one.startswith("tasks/") for one in found)
    assert {"tasks/mine.py", "pipeline/mining/filter.py"} <= names("main_job")
    with pytest.raises(ValueError, match=r"benchmarks\.none: no such benchmark"):
        files_used("none")


def test_other_contents_are_a_change(tmp_path, monkeypatch):
    monkeypatch.setattr(code_used, "ROOT", tmp_path)
    file = tmp_path / "a.py"
    file.write_text('"""One."""\nx = 1\n')
    for command in (["init", "-q"], ["add", "a.py"], ["-c", "user.name=a", "-c", "user.email=a", "commit", "-qm", "a"]):
        assert code_used._git(*command) is not None
    commit = code_used._git("rev-parse", "HEAD").strip()
    assert changed_since(commit, [file]) == []
    file.write_text("x = 2\n")
    assert changed_since(commit, [file]) == ["a.py"]
    assert changed_since("0" * 40, [file]) is None
    assert code_used.commits_since(commit) == 0


def test_a_section_is_marked_once_and_only_while_it_is_stale(monkeypatch):
    section = "## house\n\n`python -m benchmarks.house`, commit 0123456789, here, 3 s\n\n| a |"
    monkeypatch.setattr("benchmarks.common.results.changed_since", lambda commit, files: ["pipeline/a.py"])
    monkeypatch.setattr("benchmarks.common.results.commits_since", lambda commit: 129)
    stale = marked("house", section)
    assert stale.split("\n\n")[2].startswith("**Stale**: 1 of the ") and "129 commits: `pipeline/a.py`" in stale
    assert marked("house", stale) == stale
    monkeypatch.setattr("benchmarks.common.results.changed_since", lambda commit, files: [])
    assert marked("house", stale) == section and staleness("house", section) == ""
    assert "no such benchmark any more" in marked("gone", section.replace("house", "gone"))
    assert Path(ROOT / "docs" / "results.md").is_file()
