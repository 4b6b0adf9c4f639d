"""Link tables as people write them, and the one line that each mistake is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.linked_objects.catalogue import CATALOGUE
from models.linked_objects.link_table import link_table_text, read_link_table

KITE = """
classes:
  kite:
    points: [head, left tip, right tip, tail]
    links: [[head, left tip], [head, right tip], [left tip, tail]]
    aliases: dragon
"""


def written(folder: Path, text: str) -> Path:
    (folder / "links.yaml").write_text(text)
    return folder / "links.yaml"


def test_a_users_table_is_read(tmp_path):
    table = read_link_table(written(tmp_path, KITE))
    assert table.names == ("kite",)
    assert table[0].links == ((0, 1), (0, 2), (1, 3))
    assert table[0].aliases == ("dragon",)


def test_the_catalogue_comes_back_from_its_own_text(tmp_path):
    assert read_link_table(written(tmp_path, link_table_text(CATALOGUE))) == CATALOGUE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (KITE.replace("[left tip, tail]", "[left tip, string]"), "class kite: link [left tip, string] names the point"),
        (KITE.replace("[head, left tip, right tip, tail]", "[]"), "class kite: has no points"),
        (
            KITE.replace("right tip, tail]\n    l", f"right tip, tail, {', '.join(map(str, range(200)))}]\n    l"),
            "class kite: expected at most 200 points, got 204",
        ),
        (KITE.replace("    points: [head, left tip, right tip, tail]\n", ""), "class kite: has no points"),
        (KITE + "  Dragon:\n    points: [a]\n    links: []\n", "'kite' and 'Dragon' both go by the name 'dragon'"),
        (KITE + "  kite:\n    points: [a]\n    links: []\n", "kite: stands twice, in lines 3 and 7"),
        (KITE.replace("[left tip, tail]", "left tip"), "class kite: links: expected two points, got 'left tip'"),
        (KITE.replace("aliases", "alias"), "class kite: unknown key 'alias'"),
        (KITE.replace("[[head, left tip], [head, right tip], [left tip, tail]]", "{a: b}"), "expected a list of pairs"),
        ("classes: {}", "expected `classes:`"),
        ("[1, 2]", "expected `classes:`"),
        ("classes: {kite: !!python/object:os.system {}}", "not YAML"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_file(tmp_path, text, said):
    path = written(tmp_path, text)
    with pytest.raises(ValueError) as error:
        read_link_table(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and said in message and "\n" not in message


def test_a_missing_file_says_how_to_begin(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"python -m models\.linked_objects"):
        read_link_table(tmp_path / "none.yaml")
