"""Turn a stage's frozen dataclass of settings into parameters of its Luigi task, so that each is declared once.

Field `name` of the settings of task T is `name` under [T] in luigi.cfg and `--T-name` on the command line. Fields of
a dataclass within the dataclass are `field_name`. Fields with "speed" in their metadata do not change the bytes;
those with "apart" are declared apart from the others, as the settings of whatever a registry knows. "formerly" is the
name that a field had one version ago (tasks/common/renamed.py).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TypeVar, cast, get_type_hints

import luigi
from luigi.configuration import get_config
from luigi.task_register import Register

from tasks.common.renamed import StoreRenamed, former_name, warn_renamed

S = TypeVar("S")

_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


class Setting(luigi.Parameter):
    """A bool, int, float or str whose mistakes name the task and the key."""

    def __init__(
        self, kind: type, key: str, default: Any, meaning: str, former: str = "", *, speed: bool = False
    ) -> None:
        super().__init__(default=default, description=meaning)
        self.kind, self.key, self.default, self.former, self.speed = kind, key, default, former, speed

    def parse(self, x: str) -> Any:
        """The value of a text of luigi.cfg or of the command line."""
        try:
            value = _parse(self.kind, x.strip())
        except ValueError:
            raise ValueError(f"{self.key}: expected {_KINDS[self.kind]}, got {x!r}") from None
        return value

    def serialize(self, x: Any) -> str:
        """The text that `parse` turns back into the value."""
        return str(x)

    def normalize(self, x: Any) -> Any:
        """Numbers given in code as whole numbers are floats where the setting is one."""
        return self.kind(x) if self.kind is float else x

    def _get_value_from_config(self, section: str, name: str) -> Any:
        """Luigi's; under the old name where only that is set."""
        config = get_config()
        if self.former and not config.has_option(section, name) and config.has_option(section, self.former):
            warn_renamed(f"[{section}] {self.former}", name)
            name = self.former
        return super()._get_value_from_config(section, name)

    def _parser_kwargs(self, param_name: str, task_name: str | None = None) -> dict[str, Any]:  # type: ignore[override]
        """Luigi's; with the option's old spelling."""
        kwargs = super()._parser_kwargs(param_name, task_name)
        if not self.former:
            return kwargs
        old = "--" + "-".join([*([task_name] if task_name else []), self.former.replace("_", "-")])
        return kwargs | {"action": StoreRenamed, "old": old}


_KINDS = {bool: "true or false", int: "a whole number", float: "a finite number", str: "text"}


def _parse(kind: type, text: str) -> Any:
    if kind is bool:
        if text.lower() not in _TRUE | _FALSE:
            raise ValueError
        return text.lower() in _TRUE
    if kind is float and not math.isfinite(float(text)):
        raise ValueError
    return kind(text)


def leaves(settings: type, prefix: str = "") -> Iterator[tuple[str, dataclasses.Field, type]]:
    """(key, field, type) of every plain setting, those of nested dataclasses included."""
    hints = get_type_hints(settings)
    for field in _declared(settings):
        kind = hints[field.name]
        if dataclasses.is_dataclass(kind):
            yield from leaves(cast(type, kind), f"{prefix}{field.name}_")
        elif kind in _KINDS:
            yield prefix + field.name, field, kind
        else:
            raise TypeError(f"{settings.__name__}.{field.name}: expected bool, int, float or str, got {kind}")


def former_keys(settings: type, prefix: str = "", former_prefix: str = "") -> dict[str, str]:
    """Of the keys that `leaves` gives, those that were others one version ago, with what they were then."""
    hints = get_type_hints(settings)
    former: dict[str, str] = {}
    for field in _declared(settings):
        kind, key, old = hints[field.name], prefix + field.name, former_prefix + former_name(field)
        if dataclasses.is_dataclass(kind):
            former |= former_keys(cast(type, kind), f"{key}_", f"{old}_")
        elif key != old:
            former[key] = old
    return former


def _declared(settings: type) -> list[dataclasses.Field]:
    return [field for field in dataclasses.fields(settings) if not field.metadata.get("apart")]


def declare(task: type[luigi.Task], settings: type, prefix: str = "") -> None:
    """Give a task class one parameter for each setting, its name behind the prefix."""
    taken = {name for name in dir(task) if not name.startswith("_")}
    former = former_keys(settings, prefix, prefix)
    for key, field, kind in leaves(settings, prefix):
        if key in taken:
            raise TypeError(f"{settings.__name__}.{key}: a task already has an attribute of this name")
        if field.default is dataclasses.MISSING:
            raise TypeError(f"{settings.__name__}.{key}: expected a setting with a default")
        meaning = field.metadata.get("help", "")
        where, speed = f"[{task.__name__}] {key}", field.metadata.get("speed", False)
        parameter = Setting(kind, where, field.default, meaning, former.get(key, ""), speed=speed)
        setattr(task, key, parameter)
        parameter.__set_name__(task, key)


def collect(task: luigi.Task, settings: type[S], prefix: str = "") -> S:
    """The settings as this task has them."""
    hints = get_type_hints(settings)
    values = {
        f.name: collect(task, hints[f.name], f"{prefix}{f.name}_")
        if dataclasses.is_dataclass(hints[f.name])
        else getattr(task, prefix + f.name)
        for f in _declared(settings)
    }
    return settings(**values)


class Offered(Protocol):
    """What a registry knows by a name, with settings of its own or none."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> type | None: ...


def declare_each(task: type[luigi.Task], choice: str, known: Mapping[str, Offered], otherwise: str = "") -> None:
    """Give a task the settings of all that a registry knows, as `<name>_<setting>`; `choice` is what names one, and
    `otherwise` says what is taken where nothing does."""
    getattr(task, choice).description = f"one of {', '.join(known)}{otherwise}"
    for name, one in known.items():
        if one.settings is not None:
            declare(task, one.settings, f"{name}_")


def collect_of(task: luigi.Task, one: Offered) -> Any:
    """The settings of one of them as this task has them; None where it has none."""
    return None if one.settings is None else collect(task, one.settings, f"{one.name}_")


def typed_key(task: str, key: str) -> str:
    """What a dotted key of a task's `identity` is typed as today; the key itself where it never had another name."""
    known = Register.get_task_cls(task).get_params() if task in Register.task_names() else []
    former = {one.former: name for name, one in known if isinstance(one, Setting) and one.former}
    return former.get(key.replace(".", "_"), key)


def identity(settings: Any) -> dict[str, Any]:
    """What of the settings changes the bytes, as plain values, by the names under which finished stages know them."""
    plain: dict[str, Any] = {}
    for f in dataclasses.fields(settings):
        value = getattr(settings, f.name)
        if not f.metadata.get("speed") and not (f.metadata.get("apart") and value is None):
            plain[former_name(f)] = identity(value) if dataclasses.is_dataclass(value) else value
    return plain
