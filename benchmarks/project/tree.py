"""The project's code as it stands on disk: its modules, their functions, and who imports whom.

Nothing is imported, so any tree can be read. A module's name is its path with dots; a package's is its folder's.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOTS = ("benchmarks", "tasks", "pipeline", "models", "data_manifest", "calibration", "readers")
_NAMED = re.compile(rf"(?:{'|'.join((*ROOTS, 'tests'))})(?:\.\w+)+(?=:\w+$|$)")
_BEGINNING = re.compile(rf"(?:{'|'.join((*ROOTS, 'tests'))})\.(?:\w+\.)*")


@dataclass(frozen=True)
class Import:
    """`importer` has `imported` at a line of its file; `by_string`: it only names it, to import it when it runs."""

    importer: str
    imported: str
    line: int
    by_string: bool = False

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} -> {self.imported}{' (by a string)' if self.by_string else ''}"


@dataclass(frozen=True)
class Module:
    """One file below the tree's root."""

    root: Path
    path: Path

    @property
    def name(self) -> str:
        """As it is imported."""
        parts = self.path.relative_to(self.root).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def folder(self) -> str:
        """Its folder from the root, with slashes."""
        return self.path.parent.relative_to(self.root).as_posix()

    @cached_property
    def text(self) -> str:
        """What it holds."""
        return self.path.read_text()

    @property
    def lines(self) -> int:
        """Number of lines, comments and empty ones included."""
        return len(self.text.splitlines())

    @cached_property
    def syntax(self) -> ast.Module:
        """Parsed."""
        return ast.parse(self.text)

    def functions(self) -> dict[str, int]:
        """Lines, from `def` on, of every function and method, by `name:line`."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        found = [node for node in ast.walk(self.syntax) if isinstance(node, kinds)]
        return {f"{node.name}:{node.lineno}": (node.end_lineno or node.lineno) - node.lineno + 1 for node in found}

    def definitions(self) -> set[str]:
        """Names of the classes and functions of the module itself, not of those within them."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        return {node.name for node in self.syntax.body if isinstance(node, kinds)}


class Tree:
    """All modules of the project's packages below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        paths = [path for name in ROOTS for path in sorted((root / name).rglob("*.py"))]
        self.modules = [Module(root, path) for path in paths if "__pycache__" not in path.parts]
        self.known = {module.name for module in self.modules}

    def networks(self) -> set[str]:
        """Names of the packages that are networks: folders of models/ with a card."""
        return {f"models.{card.parent.name}" for card in (self.root / "models").glob("*/card.md")}

    def named_by_networks(self) -> set[str]:
        """What the networks' Specs name as "module:object", which is alike in each of them by their contract."""
        specs = [module for module in self.modules if module.name in self.networks()]
        strings = [node.value for spec in specs for node in ast.walk(spec.syntax) if isinstance(node, ast.Constant)]
        names = [text for text in strings if isinstance(text, str) and ":" in text and _NAMED.match(text)]
        return {text.rpartition(":")[2] for text in names}

    def imports(self) -> list[Import]:
        """Every import of one of the project's modules by another, wherever in its file it stands."""
        found = [one for module in self.modules for one in self._of(module)]
        return [one for one in found if one.imported != one.importer]

    def _of(self, module: Module) -> Iterator[Import]:
        for node in ast.walk(module.syntax):
            names, by_string = _imported(node, module), False
            if not names:
                names, by_string = _named(node), True
            for name in names:
                # `from a.b import c` means the module a.b.c, or what a.b defines as c.
                known = name if name in self.known else name.rpartition(".")[0]
                if known in self.known or name.startswith("tests."):
                    line = getattr(node, "lineno", 0)
                    yield Import(module.name, known if known in self.known else name, line, by_string)


def _imported(node: ast.AST, module: Module) -> list[str]:
    """What an import statement may mean."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        within = module.name.split(".") if module.path.name == "__init__.py" else module.name.split(".")[:-1]
        base = within[: len(within) - node.level + 1] if node.level else []
        source = ".".join([*base, *([node.module] if node.module else [])])
        return [f"{source}.{alias.name}" for alias in node.names]
    return []


def _named(node: ast.AST) -> list[str]:
    """The module that a string is the name of, `package.module` or `package.module:object`, or begins the name of."""
    if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant):
        begun = str(node.values[0].value)
        return [begun.rstrip(".")] if _BEGINNING.fullmatch(begun) else []
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        match = _NAMED.match(node.value)
        return [match[0]] if match else []
    return []
