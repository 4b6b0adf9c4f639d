"""Manifests of strangers: bombs, keys that stand twice and values that cannot be are one line each."""

import time
from pathlib import Path

import pytest

from data_manifest import load_camera
from readers.yaml_file import read_yaml

HOSTILE = Path(__file__).parents[1] / "hostile" / "yaml"


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        ("baddate", r"line 1, column \d+|2025-13-03T07:00:00: month must be in 1\.\.12"),
        ("bombkey", r"bombkey\.yaml: line 3: values that aliases unfold to: expected at most 50000, found"),
        ("bombmodel", r"bombmodel\.yaml: line 5: values that aliases unfold to"),
        ("buckettz", r"buckets\.0\.start: expected a local wall-clock time without an offset"),
        ("dup", r"dup\.yaml: ignore: stands twice, in lines 3 and 5"),
        ("dupcal", r"dupcal\.yaml: height_m: stands twice, in lines 2 and 2"),
        ("simfps", r"source\.fps: .*less than or equal to 1000, got 1000000000000\.0"),
        ("tsai", r"tsai\.yaml: .*t\.xml: expected a positive number in Geometry width"),
    ],
)
def test_hostile_manifests_are_one_line_at_once(camera, said, tmp_path):
    for path in HOSTILE.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "v.mp4").touch()
    begun = time.process_time()
    with pytest.raises(ValueError, match=said) as error:
        load_camera(camera, tmp_path)
    assert "\n" not in str(error.value) and camera in str(error.value) and time.process_time() - begun < 1


def read(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    return read_yaml(path)


def test_aliases_of_honest_manifests_are_values(tmp_path):
    assert read(tmp_path, "a: &a [1, 2]\nb: *a\nc: {<<: {d: 1}, e: *a}") == {
        "a": [1, 2], "b": [1, 2], "c": {"d": 1, "e": [1, 2]},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [*a]", "an alias that is part of what it stands for"),
        ("[" * 60 + "]" * 60, "nested deeper than 40 levels"),
        ("[" * 20_000, "nested deeper than 40 levels"),
        ("a: " + "[" * 200_000, "nested deeper than 40 levels"),
        ("a: " + "{" * 200_000, "nested deeper than 40 levels"),
        ("- " * 100_000, "nested deeper than 40 levels"),
        ("? " * 100_000, "nested deeper than 40 levels"),
        ("a: " + "9" * 5000, "line 1: expected a number or a time"),
        ('a: "\\ud800"', r"expected text, got the character '\\ud800'"),
        ('a: "x\\0"', r"expected text, got the character '\\x00'"),
        ("a: 1\na: 1", "a: stands twice, in lines 1 and 2"),
        ("? [1]\n: 2", "expected a name as key"),
        ("a: 0001-01-40", "0001-01-40: day"),
        ("a: !!python/object/apply:os.system [id]", "not YAML: could not determine a constructor"),
    ],
)
def test_what_cannot_be_read_names_the_line(tmp_path, text, said):
    begun = time.process_time()
    with pytest.raises(ValueError, match=said) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(str(tmp_path / "a.yaml")) and "\n" not in str(error.value)
    assert time.process_time() - begun < 1


def test_a_file_above_the_limit_is_not_read(tmp_path):
    with pytest.raises(ValueError, match=r"size in MB: expected at most 0\.25, found 0\.3"):
        read(tmp_path, "#" * 300_000)
