import json
import threading
from dataclasses import dataclass, field
from pathlib import Path

import luigi
import pytest

from tasks.common import camera_task
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

    def tasks(**first):
        luigi.task_register.Register.clear_instance_cache()
        camera_task.camera_entry.cache_clear()
        here = {"camera": "gate", "data_root": str(house.data), "manifests": str(house.manifests)}
        upstream = ProbeFirst(**here, **first)
        monkeypatch.setattr(ProbeSecond, "requires", lambda self: upstream)
        return upstream, ProbeSecond(**here, redo=first.get("redo", False))

    def run(**first):
        upstream, second = tasks(**first)
        ProbeFirst.made.clear()
        ProbeSecond.made.clear()
        for task in (upstream, second):
            if not task.complete():
                task.set_status_message = task.set_progress_percentage = None
                task.run()
        assert second.complete()
        return ProbeFirst.made + ProbeSecond.made

    run.tasks = tasks
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


def contents(house):
    return {p: p.read_bytes() for p in (house.data / "gate").rglob("*") if p.is_file()}


def test_what_is_done_is_made_again_with_other_settings_only_where_it_is_asked_for(probes, house):
    probes()
    before = contents(house)
    with pytest.raises(ValueError, match=r"gate: ProbeFirst is done with other settings: ProbeFirst word: found a, "
                       r"asked for b\. .*`settings:` in .*gate\.yaml; or add --ProbeFirst-redo"):  # fmt: skip
        probes(word="b")
    assert contents(house) == before
    assert probes(word="b", redo=True) == [0, 1, 2, "second"]
    assert (house.data / "gate/second.txt").read_text() == "bbb"
    assert probes(word="b") == []


def test_a_changed_part_of_the_manifest_makes_only_what_depends_on_it_again(probes, house):
    probes()
    house.video(classes=["person"])
    with pytest.raises(ValueError, match=r"ProbeSecond is done with other settings: .*asked for \['person'\]"):
        probes()
    assert probes(redo=True) == ["second"]


def test_what_an_earlier_version_of_the_code_made_is_kept_until_it_is_asked_for(probes, house, monkeypatch):
    probes()
    monkeypatch.setattr(ProbeFirst, "version", 2)
    with pytest.raises(ValueError, match=r"ProbeFirst version: found 1, asked for 2\. To go on, add --ProbeFirst-redo"):
        probes()
    assert probes(redo=True) == [0, 1, 2, "second"]


def test_only_what_is_farthest_upstream_is_told(probes, house):
    """Both differ, and a user can mend but one."""
    probes()
    first, second = probes.tasks(word="b")
    with pytest.raises(ValueError, match="ProbeFirst is done"):
        first.complete()
    assert second.complete() is False


def test_the_record_of_an_earlier_version_is_still_good_and_tells_no_settings(probes, house):
    probes()
    for path in (house.data / "gate/.stages").glob("*.json"):
        record = json.loads(path.read_text())
        del record["made_of"]
        path.write_text(json.dumps(record))
    assert probes() == []
    with pytest.raises(ValueError, match="the earlier version of the project that made it did not write down"):
        probes(word="b")


def test_settings_of_the_cameras_manifest_hold_for_every_command(probes, house):
    house.video(settings={"ProbeFirst": {"word": "c"}})
    assert probes() == [0, 1, 2, "second"]
    assert (house.data / "gate/second.txt").read_text() == "ccc"
    assert probes(word="c") == []
    assert probes(word="d", redo=True) == [0, 1, 2, "second"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ProbeFrist": {"word": "c"}}, r"gate\.yaml: settings\.ProbeFrist: no such task; did you mean ProbeFirst\?"),
        ({"ProbeFirst": {"wrd": "c"}}, r"settings\.ProbeFirst\.wrd: no such setting; did you mean word\?"),
        ({"ProbeFirst": {"cores": "x"}}, r"settings\.ProbeFirst\.cores: .*expected a whole number, got 'x'"),
        ({"ProbeFirst": {"camera": "other"}}, r"settings\.ProbeFirst\.camera: no such setting"),
        ({"ProbeFirst": {"word": ["a"]}}, r"settings\.ProbeFirst\.word"),
        ({"ProbeFirst": 3}, r"settings\.ProbeFirst: .*got 3"),
    ],
)
def test_a_wrong_setting_in_a_manifest_is_one_line(probes, house, settings, said):
    house.video(settings=settings)
    with pytest.raises(ValueError, match=said) as error:
        probes()
    assert "\n" not in str(error.value)
    assert not house.data.exists()


def test_an_interrupted_stage_resumes_only_under_its_own_fingerprint(probes, house, monkeypatch):
    monkeypatch.setattr(ProbeFirst, "fail_after", 2)
    with pytest.raises(OSError, match="plug"):
        probes()
    monkeypatch.setattr(ProbeFirst, "fail_after", 99)
    assert probes() == [2, "second"]
    monkeypatch.setattr(ProbeFirst, "fail_after", 1)
    with pytest.raises(OSError, match="plug"):
        probes(word="b", redo=True)
    monkeypatch.setattr(ProbeFirst, "fail_after", 99)
    assert probes(word="c", redo=True) == [0, 1, 2, "second"]
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


def test_a_second_run_waits_for_the_first_and_finds_its_stage_done(probes, house, capsys):
    first, _ = probes.tasks()
    first.set_status_message = first.set_progress_percentage = None
    with first._locked():
        other = threading.Thread(target=first.run)
        other.start()
        other.join(0.5)
        assert other.is_alive() and not first.files()
    other.join()
    assert ProbeFirst.made == [0, 1, 2] and first.done()
    assert "waits for another run, which makes or reads ProbeFirst of gate" in capsys.readouterr().err


def test_nobody_makes_again_what_a_run_reads(probes, house):
    probes()
    again, second = probes.tasks(word="b", redo=True)
    again.set_status_message = again.set_progress_percentage = None
    with second._locked():
        other = threading.Thread(target=again.run)
        other.start()
        other.join(0.5)
        assert other.is_alive() and (house.data / "gate/first/0.txt").read_text() == "a"
    other.join()
    assert (house.data / "gate/first/0.txt").read_text() == "b"


def test_what_another_run_took_away_meanwhile_is_not_built_on(probes, house):
    probes()
    _, second = probes.tasks(word="b", redo=True)
    second.set_status_message = second.set_progress_percentage = None
    with pytest.raises(ValueError, match="another run began to make ProbeFirst again"):
        second.run()
    assert (house.data / "gate/second.txt").read_text() == "aaa"


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
