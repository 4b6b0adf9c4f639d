"""JSON, XML, CSV and names of strangers."""

import pytest

from readers.csv_file import read_rows
from readers.json_file import read_json
from readers.texts import expanded
from readers.xml_file import read_xml


@pytest.mark.parametrize(
    "data",
    [b"{", b"[" * 100_000, b'["\\ud800"]', b"9" * 5000, b"\xff\xfe\x00", b"", b'{"a": "\xe9"}'],
    ids=["open", "deep", "half a pair", "digits", "bytes", "empty", "latin"],
)
def test_what_is_no_json_is_named(tmp_path, data):
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.json: not JSON: ") as error:
        read_json(tmp_path / "a.json")
    assert "\n" not in str(error.value)


def test_pairs_are_text(tmp_path):
    (tmp_path / "a.json").write_text('["\\ud83d\\ude97"]')
    assert read_json(tmp_path / "a.json") == ["\U0001f697"]


@pytest.mark.parametrize(
    "data",
    [
        b'<!DOCTYPE a [<!ENTITY b "bbb">]><a>&b;</a>', b"<a>", b"", b'<?xml version="1.0" encoding="nope"?><a/>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a>&b;</a>', b'<?xml version="1.0" encoding="utf-16"?><a/>',
    ],
)  # fmt: skip
def test_what_is_no_plain_xml_is_named(tmp_path, data):
    (tmp_path / "a.xml").write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.xml: not plain XML: "):
        read_xml(tmp_path / "a.xml")


@pytest.mark.parametrize("data", [b"\xe9,1", b"a\0b", b'"' + b"x" * 200_000 + b'"'], ids=["latin", "NUL", "field"])
def test_what_is_no_csv_is_named(tmp_path, data):
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.csv"):
        read_rows(tmp_path / "a.csv")


def test_a_user_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match=r"gate\.yaml: no such user: ~nosuchuser"):
        expanded("~nosuchuser/x", "gate.yaml")
