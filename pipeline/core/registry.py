"""What can be added without touching anything: one file in a folder, or an installed package that names it.

A module of the folder offers an object, or several in a tuple, under an agreed name; a package does under an entry
point of an agreed group. Each has a `name`, by which settings and commands call it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, TypeVar


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


def offered(kind: type[T], package: str, attribute: str, group: str) -> dict[str, T]:
    """Everything of a kind by its name, in the order of the names.

    package: of the modules that may have `attribute`; group: of the entry points. Raises ValueError, which names the
    package to mend, where an entry point cannot be loaded, is of another kind, or takes a name that is taken.
    """
    return by_name(kind, [*_of_folder(package, attribute), *of_packages(group)])


def by_name(kind: type[T], values: Iterable[tuple[str, object]]) -> dict[str, T]:
    """What each place offers, one or a tuple, by its name, in the order of the names; raises as `offered`."""
    found: dict[str, T] = {}
    for where, value in values:
        for one in value if isinstance(value, tuple) else (value,):
            if not isinstance(one, kind):
                raise ValueError(f"{where}: expected a {kind.__module__}.{kind.__name__}, got {one!r:.80}")
            if one.name in found:
                raise ValueError(f"{where}: the name {one.name!r} is taken; rename this one, or uninstall its package")
            found[one.name] = one
    return dict(sorted(found.items()))


def choose(known: dict[str, T], name: str, what: str) -> T:
    """The one of a name. Raises ValueError that names the known ones."""
    if name not in known:
        raise ValueError(f"{what}: expected one of {', '.join(known)}, got {name!r}")
    return known[name]


def _of_folder(package: str, attribute: str) -> Iterator[tuple[str, object]]:
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        loaded = importlib.import_module(f"{package}.{module.name}")
        if hasattr(loaded, attribute):
            yield f"{loaded.__file__}: {attribute}", getattr(loaded, attribute)


def of_packages(group: str) -> Iterator[tuple[str, object]]:
    """What installed packages name under a group of entry points, each with where that is; raises as `offered`."""
    points: Iterable[EntryPoint] = entry_points(group=group)
    for point in sorted(points, key=lambda point: point.name):
        where = f"entry point {point.name} = {point.value} of {group}"
        try:
            value = point.load()
        except Exception as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"{where}: cannot be loaded, mend or uninstall its package: {reason}") from error
        yield where, value
