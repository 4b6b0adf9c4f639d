from dataclasses import dataclass, field

import luigi
import pytest
from luigi.cmdline_parser import CmdlineParser

import tasks  # noqa: F401  the stages, whose settings records hold
from tasks.common.records import differences
from tasks.common.settings import Setting, collect, declare, former_keys, identity, leaves, typed_key


@dataclass(frozen=True)
class Inner:
    threads: int = field(default=1, metadata={"help": "threads", "speed": True})
    name: str = field(default="a", metadata={"help": "a name"})


@dataclass(frozen=True)
class Outer:
    share: float = field(default=0.5, metadata={"help": "a share, 0 to 1"})
    keep: bool = field(default=True, metadata={"help": "keep it"})
    inner: Inner = field(default_factory=Inner)


class SettingsProbe(luigi.Task):
    pass


declare(SettingsProbe, Outer)


def test_every_setting_is_a_parameter_with_its_default_and_meaning():
    assert [key for key, _, _ in leaves(Outer)] == ["share", "keep", "inner_threads", "inner_name"]
    assert collect(SettingsProbe(), Outer) == Outer()
    assert SettingsProbe.share.description == "a share, 0 to 1"


def test_parameters_make_the_settings():
    task = SettingsProbe(share=1, keep=False, inner_threads=4, inner_name="b")
    assert collect(task, Outer) == Outer(1.0, False, Inner(4, "b"))
    assert SettingsProbe.from_str_params(task.to_str_params()) == task


def test_speed_knobs_are_not_part_of_the_identity():
    assert identity(Outer()) == {"share": 0.5, "keep": True, "inner": {"name": "a"}}
    assert identity(Outer(inner=Inner(threads=9))) == identity(Outer())
    assert identity(Outer(share=0.6)) != identity(Outer())


@dataclass(frozen=True)
class Renamed:
    gap_fraction: float = field(default=0.5, metadata={"help": "a fraction", "formerly": "gap_share"})
    association: Inner = field(default_factory=Inner, metadata={"formerly": "relink"})


class RenamedProbe(luigi.Task):
    pass


declare(RenamedProbe, Renamed, "a_")


@pytest.fixture
def config():
    """Sets [RenamedProbe] in luigi.cfg for the length of a test."""
    config = luigi.configuration.get_config()
    yield lambda key, value: config.set("RenamedProbe", key, value)
    config.remove_section("RenamedProbe")


def test_finished_stages_know_a_renamed_setting_by_its_old_name():
    assert identity(Renamed()) == {"gap_share": 0.5, "relink": {"name": "a"}}


def test_old_keys_follow_the_old_names_of_what_they_are_nested_in():
    assert former_keys(Renamed, "a_", "a_") == {
        "a_gap_fraction": "a_gap_share",
        "a_association_threads": "a_relink_threads",
        "a_association_name": "a_relink_name",
    }
    assert former_keys(Outer) == {}


def test_users_are_told_todays_names_of_what_records_hold():
    assert typed_key("TrackObjects", "relink.gap_s") == "association_gap_s"
    assert typed_key("TrackObjects", "lost_s") == "lost_s"
    asked, found = ({"TrackObjects": {"settings": {"sure_score": score}}} for score in (0.5, 0.6))
    assert differences(found, asked) == ["TrackObjects confident_score: found 0.6, asked for 0.5"]
    assert typed_key("NoSuchTask", "a.b") == "a.b"


def test_luigi_cfg_is_read_by_old_names_and_the_new_one_comes_first(config, capsys):
    config("a_relink_threads", "7")
    config("a_gap_share", "0.1")
    assert collect(RenamedProbe(), Renamed, "a_") == Renamed(0.1, Inner(7))
    assert "[RenamedProbe] a_gap_share is now called a_gap_fraction" in capsys.readouterr().err
    config("a_gap_fraction", "0.2")
    assert collect(RenamedProbe(), Renamed, "a_") == Renamed(0.2, Inner(7))


def test_the_command_line_is_read_by_old_names(capsys):
    line = ["RenamedProbe", "--a-gap-share", "0.1", "--RenamedProbe-a-relink-name", "b", "--a-association-threads", "3"]
    with CmdlineParser.global_instance(line) as parser:
        assert collect(parser.get_task_obj(), Renamed, "a_") == Renamed(0.1, Inner(3, "b"))
    said = sorted(capsys.readouterr().err.splitlines())
    assert len(said) == 2
    assert "--a-gap-share is now called --a-gap-fraction" in said[1]
    assert "--RenamedProbe-a-relink-name is now called --RenamedProbe-a-association-name" in said[0]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [(bool, "Yes", True), (bool, "off", False), (int, " 3 ", 3), (float, "1e-3", 0.001), (str, "a b", "a b")],
)
def test_texts_are_read(kind, text, value):
    assert Setting(kind, "[T] k", value, "").parse(text) == value


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (bool, "maybe", "expected true or false, got 'maybe'"),
        (int, "3.5", "expected a whole number, got '3.5'"),
        (float, "nan", "expected a finite number, got 'nan'"),
        (float, "1,5", "expected a finite number"),
    ],
)
def test_a_mistake_names_section_and_key(kind, text, message):
    with pytest.raises(ValueError, match=r"\[T\] k: " + message):
        Setting(kind, "[T] k", None, "").parse(text)


def test_settings_that_are_not_plain_are_refused():
    @dataclass(frozen=True)
    class Listy:
        items: tuple = ()

    with pytest.raises(TypeError, match=r"Listy\.items: expected bool, int, float or str"):
        list(leaves(Listy))

    @dataclass(frozen=True)
    class Clash:
        run: bool = False

    with pytest.raises(TypeError, match=r"Clash\.run: a task already has"):
        declare(SettingsProbe, Clash)
