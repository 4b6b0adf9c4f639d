"""A class table as a file: YAML that a user may write, and what it says when something in it is wrong.

    classes:
      kite:
        points: [head, left tip, right tip, tail]
        links: [[head, left tip], [head, right tip], [left tip, tail], [right tip, tail], [head, tail]]

Without `mirror`, points that differ in left and right alone change places in the mirror image. `aliases` and
`point_aliases` are what data sets call the class and its points.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from models.linked_objects.classes import ClassTable, ObjectClass
from readers.yaml_file import read_yaml

_KEYS = ("points", "links", "mirror", "aliases", "point_aliases")


def read_link_table(path: Path) -> ClassTable:
    """The classes of a file. Raises FileNotFoundError, and ValueError in one line that names the file and the class."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such link table; `python -m models.linked_objects` prints one")
    return table_of(read_yaml(path), str(path))


def table_of(content: Any, where: str) -> ClassTable:
    """The classes that plain values hold, as `ClassTable.to_plain` gives them. Raises ValueError that begins with
    `where`."""
    classes = content.get("classes") if isinstance(content, Mapping) else None
    if not isinstance(classes, Mapping) or not classes:
        raise ValueError(f"{where}: expected `classes:` with a name and its `points` and `links` each, "
                         f"got {_shown(content)}")  # fmt: skip
    try:
        return ClassTable(tuple(_class(str(name), fields) for name, fields in classes.items()))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def link_table_text(table: ClassTable) -> str:
    """A table as YAML that `read_link_table` reads back."""
    return yaml.safe_dump(table.to_plain(), sort_keys=False, default_flow_style=None, width=110)


def _class(name: str, fields: Any) -> ObjectClass:
    if not isinstance(fields, Mapping):
        raise ValueError(f"class {name}: expected `points` and `links`, got {_shown(fields)}")
    unknown = [str(key) for key in fields if key not in _KEYS]
    if unknown:
        raise ValueError(f"class {name}: unknown key {unknown[0]!r}; expected {', '.join(_KEYS)}")
    points = _names(name, "points", fields.get("points"))
    if not points:
        raise ValueError(f"class {name}: has no points; list at least one under `points`")
    if "links" not in fields:
        raise ValueError(f"class {name}: has no `links`; expected a list of pairs of points, [] for none")
    others = fields.get("point_aliases") or {}
    if not isinstance(others, Mapping):
        raise ValueError(f"class {name}: point_aliases: expected names for each point, got {_shown(others)}")
    return ObjectClass.of_names(
        name,
        points,
        _pairs(name, "links", fields["links"]),
        None if fields.get("mirror") is None else _pairs(name, "mirror", fields["mirror"]),
        _names(name, "aliases", fields.get("aliases")),
        {str(point): _names(name, f"point_aliases: {point}", value) for point, value in others.items()},
    )


def _names(name: str, key: str, value: Any) -> list[str]:
    values = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(v, (str, int)) and str(v).strip() for v in values):
        raise ValueError(f"class {name}: {key}: expected a list of names, got {_shown(value)}")
    return [str(v) for v in values]


def _pairs(name: str, key: str, value: Any) -> list[tuple[str, str]]:
    pairs = [] if value is None else value
    if not isinstance(pairs, list):
        raise ValueError(f"class {name}: {key}: expected a list of pairs of points, got {_shown(value)}")
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(p, (str, int)) for p in pair):
            raise ValueError(f"class {name}: {key}: expected two points, got {_shown(pair)}")
    return [(str(a), str(b)) for a, b in pairs]


def _shown(value: Any) -> str:
    return "nothing" if value is None else f"{value!r:.60}"
