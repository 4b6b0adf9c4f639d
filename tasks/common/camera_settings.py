"""Settings that a camera's manifest gives once for every command: `settings:`, by task and key as in luigi.cfg.

What the command line says comes before them, luigi.cfg and the defaults after.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import luigi
from luigi.cmdline_parser import CmdlineParser
from luigi.task_register import Register

from data_manifest import CameraEntry, ManifestError
from tasks.common.renamed import warn_renamed
from tasks.common.settings import Setting


def settings_for(task: type[luigi.Task], entry: CameraEntry, given: Iterable[str]) -> dict[str, Any]:
    """What the manifest gives to a task's parameters, but those that code (the names `given`) or the command line set.

    Raises ManifestError, in one line, for a task, a key or a value that does not exist.
    """
    family = task.get_task_family()
    own = _checked(entry).get(family, {}) if entry.manifest.settings else {}
    return {key: value for key, value in own.items() if key not in given and not _on_command_line(family, key)}


def can_set(task: type[luigi.Task]) -> dict[str, luigi.Parameter]:
    """Parameters of a stage that a manifest may give: its settings, and what `settable` names; none for others."""
    named = getattr(task, "settable", None)
    if named is None:
        return {}
    return {name: one for name, one in task.get_params() if isinstance(one, Setting) or name in named}


def _on_command_line(family: str, key: str) -> bool:
    parser = CmdlineParser.get_instance()
    return parser is not None and getattr(parser.known_args, f"{family}_{key}", None) is not None


def _checked(entry: CameraEntry) -> dict[str, dict[str, Any]]:
    """All of them: what no task reads is an error in every command."""
    known = {name: can_set(Register.get_task_cls(name)) for name in Register.task_names()}
    known = {name: keys for name, keys in known.items() if keys}
    found: dict[str, dict[str, Any]] = {}
    for family, values in entry.manifest.settings.items():
        if family not in known:
            raise ManifestError(f"{entry.path}: settings.{family}: no such task{_or_one_of(family, known)}")
        for key, value in values.items():
            name = _present(key.replace("-", "_"), known[family], f"{entry.path}: settings.{family}")
            if name != key and name in values:
                continue  # under both names, and the present one counts
            if name not in known[family]:
                raise ManifestError(
                    f"{entry.path}: settings.{family}.{key}: no such setting{_or_one_of(name, known[family])}"
                )
            found.setdefault(family, {})[name] = _value_of(
                known[family][name], value, f"settings.{family}.{key}", entry
            )
    return found


def _present(name: str, known: dict[str, luigi.Parameter], where: str) -> str:
    """What a setting is called now, of whatever name; an old one is said."""
    former = {one.former: present for present, one in known.items() if isinstance(one, Setting) and one.former}
    if name in former:
        warn_renamed(f"{where}.{name}", former[name])
    return former.get(name, name)


def _value_of(parameter: luigi.Parameter, value: Any, where: str, entry: CameraEntry) -> Any:
    try:
        return parameter.parse(str(value))
    except ValueError as error:
        raise ManifestError(f"{entry.path}: {where}: {error}") from None


def _or_one_of(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, sorted(known), 1)
    return f"; did you mean {close[0]}?" if close else f"; expected one of {', '.join(sorted(known))}"
