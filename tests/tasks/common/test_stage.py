import json
from dataclasses import dataclass, field
from pathlib import Path

import luigi
import pytest

from tasks.common.stage import Stage


@dataclass(frozen=True)
class First:
    word: str = field(default="a", metadata={"help": "what is written"})
    cores: int = field(default=1, metadata={"help": "changes nothing", "speed": True})


class ProbeFirst(Stage, settings=First):
    outputs = ("first/*.txt",)
    made: list = []  # noqa: RUF012  what was written, over all runs
    fail_after = 99

    def work(self, report):
        for number in range(3):
            path = self.folder / f"first/{number}.txt"
            if not path.exists():
                if len(self.made) == self.fail_after:
                    raise OSError("pulled the plug")
                path.parent.mkdir(exist_ok=True)
                path.write_text(self.settings.word)
                self.made.append(number)
        return "three files"


class ProbeSecond(Stage):
    outputs = ("second.txt",)
    made: list = []  # noqa: RUF012

    def requires(self):
        return self.clone(ProbeFirst)

    def depends_on(self):
        return self.entry.manifest.model_dump(mode="json")["classes"]

    def work(self, report):
        (self.folder / "second.txt").write_text("".join(p.read_text() for p in self.requires().files()))
        self.made.append("second")
        return "one file"


@pytest.fixture
def probes(house, monkeypatch):
    """(run, made): run both stages with other parameters; what was made since the last run."""
    house.video()
    monkeypatch.setattr(ProbeFirst, "made", [])
    monkeypatch.setattr(ProbeSecond, "made", [])

    def run(**first):
        luigi.task_register.Register.clear_instance_cache()
        from tasks.common import stage

        stage._load.cache_clear()
        ProbeFirst.made.clear()
        ProbeSecond.made.clear()
        upstream = ProbeFirst(camera="gate", data_root=str(house.data), manifests=str(house.manifests), **first)
        monkeypatch.setattr(ProbeSecond, "requires", lambda self: upstream)
        second = ProbeSecond(camera="gate", data_root=str(house.data), manifests=str(house.manifests))
        for task in (upstream, second):
            if not task.complete():
                task.set_status_message = task.set_progress_percentage = None
                task.run()
        assert second.complete()
        return ProbeFirst.made + ProbeSecond.made

    return run


def test_what_only_shows_makes_nothing_downstream_anew(probes, monkeypatch):
    monkeypatch.setattr(ProbeFirst, "shows_only", True)
    assert probes() == [0, 1, 2, "second"]
    assert probes(word="b") == [0, 1, 2]


def test_an_unchanged_stage_is_never_rewritten(probes, house):
    assert probes() == [0, 1, 2, "second"]
    before = {p: p.stat().st_mtime_ns for p in house.data.rglob("*")}
    assert probes() == []
    assert probes(cores=8) == []
    assert {p: p.stat().st_mtime_ns for p in house.data.rglob("*")} == before


def test_a_changed_setting_makes_its_stage_and_what_follows_again(probes, house):
    probes()
    assert probes(word="b") == [0, 1, 2, "second"]
    assert (house.data / "gate/second.txt").read_text() == "bbb"


def test_a_changed_part_of_the_manifest_makes_only_what_depends_on_it_again(probes, house):
    probes()
    house.video(classes=["person"])
    assert probes() == ["second"]


def test_an_interrupted_stage_resumes_only_under_its_own_fingerprint(probes, house, monkeypatch):
    monkeypatch.setattr(ProbeFirst, "fail_after", 2)
    with pytest.raises(OSError, match="plug"):
        probes()
    monkeypatch.setattr(ProbeFirst, "fail_after", 99)
    assert probes() == [2, "second"]
    monkeypatch.setattr(ProbeFirst, "fail_after", 1)
    with pytest.raises(OSError, match="plug"):
        probes(word="b")
    monkeypatch.setattr(ProbeFirst, "fail_after", 99)
    assert probes(word="c") == [0, 1, 2, "second"]
    assert (house.data / "gate/second.txt").read_text() == "ccc"


def test_a_file_that_was_deleted_is_made_again(probes, house):
    probes()
    (house.data / "gate/first/1.txt").unlink()
    assert probes() == [1]


def test_leftovers_of_a_killed_run_are_removed(probes, house):
    probes()
    stale = house.data / "gate/first/.1.txt.part"
    stale.write_text("half")
    (house.data / "gate/first/1.txt").unlink()
    probes()
    assert not stale.exists()


def test_two_runs_do_not_write_one_stage(probes, house):
    probes()
    task = ProbeFirst(camera="gate", data_root=str(house.data), manifests=str(house.manifests))
    with task._locked(), pytest.raises(ValueError, match="another run is making ProbeFirst of gate"), task._locked():
        pass
    with task._locked():
        pass


def test_the_record_is_the_same_for_the_same_work(probes, house):
    probes()
    first = {p.name: p.read_bytes() for p in (house.data / "gate/.stages").glob("*.json")}
    for path in sorted((house.data / "gate").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    probes()
    assert {p.name: p.read_bytes() for p in (house.data / "gate/.stages").glob("*.json")} == first
    assert json.loads(first["ProbeFirst.json"])["state"] == "done"


@pytest.mark.parametrize("camera", ["../gate", "nope"])
def test_a_camera_that_does_not_exist_never_reaches_a_path(house, camera):
    house.video()
    with pytest.raises(ValueError, match="camera"):
        ProbeFirst(camera=camera, data_root=str(house.data), manifests=str(house.manifests))
    assert not Path(house.data).exists()
