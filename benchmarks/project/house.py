"""How the code is laid out: modules a folder, lines a module, lines a function, who imports whom, names that repeat.

    python -m benchmarks.house [--check]

Imports go down the layers that pyproject.toml lists for import-linter; here those count, too, that a string names and
that only happen when it runs. Networks are folders of models/ with a card: none imports another, and what they share
imports none. Repeated names are of classes and functions that several modules define for themselves, `main` and what
networks' Specs name apart.
"""

from __future__ import annotations

import statistics
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.common.report import HERE, Bar, Report, main
from benchmarks.project.tree import ROOTS, Import, Module, Tree

BOUND = ("pipeline", "models", "calibration", "data_manifest", "readers", "tasks")
MODULES, NETWORK_MODULES, LINES, FUNCTION_LINES, REPEATED = 12, 8, 300, 60, 10
# Every command has one.
_AGREED = {"main"}


def layers(root: Path) -> list[list[str]]:
    """The layers from the top, each with the modules that share it, out of pyproject.toml."""
    linter = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]
    lines = next(contract["layers"] for contract in linter["contracts"] if contract["type"] == "layers")
    return [[name.strip() for name in line.split("|")] for line in lines]


def within(module: str, packages: Iterable[str]) -> str | None:
    """The package, of several, that a module is or is part of."""
    return next((name for name in packages if module == name or module.startswith(f"{name}.")), None)


def against_direction(tree: Tree, order: list[list[str]]) -> list[str]:
    """A line for each import that goes up or across, and for each module that imports but stands in no layer."""
    rank = {name: number for number, line in enumerate(order) for name in line}
    networks = tree.networks()
    return sorted({line for one in tree.imports() if (line := _fault(one, rank, networks))})


def _fault(one: Import, rank: dict[str, int], networks: set[str]) -> str | None:
    above, below = within(one.importer, rank), within(one.imported, rank)
    if above is None:
        return f"{one}: {one.importer} stands in no layer"
    if within(one.imported, ["tests"]):
        return f"{one}: tests stand above everything"
    if below is None:
        return None  # an empty package above the layers
    if above != below and rank[below] <= rank[above]:
        return f"{one}: goes up"
    mine, other = within(one.importer, networks), within(one.imported, networks)
    if above == below == "models" and other and mine != other:
        return f"{one}: {'between networks' if mine else 'from what networks share to a network'}"
    return None


def repeated(tree: Tree) -> dict[str, list[str]]:
    """By name the modules that define a class or a function of it, where they are several."""
    modules: dict[str, list[str]] = {}
    agreed = _AGREED | tree.named_by_networks()
    for module in tree.modules:
        if module.name.split(".")[0] in BOUND:
            for name in module.definitions() - agreed:
                modules.setdefault(name, []).append(module.name)
    return {name: found for name, found in sorted(modules.items()) if len(found) > 1}


def row_of(package: str, modules: list[Module]) -> dict:
    """A package's sizes."""
    folders = Counter(module.folder for module in modules)
    functions = [lines for module in modules for lines in module.functions().values()]
    return {
        "package": package,
        "modules": len(modules),
        "lines": sum(module.lines for module in modules),
        "fullest_folder": max(folders.values()),
        "median_module": statistics.median(module.lines for module in modules),
        "longest_module": max(module.lines for module in modules),
        "functions": len(functions),
        "median_function": statistics.median(functions or [0]),
        "longest_function": max(functions, default=0),
    }


def measure(tree: Tree, order: list[list[str]]) -> Report:
    """Tables, bars, and in the notes what is to be mended, by name."""
    bound = [module for module in tree.modules if module.name.split(".")[0] in BOUND]
    networks = {name.replace(".", "/") for name in tree.networks()}
    folders = Counter(module.folder for module in bound)
    of_networks = {name: n for name, n in folders.items() if name in networks}
    others = {name: n for name, n in folders.items() if name not in networks}
    lines = {module.name: module.lines for module in bound}
    functions = {f"{m.name}.{name}": n for m in bound for name, n in m.functions().items()}
    wrong, twice = against_direction(tree, order), repeated(tree)
    packages = [(name, [m for m in tree.modules if m.name.split(".")[0] == name]) for name in ROOTS]
    rows = [row_of(name, modules) for name, modules in packages if modules]
    rows += [{"folder": name, "modules": n} for name, n in folders.most_common(10)]
    bars = [
        Bar("modules in the fullest folder", max(others.values(), default=0), at_most=MODULES),
        Bar("modules in the fullest network's folder", max(of_networks.values(), default=0), at_most=NETWORK_MODULES),
        Bar("lines of the longest module", max(lines.values(), default=0), at_most=LINES),
        Bar("lines of the longest function", max(functions.values(), default=0), at_most=FUNCTION_LINES),
        Bar("imports that do not go down", len(wrong), at_most=0),
        Bar("names defined in several files", len(twice), at_most=REPEATED),
    ]
    notes = {
        "folders too full": _beyond(others, MODULES) + _beyond(of_networks, NETWORK_MODULES),
        "modules too long": _beyond(lines, LINES),
        "functions too long": _beyond(functions, FUNCTION_LINES),
        "imports that do not go down": wrong,
        "names defined in several files": [f"{name}: {', '.join(found)}" for name, found in twice.items()],
    }
    return Report(rows, bars, {name: lines for name, lines in notes.items() if lines})


def _beyond(sizes: dict[str, int], most: int) -> list[str]:
    return [f"{name}: {size}" for name, size in sorted(sizes.items()) if size > most]


def report(quick: bool, data: Path) -> Report:
    """The project's own tree, with what is to be mended a line each."""
    root = HERE.parent
    found = measure(Tree(root), layers(root))
    for name, lines in found.notes.items():
        print("\n".join([f"{name}:", *(f"  {line}" for line in lines)]))
    return found


if __name__ == "__main__":
    main("house", __doc__, report)
