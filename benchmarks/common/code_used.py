"""Which of the project's files a benchmark depends on, and which of them have changed since it was run.

A benchmark depends on what it imports, directly or not, and where it runs the job, on the tasks and all they import.
"""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("benchmarks", "calibration", "data_manifest", "models", "pipeline", "readers", "tasks")
_RUN_THE_JOB = {f"benchmarks.common.job.{name}" for name in ("run", "start", "demand", "Site")}


def files_used(name: str) -> list[Path]:
    """The Python files of a benchmark's closure of imports, itself included. Raises ValueError for an unknown name."""
    own = sorted(ROOT.glob(f"benchmarks/*/{name}.py"))
    if not own:
        raise ValueError(f"benchmarks.{name}: no such benchmark")
    todo, found = [own[0]], dict.fromkeys(own[:1])
    while todo:
        for path in _imported(todo.pop()):
            if path not in found:
                found[path] = None
                todo.append(path)
    return sorted(found)


@cache
def _imported(path: Path) -> tuple[Path, ...]:
    modules = set(_names(ast.parse(path.read_bytes())))
    if _RUN_THE_JOB & modules:
        modules.add("tasks")
    files = (one for module in modules for one in _files_of(module))
    return tuple(dict.fromkeys(one for one in files if one != path))


def _names(tree: ast.AST) -> Iterator[str]:
    """Modules of the project that a file imports anywhere in it, those within functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            # `from package import module` names one, too.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files_of(module: str) -> Iterator[Path]:
    """The file of a module and the packages that it lies in."""
    parts = module.split(".")
    if parts[0] not in PACKAGES:
        return
    for depth in range(1, len(parts) + 1):
        place = ROOT.joinpath(*parts[:depth])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                yield file


def changed_since(commit: str, files: list[Path]) -> list[str] | None:
    """Those of the files that hold something else than at a commit, relative to the repository; None where git does not
    know it."""
    names = [str(path.relative_to(ROOT)) for path in files]
    listed = _git("diff", "--name-only", commit, "--", *names)
    return None if listed is None else listed.split()


def commits_since(commit: str) -> int:
    """How many commits have followed."""
    return int((_git("rev-list", "--count", f"{commit}..HEAD") or "0").strip())


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None
